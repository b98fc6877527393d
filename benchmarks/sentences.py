"""`identikit extract --sentences` at every level against the script that people write.

The script: the tokenizer pads a batch, the model is called with `output_hidden_states` under
`no_grad`, and the last token's row by the mask is kept of each hidden state, all saved at the end
in one file. Both run in turns in one process, on sentences and batches that are the same, with a
model that is loaded before; they must give the same features. What extraction does beyond the
script (its dry run, digests of the weights, the second look at each shard) is in its time.

    OMP_NUM_THREADS=2 python benchmarks/sentences.py hf:FOLDER sentences.csv
"""

import argparse
import resource
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

from identikit.core.files import write_json
from identikit.encoders.adapters.hub_huggingface import HuggingFace
from identikit.encoders.adapters.source import Built
from identikit.features.layer_list import layer_folders
from identikit.features.shards import read_manifest, read_shard
from identikit.runs.provenance import machine, versions
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.run import extract

RESULTS = Path(__file__).parent / "results" / "sentences.json"
BATCH = 32


def ours(name: str, table: Path, out: Path) -> None:
    """Every level in its folder."""
    extract(
        ExtractConfig(
            model=name,
            sentences=table,
            out=out,
            layers=("all",),
            pool="last",
            batch_size=BATCH,
            device="cpu",
        )
    )


def script(built: Built, table: Path, out: Path) -> None:
    """Every hidden state in one file."""
    network: Any = built.network.eval()
    tokenizer: Any = built.transform.tokenizer  # type: ignore[attr-defined]
    tokenizer.padding_side = "right"
    texts = pd.read_csv(table).text.tolist()
    found = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(texts[start : start + BATCH], padding=True, return_tensors="pt")
        with torch.no_grad():
            states = network(**batch, output_hidden_states=True).hidden_states
        last = batch["attention_mask"].sum(1) - 1
        found.append(torch.stack([state[torch.arange(len(last)), last] for state in states]))
    out.mkdir()
    np.save(out / "levels.npy", torch.cat(found, dim=1).numpy())


def seconds(work: Callable[[], None]) -> float:
    """Of processor time."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def levels(out: Path) -> np.ndarray[Any, Any]:
    """(levels, n, d), as extraction wrote them."""
    folders = (layer_folders(out) or {}).values()
    return np.stack(
        [
            np.concatenate([read_shard(folder / s.file) for s in read_manifest(folder).shards])
            for folder in folders
        ]
    )


def main() -> None:
    """Time both in turns and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("table", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    built = HuggingFace(options.model.partition(":")[2]).build(pretrained=True)
    times: dict[str, list[float]] = {"extract": [], "script": []}
    with (
        tempfile.TemporaryDirectory() as place,
        patch.object(HuggingFace, "build", return_value=built),  # loading is not timed
    ):
        for _ in range(options.turns):
            one, other = Path(place) / "extract", Path(place) / "script"
            for folder in (one, other):
                shutil.rmtree(folder, ignore_errors=True)
            times["script"].append(seconds(lambda: script(built, options.table, other)))  # noqa: B023
            times["extract"].append(seconds(lambda: ours(options.model, options.table, one)))  # noqa: B023
        mine, theirs = levels(one), np.load(other / "levels.npy")
    largest = float(np.abs(mine - theirs).max() / np.abs(theirs).max())
    found = {
        "model": options.model.rpartition("/")[2],
        "levels": len(mine),
        "sentences": mine.shape[1],
        "processor seconds": {name: statistics.median(values) for name, values in times.items()},
        "ratio": statistics.median(
            a / b for a, b in zip(times["extract"], times["script"], strict=True)
        ),
        "largest difference": largest,
    }
    print(found)
    write_json(RESULTS, {**found, "machine": machine(), "versions": versions()})


if __name__ == "__main__":
    main()
