"""What the probe of a training loop costs beside an epoch of a plain ResNet-18 on small images.

    OMP_NUM_THREADS=1 python benchmarks/probe_callback.py

Steps of training and probes take turns in one process of one thread, and time is the processor's;
an epoch is the median step times the steps of 50,000 images. A probe reads three factors from the
512 dimensions before the head. Writes results/probe_callback.json.
"""

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

import identikit as ik
from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions

OUT = Path(__file__).parent / "results" / "probe_callback.json"
IMAGES, BATCH, SIDE = 50_000, 128, 64
PROBED = 1024
"""Images with known factors: one probe an epoch."""


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    model = resnet18(num_classes=100)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    x = torch.randn(BATCH, 3, SIDE, SIDE, generator=generator)
    label = torch.randint(100, (BATCH,), generator=generator)
    shown = torch.randn(PROBED, 3, SIDE, SIDE, generator=generator)
    z = torch.randn(PROBED, 3, generator=generator)
    steps: list[float] = []
    probes: list[float] = []
    with TemporaryDirectory() as folder:
        probe = ik.ProbeCallback(
            model,
            list(zip(shown.split(BATCH), z.split(BATCH), strict=True)),
            factors=["size", "hue", "pose"],
            layer="avgpool",
            path=Path(folder) / "probe.jsonl",
        )
        for _ in range(options.repeats):
            for _ in range(options.steps):
                start = time.process_time()
                cross_entropy(model(x), label).backward()
                optimizer.step()
                optimizer.zero_grad()
                steps.append(time.process_time() - start)
            start = time.process_time()
            probe.probe()
            probes.append(time.process_time() - start)
    probed = median(probes)
    epoch = median(steps) * IMAGES / BATCH
    found = {
        "machine": machine(),
        "versions": versions(),
        "threads": 1,
        "images": IMAGES,
        "side": SIDE,
        "probed": PROBED,
        "seconds_of_an_epoch": epoch,
        "seconds_of_a_probe": probed,
        "share": probed / epoch,
    }
    print(f"a probe {probed:.1f} s, an epoch {epoch:.0f} s: {probed / epoch:.2%}")
    write_json(options.out, found)


if __name__ == "__main__":
    main()
