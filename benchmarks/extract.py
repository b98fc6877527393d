"""`identikit extract` against the loop that people write, on generated JPEGs.

The loop: torchvision's ImageFolder, a DataLoader with the same batches and as many processes, a
timm model without its classifier under `no_grad`, features to the CPU batch by batch and saved at
the end. Both run in turns in one process with the same images, which must give the same features.
`all_layers` is the same command for every layer of the model, each in its folder.
`busy` is the share of the time in which the device worked on the model; `model alone` is the speed
on a batch that is there already, which no way of loading can beat.

    OMP_NUM_THREADS=1 python benchmarks/extract.py --workers 1
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from identikit.core.files import write_json
from identikit.encoders.adapters import load_model
from identikit.features.shards import read_manifest, read_shard
from identikit.runs.provenance import machine, versions
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.device_timer import DeviceTimer
from identikit.studies.extract.run import extract

RESULTS = Path(__file__).parent / "results" / "extract.json"
SIZE = (500, 375)  # ImageNet's usual


def make_images(folder: Path, n: int) -> None:
    """Photograph-like JPEGs (large shapes, fine grain) in ten folders."""
    generator = np.random.default_rng(0)
    for k in range(n):
        coarse = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        grain = generator.integers(0, 24, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        picture = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC)) // 2 + grain
        path = folder / f"class{k % 10}" / f"{k:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, quality=90)


def weights(name: str, place: Path) -> Path:
    """A file of random weights; `extract` takes them for trained and leaves them as they are."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(timm.create_model(name).state_dict(), place / "weights.pt")
    return place / "weights.pt"


def ours(
    name: str, images: Path, out: Path, options: argparse.Namespace, layers: tuple[str, ...] = ()
) -> float:
    """The busy share; features go to `out`."""
    config = ExtractConfig(
        model=f"timm:{name}",
        images=images,
        out=out,
        layers=layers,
        checkpoint=weights(name, images.parent),
        batch_size=options.batch_size,
        workers=options.workers,
        precision=options.precision,
        device=options.device,
    )
    return extract(config).busy


def theirs(name: str, images: Path, out: Path, options: argparse.Namespace) -> float:
    """The busy share; features go to `out`."""
    device = torch.device(options.device)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(name)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    model.reset_classifier(0)
    model = model.eval().to(device)
    data = ImageFolder(images, transform=transform)
    loader = DataLoader(data, batch_size=options.batch_size, num_workers=options.workers)
    found, busy = [], DeviceTimer(device)
    start = time.perf_counter()
    with torch.no_grad():
        for x, _ in loader:
            with busy.work():
                h = model(x.to(device))
            found.append(h.cpu())
    np.save(out, torch.cat(found).numpy())
    return busy.seconds() / (time.perf_counter() - start)


def processor_seconds() -> float:
    """Of this process and of those that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(work: Callable[[], float], n: int) -> dict[str, float]:
    wall, processor = time.perf_counter(), processor_seconds()
    busy = work()
    wall, processor = time.perf_counter() - wall, processor_seconds() - processor
    return {
        "images_per_second": n / wall,
        "images_per_processor_second": n / processor,
        "busy": busy,
    }


def model_alone(name: str, options: argparse.Namespace) -> float:
    """Images per processor second (per second on a CUDA device) of the forward pass."""
    model = load_model(f"timm:{name}", pretrained=False, seed=0)
    device = torch.device(options.device)
    model.to(device)
    x = torch.zeros(options.batch_size, *model.input_shape, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    tap, busy = model.tap(), DeviceTimer(device)
    with torch.inference_mode():
        tap(x)
        before = time.process_time()
        with busy.work():
            for _ in range(3):
                tap(x)
    seconds = time.process_time() - before if device.type == "cpu" else busy.seconds()
    return 3 * options.batch_size / seconds


def compare(name: str, images: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Medians over turns, and the largest difference of the features."""
    runs: dict[str, list[dict[str, float]]] = {"extract": [], "loop": [], "all_layers": []}
    layers = partial(ours, layers=("all",))
    with tempfile.TemporaryDirectory() as place:
        for turn in range(options.turns):
            out, loop = Path(place, f"out{turn}"), Path(place, "loop.npy")
            every = Path(place, f"layers{turn}")
            ways = (("loop", theirs, loop), ("extract", ours, out), ("all_layers", layers, every))
            for way, run, target in ways:
                work = partial(run, name, images, target, options)
                runs[way].append(measured(work, options.images))
        h = np.concatenate([read_shard(out / s.file) for s in read_manifest(out).shards])
        other = np.load(loop)
    found: dict[str, Any] = {
        way: {key: statistics.median(run[key] for run in turns) for key in turns[0]}
        for way, turns in runs.items()
    }
    for unit in ("images_per_second", "images_per_processor_second"):
        ratios = [a[unit] / b[unit] for a, b in zip(runs["extract"], runs["loop"], strict=True)]
        found[f"{unit}_over_loop"] = statistics.median(ratios)
    ratios = [
        a["images_per_processor_second"] / b["images_per_processor_second"]
        for a, b in zip(runs["extract"], runs["all_layers"], strict=True)
    ]
    found["all_layers_times_one"] = statistics.median(ratios)
    found["model_alone_images_per_processor_second"] = model_alone(name, options)
    found["largest_difference"] = float(np.abs(h - other).max() / np.abs(other).max())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet18", "test_resnet"])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "threads": torch.get_num_threads(),
        **{key: value for key, value in vars(options).items() if key not in ("models", "out")},
    }
    with tempfile.TemporaryDirectory() as place:
        images = Path(place, "images")
        make_images(images, options.images)
        for name in options.models:
            report[name] = compare(name, images, options)
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
