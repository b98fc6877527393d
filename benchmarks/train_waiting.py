"""Share of the time of `identikit train` in which a step waits for its images.

A folder of generated JPEGs (256 pixels a side, trained on at 64), batches of 64, one thread for
the steps. Images are decoded once, before the first step, and mapped from then on; `decoding` is
the seconds of that. `waited` is the share of the loop in which a step had no batch yet, as the run
itself says it. Without workers seconds are the processor's, since machines are shared; then one
worker keeps up if `batch`, the seconds that make one, are fewer than `step`, those of the rest.
With workers they are by the clock, and mean something where each has a processor of its own.

    python benchmarks/train_waiting.py
"""

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from identikit.core.threads import processor_threads
from identikit.studies.train import run
from identikit.studies.train.config import TrainConfig
from identikit.studies.train.images import load_images
from identikit.training.fit import fit_network

BATCH = 64
RESULTS = Path(__file__).parent / "results" / "train_waiting.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--models", nargs="+", default=["conv", "timm:resnet18"])
    parser.add_argument("--augment", nargs="+", default=["none", "crop-flip", "strong"])
    parser.add_argument("--workers", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), options.images)
        for model in options.models:
            for augment in options.augment:
                for workers in options.workers:
                    config = TrainConfig(
                        images=Path(folder),
                        model=model,
                        augment=augment,
                        workers=workers,
                        batch_size=BATCH,
                        steps=options.steps,
                        device="cpu",
                    )
                    rows.append(measured(config))
                    print(rows[-1], flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


def write_images(folder: Path, n: int) -> None:
    """JPEGs of blurred noise, which compress as photographs do."""
    rng = np.random.default_rng(0)
    for k in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        coarse.resize((256, 256), Image.Resampling.BICUBIC).save(folder / f"{k:05}.jpg", quality=90)


def measured(config: TrainConfig) -> dict[str, object]:
    """Decode, take the steps, and see what was waited for."""
    clock = time.perf_counter if config.workers else time.process_time
    run.fit_network = partial(fit_network, clock=clock)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder, processor_threads(1):
        start = clock()
        images = load_images(config, Path(folder))
        decoding = clock() - start
        fitted = run.Training(config, images).fit(Path(folder))
    return {
        "model": config.model,
        "augment": config.augment,
        "workers": config.workers,
        "images": len(images),
        "steps": fitted.steps,
        "decoding": decoding,
        "batch": fitted.waiting_seconds / fitted.steps,
        "step": (fitted.seconds - fitted.waiting_seconds) / fitted.steps,
        "waited": fitted.waiting_seconds / fitted.seconds,
    }


if __name__ == "__main__":
    main()
