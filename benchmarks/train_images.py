"""Images a second of `identikit train` beside a plain PyTorch loop with the same parts.

Both train the same small convolutional network with a linear head of d = 512 on the same images
with the same transforms, label smoothing and AdamW, on one thread. The plain loop is a DataLoader,
`F.cross_entropy` and `torch.optim.AdamW`. Images a second are of processor time, since machines are
shared; the first step, which allocates, is left out.

    python benchmarks/train_images.py
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from identikit.encoders.adapters import ImageEncoder, ImageNetwork
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.studies.train.batches import ImageBatches
from identikit.training.config import TrainingConfig
from identikit.training.fit import fit_network
from identikit.worlds.augmentations import Augmentation, crop_flip

SIDE, DIM, BATCH = 32, 512, 256
RESULTS = Path(__file__).parent / "results" / "train_images.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[2_000, 100_000])
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for n in options.images:
        pixels = torch.randint(256, (n, 3, SIDE, SIDE), dtype=torch.uint8)
        plain = options.steps * BATCH / plain_loop(pixels, options.steps)
        for negatives in (None, 4096):
            if negatives is None or n > 10_000:
                ours = options.steps * BATCH / our_loop(pixels, options.steps, negatives)
                row = {"images": n, "negatives": negatives, "plain": plain, "ours": ours}
                rows.append(row | {"ratio": ours / plain})
                print(rows[-1], flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


def encoder() -> ImageEncoder:
    return ImageNetwork(
        model="conv",
        shape=(3, SIDE, SIDE),
        dim=DIM,
        seed=0,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    ).build()


class Plain(Dataset[tuple[Tensor, int]]):
    """Augmented images with their number."""

    def __init__(self, pixels: Tensor, augment: Augmentation) -> None:
        self.pixels, self.augment = pixels, augment

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, k: int) -> tuple[Tensor, int]:
        return self.augment(self.pixels[k]), k


def plain_loop(pixels: Tensor, steps: int) -> float:
    """Seconds of steps after the first."""
    network, head = encoder().train(), nn.Linear(DIM, len(pixels), bias=False)
    parameters = [*network.parameters(), *head.parameters()]
    adam = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05)
    loader = DataLoader(Plain(pixels, crop_flip(SIDE)), BATCH, shuffle=True, drop_last=True)
    start = 0.0
    for step, (x, label) in enumerate(loader):
        if step == 1:
            start = time.process_time()
        if step == steps + 1:
            break
        F.cross_entropy(head(network(x)), label, label_smoothing=0.8).backward()
        adam.step()
        adam.zero_grad()
    return time.process_time() - start


def our_loop(pixels: Tensor, steps: int, negatives: int | None) -> float:
    """The same of the fit loop."""
    n = len(pixels)
    head = SoftmaxHead(
        HeadConfig(negatives=negatives, group=BATCH),
        n,
        DIM,
        generator=torch.Generator().manual_seed(0),
        label_smoothing=0.0 if negatives else 0.8,
        sparse=True,
    )
    batches = ImageBatches(
        pixels=pixels,
        places=torch.arange(n),
        label=torch.arange(n),
        augment=crop_flip(SIDE),
        seed=0,
        batch_size=BATCH,
        views=1,
        steps=steps + 1,
        workers=0,
        pin=False,
    )
    config = TrainingConfig(
        steps=steps + 1, batch_size=BATCH, optimizer="adam", rate=1e-3, weight_decay=0.05
    )
    times: list[float] = []
    fit_network(
        encoder(),
        head,
        draw=batches,
        config=config,
        seed=0,
        evaluate_every=1,
        on_progress=lambda _: times.append(time.process_time()),
    )
    return times[-1] - times[0]


if __name__ == "__main__":
    main()
