"""Images per second in shuffled batches, and resident memory: our loader beside others'.

OMP_NUM_THREADS=1 python benchmarks/loaders.py --folder /tmp/loaders [--disent FOLDER]

Writes a file of 48,000 images in the format of 3dshapes.h5 (a tenth of it: 64 x 64 x 3, gzipped)
and one of 46,080 in that of dSprites, then gives one shuffled epoch in batches of 4,096 by each
loader in a process of its own: as float32 from 0 to 1, or as bytes where it says uint8. `own_mib`
is memory that only this process has (the peak while batches come); `peak_mib` counts pages of
mapped files too, which the system takes back when it needs them. `--disent` is where disent 0.8
was unpacked.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from identikit.core.files import write_json
from identikit.worlds.grids import registry
from identikit.worlds.grids.data_set import DataSet
from identikit.worlds.grids.dsprites import DSPRITES
from identikit.worlds.grids.grid import Grid
from identikit.worlds.grids.shapes3d import SHAPES3D

RESULTS = Path(__file__).parent / "results" / "loaders.json"
BATCH = 4096
SIZES = {"shapes3d": (10, 10, 10, 8, 2, 3), "dsprites": (3, 6, 40, 8, 8)}
LOADERS = (
    *("identikit", "identikit uint8", "TensorDataset uint8", "TensorDataset float32"),
    *("TensorDataset float64", "disent", "disent in RAM"),
)


def cut(data: DataSet) -> DataSet:
    """The set with the first levels of each factor only."""
    axes = (
        replace(axis, values=axis.values[:size], levels=axis.levels[:size])
        for axis, size in zip(data.grid.axes, SIZES[data.name], strict=True)
    )
    return replace(data, grid=Grid(tuple(axes)))


CUT = {data.name: cut(data) for data in (SHAPES3D, DSPRITES)}


def write_original(name: str, folder: Path) -> Path:
    """A file in the original format; flat patches, so that it compresses as the original does."""
    data, rng = CUT[name], np.random.default_rng(0)
    path = folder / data.originals[0].name
    if path.exists():
        return path
    n, indices = data.grid.size, data.grid.indices(torch.arange(data.grid.size))
    if name == "dsprites":
        images = rng.integers(0, 2, (n, 8, 8), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        classes = np.column_stack([np.zeros(n, np.int64), indices.numpy()])
        np.savez_compressed(path, imgs=images, latents_classes=classes)
        return path
    labels = [a.values[i] for a, i in zip(data.grid.axes, indices.T, strict=True)]
    with h5py.File(path, "w") as file:
        file["labels"] = torch.stack(labels, dim=1).numpy()
        kept = {"chunks": (100, 64, 64, 3), "compression": "gzip", "dtype": "u1"}
        images = file.create_dataset("images", (n, 64, 64, 3), **kept)
        for start in range(0, n, 4000):
            block = rng.integers(0, 256, (4000, 8, 8, 3), dtype=np.uint8)
            images[start : start + 4000] = block.repeat(8, 1).repeat(8, 2)
    return path


def ours(name: str, path: Path, *, as_float: bool) -> Iterator[Tensor]:
    """Mapped bytes, made float batch by batch if that is asked for."""
    registry.DATA_SETS[name] = CUT[name]
    grid = registry.load_grid(name, path)
    yield torch.empty(0)
    for rows in torch.randperm(grid.grid.size).split(BATCH):
        images = grid.images(rows)
        yield images.float().div_(255) if as_float else images


def tensors(name: str, path: Path, dtype: torch.dtype) -> Iterator[Tensor]:
    """All images as numbers in memory."""
    if name == "dsprites":
        with np.load(path) as archive:
            images = torch.from_numpy(archive["imgs"])[..., None]
    else:
        with h5py.File(path) as file:
            images = torch.from_numpy(file["images"][:])
    numbers = images.permute(0, 3, 1, 2).to(dtype, memory_format=torch.contiguous_format)
    if dtype.is_floating_point:
        numbers.div_(1 if name == "dsprites" else 255)
    del images
    yield torch.empty(0)
    for (batch,) in DataLoader(TensorDataset(numbers), batch_size=BATCH, shuffle=True):
        yield batch.float() if dtype == torch.float64 else batch


def disent(path: Path, *, in_memory: bool) -> Iterator[Tensor]:
    """Shapes3D as disent reads it, from the file that it prepares."""
    from disent.dataset.data import Shapes3dData

    class Cut(Shapes3dData):
        factor_sizes = SIZES["shapes3d"]

    def image(pixels: np.ndarray) -> Tensor:  # disent's own transform needs lightning for nothing
        return torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255)

    prepared = path.parent / "disent" / Cut.name
    prepared.mkdir(parents=True, exist_ok=True)
    if not (prepared / Cut.datafile.out_name).exists():
        Cut.datafile._generate(str(path), str(prepared / Cut.datafile.out_name))
    data = Cut(str(path.parent / "disent"), in_memory=in_memory, transform=image)
    yield torch.empty(0)
    yield from DataLoader(data, batch_size=BATCH, shuffle=True)


def resident_mib(kind: str) -> float:
    """Resident memory of this process, as the kernel counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(s for s in lines if s.startswith(kind)).split()[1]) / 2**10, 1)


def measure(loader: str, name: str, path: Path) -> dict[str, float]:
    """Seconds until the first batch can be asked for, images a second, and memory."""
    torch.set_num_threads(1)
    before, started = resident_mib("RssAnon"), time.perf_counter()
    if loader.startswith("identikit"):
        batches = ours(name, path, as_float="uint8" not in loader)
    elif loader.startswith("TensorDataset"):
        batches = tensors(name, path, getattr(torch, loader.split()[1]))
    else:
        batches = disent(path, in_memory=loader.endswith("RAM"))
    next(batches)
    ready = time.perf_counter() - started
    seen, own, cpu, wall = 0, 0.0, time.process_time(), time.perf_counter()
    for batch in batches:
        seen, own = seen + len(batch), max(own, resident_mib("RssAnon") - before)
    assert seen == CUT[name].grid.size
    return {
        "seconds_to_first": round(ready, 2),
        "images_per_cpu_second": round(seen / (time.process_time() - cpu)),
        "images_per_second": round(seen / (time.perf_counter() - wall)),
        "own_mib": round(own, 1),
        "peak_mib": resident_mib("VmHWM"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--disent", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("LOADER", "SET"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.disent:
        sys.path.insert(0, str(options.disent))
    if options.one:
        path = write_original(options.one[1], options.folder)
        print(json.dumps(measure(*options.one, path)))
        return
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in SIZES:
        write_original(name, options.folder)
        of_set = results.setdefault(name, {})
        for loader in ("identikit first time", *LOADERS):
            if loader.startswith("disent") and (name == "dsprites" or not options.disent):
                continue
            one = ["--one", loader.removesuffix(" first time"), name]
            command = [sys.executable, *sys.argv, *one]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            of_set[loader] = json.loads(done.stdout.splitlines()[-1])
            print(name, loader, of_set[loader], flush=True)
    write_json(RESULTS, results)


if __name__ == "__main__":
    main()
