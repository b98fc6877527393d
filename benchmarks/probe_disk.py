"""What probing features on disk costs, against the obvious scikit-learn script on the same file.

A float16 .npy with factors in a CSV table beside it. Ours is `identikit probe` without its page:
half of the rows to fit on, half to score, least squares or ridge by five folds, intervals and
p-values. Theirs loads the array, splits it, and takes `RidgeCV` (19 penalties, five folds) for R²
of each factor. Each in a process of its own, on one thread; memory is the peak of what is resident
(the kernel's VmHWM), less what was there after the imports.

    OMP_NUM_THREADS=1 python benchmarks/probe_disk.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions
from memory import peak_mib

RESULTS = Path(__file__).parent / "results" / "probe_disk.json"
BLOCK = 8192


def write_data(folder: Path, *, rows: int, columns: int, factors: int, levels: int) -> None:
    """Correlated features, and factors that they hold to different degrees."""
    generator = np.random.default_rng(0)
    h = np.lib.format.open_memmap(
        folder / "h.npy", mode="w+", dtype=np.float16, shape=(rows, columns)
    )
    scale = np.logspace(0, -1.5, columns)
    maps = generator.normal(size=(columns, factors)) / columns**0.5
    z = np.empty((rows, factors))
    for start in range(0, rows, BLOCK):
        block = generator.normal(size=(min(BLOCK, rows - start), columns)) * scale + 0.5
        h[start : start + BLOCK] = block
        z[start : start + BLOCK] = block @ maps
    z += generator.normal(size=z.shape) * z.std(axis=0) * np.linspace(0.1, 3, factors)
    h.flush()
    frame = pd.DataFrame({f"z{j}": z[:, j] for j in range(factors)})
    if levels:
        frame["class"] = [f"c{c}" for c in pd.qcut(frame["z0"], levels, labels=False)]
    frame.to_csv(folder / "z.csv", index=False)


def ours(folder: Path) -> dict[str, float]:
    from identikit.studies.probe.config import ProbeConfig
    from identikit.studies.probe.run import probe

    config = ProbeConfig(features=(folder / "h.npy",), factors=folder / "z.csv")
    return measured(lambda: {s.name: s.estimate.value for s in probe(config).recovery.factors})


def theirs(folder: Path) -> dict[str, float]:
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.model_selection import train_test_split

    def script() -> dict[str, float]:
        h, z = np.load(folder / "h.npy"), pd.read_csv(folder / "z.csv")
        z = z.select_dtypes("number")
        h_train, h_test, z_train, z_test = train_test_split(h, z, test_size=0.5, random_state=0)
        model = RidgeCV(alphas=np.logspace(-3, 6, 19), cv=5).fit(h_train, z_train)
        found = r2_score(z_test, model.predict(h_test), multioutput="raw_values")
        return dict(zip(z.columns, found.tolist(), strict=True))

    return measured(script)


def measured(work: Callable[[], dict[str, float]]) -> dict[str, Any]:
    before = peak_mib()
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "mib_before": before,
        "peak_mib": peak_mib(),
        "held_mib": peak_mib() - before,
        "scores": found,
    }


def alone(side: str, folder: Path) -> dict[str, Any]:
    """In a process of its own, so that nothing else counts as memory."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--factors", type=int, default=8)
    parser.add_argument("--levels", type=int, default=0)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--side", choices=("ours", "theirs"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.side:
        print(json.dumps({"ours": ours, "theirs": theirs}[options.side](options.folder)))
        return
    shape = {name: getattr(options, name) for name in ("rows", "columns", "factors", "levels")}
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), **shape)
        sides = ("ours",) if options.ours_only else ("ours", "theirs")
        found = {side: alone(side, Path(folder)) for side in sides}
        size = (Path(folder) / "h.npy").stat().st_size / 2**20
    report = {"machine": machine(), "threads": 1, "versions": versions(), "file_mib": size}
    report |= shape | {"targets_mib": shape["rows"] * shape["factors"] * 8 / 2**20} | found
    if not options.ours_only:
        for name in ("cpu_s", "held_mib"):
            report[f"times_{name}"] = found["theirs"][name] / found["ours"][name]
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
