"""What it costs to feed DisLib: memory over the number of images, seconds per epoch.

Memory: peak of a process that runs one linear cell (one epoch, linear probes, few shots, analogies)
on ever more sprites at 64 x 64, beside what the published code keeps of as many (float64).

Epoch: the same MLP, batch 4,096, the same images, one epoch of training steps: ours (uint8, batches
by place), and the published way (float64 array, copied into float32 tensors, `TensorDataset`
behind a shuffling `DataLoader`). Seconds are of processor time on one thread, feeding included.

    python benchmarks/dislib_feeding.py [--images 20000]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from identikit.core.files import write_json
from identikit.encoders.staged import staged_encoder
from identikit.runs.provenance import machine, versions
from identikit.studies.paper.dislib.cell import Cell
from identikit.studies.paper.dislib.config import CellConfig
from identikit.studies.paper.dislib.sources import image_grid
from memory import peak_mib

RESULTS = Path(__file__).parent / "results" / "dislib_feeding.json"
SIZES = (20_000, 100_000)
BATCH = 4096


def config(images: int, encoder: str, epochs: int = 1) -> CellConfig:
    return CellConfig(
        world="sprites", encoder=encoder, task="shape", images=images, epochs=epochs, resamples=100
    )


def memory_of(images: int) -> dict[str, float]:
    """In a process of its own."""
    words = [sys.executable, __file__, "--cell", str(images)]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found | {
        "images": images,
        "uint8_mib": images * 4096 / 2**20,
        "published_float64_mib": images * 4096 * 8 / 2**20,
    }


def one_cell(images: int) -> None:
    """Run a cell and print its peak."""
    torch.set_num_threads(1)
    before = peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        cell = Cell(config(images, "linear"), image_grid("sprites"))
        cell.run(Path(folder), None)
    print(json.dumps({"imports_mib": before, "peak_mib": peak_mib()}))


def ours(images: int) -> float:
    """One epoch by the library's fit loop."""
    cell = Cell(config(images, "mlp"), image_grid("sprites"))
    start = time.process_time()
    cell.train()
    return time.process_time() - start


def published(images: int) -> float:
    """One epoch of the same network on a TensorDataset; building the float arrays is not in it."""
    cell = Cell(config(images, "mlp"), image_grid("sprites"))
    train = cell.training
    floats = cell.pictures[train].numpy().astype("float64") / 255
    data = TensorDataset(torch.tensor(floats, dtype=torch.float32), cell.label[train])
    del floats
    net = staged_encoder("mlp", shape=cell.pictures.shape, generator=torch.Generator())
    model = nn.Sequential(net, nn.Linear(512, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    start = time.process_time()
    for x, label in loader:
        loss = nn.functional.cross_entropy(model(x), label)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval()
    with torch.no_grad():  # ours looks at validation images after the epoch
        model(cell.pictures[cell.validation].float() / 255)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--cell", type=int)
    options = parser.parse_args()
    if options.cell:
        one_cell(options.cell)
        return
    torch.set_num_threads(1)
    memory = [memory_of(size) for size in SIZES]
    pairs = [(ours(options.images), published(options.images)) for _ in range(3)]
    result = {
        "memory": memory,
        "epoch": {"images": options.images, "ours": min(o for o, _ in pairs)}
        | {"published": min(p for _, p in pairs), "pairs": pairs},
        "machine": machine(),
        "versions": versions(),
    }
    write_json(RESULTS, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
