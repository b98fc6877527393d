"""All layers of a network over a folder of images: `identikit extract`, a script, one forward pass.

    PYTHONPATH=docs/gallery OMP_NUM_THREADS=2 python benchmarks/all_layers.py lite:lite0 PHOTOGRAPHS

forward  a DataLoader and the network under `no_grad`: what no way of reading layers can beat
script   what people write: the same with a forward hook on each layer that averages over space,
         and everything saved at the end
extract  `identikit extract --layers`, with its dry run, digests and second look at each shard

They take turns in one process, on the same images in the same batches, with as many processes that
load them; script and extract must give the same features. Ratios are of processor time, those
processes among it; medians over turns.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from identikit.core.files import write_json
from identikit.encoders.adapters import load_model
from identikit.features.layer_list import layer_folders
from identikit.features.shards import read_manifest, read_shard
from identikit.runs.provenance import machine, versions
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.run import extract

RESULTS = Path(__file__).parent / "results" / "all_layers.json"
BATCH = 32


class Photographs(Dataset[Tensor]):
    """The images of a folder in the order of their names."""

    def __init__(self, folder: Path, transform: Callable[[Any], Tensor]) -> None:
        self.files, self.transform = sorted(folder.iterdir()), transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.files[index]) as image:
            return self.transform(image.convert("RGB"))


def forward(name: str, folder: Path, workers: int, layers: list[str]) -> dict[str, Tensor]:
    """Means over space of the layers that are named, by hooks."""
    model = load_model(name, pretrained=True, seed=0)
    network: nn.Module = model.network.eval()
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for layer in layers:

        def keep(_: nn.Module, __: Any, y: Tensor, into: list[Tensor] = found[layer]) -> None:
            into.append(y.mean(dim=(2, 3)))

        network.get_submodule(layer).register_forward_hook(keep)
    data = Photographs(folder, model.transform)
    with torch.no_grad():
        for x in DataLoader(data, batch_size=BATCH, num_workers=workers):
            network(x)
    return {layer: torch.cat(parts) for layer, parts in found.items()}


def seconds(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Of processor time, of this process and those that it has waited for; of the clock."""

    def used() -> float:
        whos = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, whos))

    before, clock = used(), time.perf_counter()
    found = work()
    return used() - before, time.perf_counter() - clock, found


def read(out: Path, layer: str) -> Tensor:
    """What extraction wrote of a layer."""
    folder = (layer_folders(out) or {})[layer]
    shards = [read_shard(folder / shard.file) for shard in read_manifest(folder).shards]
    return torch.from_numpy(np.concatenate(shards))


def main() -> None:
    """Time the three in turns and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("images", type=Path)
    parser.add_argument("--layers", nargs="+", default=["_conv_stem", "_blocks.*", "_conv_head"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    sys.path.insert(0, os.getcwd())
    name, images, workers = options.model, options.images, options.workers
    times: dict[str, list[tuple[float, float]]] = {"forward": [], "script": [], "extract": []}
    for _ in range(options.turns):
        with tempfile.TemporaryDirectory() as place:
            out = Path(place, "features")
            config = ExtractConfig(
                model=name,
                images=images,
                out=out,
                layers=tuple(options.layers),
                batch_size=BATCH,
                workers=workers,
                device="cpu",
            )
            *extracted, found = seconds(lambda: extract(config))  # noqa: B023
            layers = [layer.name for layer in found.layers]

            def script() -> dict[str, Tensor]:
                states = forward(name, images, workers, layers)  # noqa: B023
                torch.save(states, Path(place, "states.pt"))
                return states

            *scripted, states = seconds(script)
            *plain, _ = seconds(lambda: forward(name, images, workers, []))
            for way, spent in (("forward", plain), ("script", scripted), ("extract", extracted)):
                times[way].append((spent[0], spent[1]))
            apart = max(
                float((read(out, layer) - states[layer]).abs().max() / states[layer].abs().max())
                for layer in layers
            )
    report = {
        "model": name,
        "layers": len(layers),
        "images": found.n,
        "threads": torch.get_num_threads(),
        "workers": workers,
        "turns": options.turns,
        **{
            f"{way}_{unit}_s": statistics.median(turn[k] for turn in turns)
            for way, turns in times.items()
            for k, unit in enumerate(("processor", "clock"))
        },
        **{
            f"{way}_times_forward": statistics.median(
                one[0] / plain[0] for one, plain in zip(times[way], times["forward"], strict=True)
            )
            for way in ("script", "extract")
        },
        "largest_difference": apart,
        "machine": machine(),
        "versions": versions(),
    }
    write_json(RESULTS, report)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
