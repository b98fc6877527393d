"""How long `identikit runs` takes for a folder of many runs, beside `identikit --version`.

    OMP_NUM_THREADS=1 python benchmarks/runs_list.py

A simulation of the shape that `identikit simulate` writes, with numbers of no meaning, is linked
many times and listed by whole commands: without the index, which is then made, and with it.
Processor time, which others on the machine lengthen less. Writes results/runs_list.json.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from identikit.core.estimate import Estimate
from identikit.core.files import write_json
from identikit.core.finding import Finding, Headline, Verdict
from identikit.runs.provenance import machine, versions
from identikit.runs.records import INDEX_FILE
from identikit.runs.registry import entry_of
from identikit.runs.store import Draft, RunStore
from identikit.studies.simulation.config import SimulationConfig

OUT = Path(__file__).parent / "results" / "runs_list.json"


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        made = _write(root)
        for k in range(options.runs - 1):
            shutil.copytree(made, root / f"{made.name[:-10]}{k:010x}", copy_function=os.link)
        first = _seconds("runs", "--root", folder)
        size = (root / INDEX_FILE).stat().st_size
        commands = {
            "--version": ("--version",),
            "runs": ("runs", "--root", folder),
            "runs --where kappa=10 --sort excess": (
                *("runs", "--root", folder, "--where", "kappa=10", "--sort", "excess_loss"),
            ),
        }
        turns = [
            {name: _seconds(*words) for name, words in commands.items()}
            for _ in range(options.repeats)
        ]
    found = {
        "runs": options.runs,
        "processor_seconds_without_index": first,
        "index_bytes": size,
        "processor_seconds": {name: median(turn[name] for turn in turns) for name in commands},
        "machine": machine(),
        **versions(),
    }
    print(found)
    write_json(options.out, found)


def _seconds(*words: str) -> float:
    """Of processor, in the command and the system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "identikit", *words], stdout=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _write(root: Path) -> Path:
    entry, config = entry_of("simulate"), SimulationConfig()
    finding = Finding(
        quantity="Latents from h",
        measure="affine R²",
        predicted=1.0,
        recovered=Estimate(0.99, 0.98, 1.0),
        explained="Recovered, within 0.02 of the 1.000 that theory predicts.",
        verdict=Verdict.AS_PREDICTED,
    )
    said = {
        "status": "completed",
        "excess_loss": 0.01,
        "headline": asdict(Headline(sentence=finding.explained, word="As predicted", tone="good")),
        "findings": [asdict(finding)] * 7,
        "measured": {f"number_{k}": 1 / (k + 7) for k in range(40)},
    }
    store = RunStore(root, command=entry.name, version=entry.version)
    with store.draft(config, label=config.label) as draft:
        assert isinstance(draft, Draft)
        origin = {"started": "2026-01-01 12:00:00+00:00"}
        draft.write(said, {"h": np.zeros((64, 3))}, provenance=origin)
        return draft.publish().path


if __name__ == "__main__":
    main()
