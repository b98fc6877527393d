"""Comparing two sets of features, against the usual script with n x n Gram matrices.

The script centres the columns, makes K = A A' and L = B B' in float32, takes out their
diagonals and computes the unbiased CKA (Song et al. 2012) by their sums: what people write, without
temporary copies. Ours needs no n x n matrix, and the same two passes also give every other score
with its interval. Seconds are of processor time on one thread; every method runs in a process of
its own, so that memory is its own.

    OMP_NUM_THREADS=1 python benchmarks/compare_models.py
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions
from identikit.similarity.compare import compare
from memory import peak_mib

RESULTS = Path(__file__).parent / "results" / "compare_models.json"


def data(n: int, d: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets that share half of their directions, float32."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(0, -1, d // 2)
    z = torch.randn(n, d // 2, generator=generator) * scale
    found = []
    for _ in range(2):
        h = z @ torch.randn(d // 2, d, generator=generator) / d**0.5
        found.append(h + 0.1 * torch.randn(n, d, generator=generator) + 1)
    return found[0], found[1]


def hsic(k: NDArray[Any], l: NDArray[Any]) -> float:  # noqa: E741
    """Unbiased, of matrices without their diagonals."""
    n = len(k)
    sums = k.sum(0) @ l.sum(0)
    whole = k.sum() * l.sum() / ((n - 1) * (n - 2))
    return float((np.vdot(k, l) + whole - 2 * sums / (n - 2)) / (n * (n - 3)))


def script(a: NDArray[Any], b: NDArray[Any]) -> dict[str, float]:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    k, l = a @ a.T, b @ b.T  # noqa: E741
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    return {"cka": hsic(k, l) / (hsic(k, k) * hsic(l, l)) ** 0.5}


def ours(a: torch.Tensor, b: torch.Tensor, *, shuffles: int) -> dict[str, float]:
    (whole,) = compare(a, b, shuffles=shuffles).spaces
    return {score.measure: score.estimate.value for score in whole.scores}


def measure(method: str, n: int, d: int) -> dict[str, Any]:
    """Seconds and memory above that of the features."""
    torch.set_num_threads(1)
    a, b = data(n, d)
    before, start = peak_mib(), time.process_time()
    if method == "script":
        values = script(a.numpy(), b.numpy())
    else:
        values = ours(a, b, shuffles=5 if method == "ours with chance levels" else 0)
    seconds = time.process_time() - start
    return {"seconds": seconds, "peak_mib_above_features": peak_mib() - before, "values": values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--method")
    options = parser.parse_args()
    if options.method:
        print(json.dumps(measure(options.method, options.rows, options.columns)))
        return
    found: dict[str, Any] = {}
    for method in ("script", "ours", "ours with chance levels"):
        command = [sys.executable, __file__, "--method", method]
        command += ["--rows", str(options.rows), "--columns", str(options.columns)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[method] = json.loads(done.stdout)
        print(method, {k: v for k, v in found[method].items() if k != "values"}, flush=True)
    memory, mine, theirs = "peak_mib_above_features", found["ours"], found["script"]
    report = {
        "rows": options.rows,
        "columns": options.columns,
        "times_slower": theirs["seconds"] / mine["seconds"],
        "times_more_memory": theirs[memory] / mine[memory],
        "difference_of_cka": abs(theirs["values"]["cka"] - mine["values"]["cka"]),
        "methods": found,
        "machine": machine(),
        "versions": versions(),
    }
    write_json(RESULTS, report)


if __name__ == "__main__":
    main()
