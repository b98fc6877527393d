"""Unmixing 100,000 x 512 features into 64 components, beside scikit-learn's FastICA on the same.

64 independent factors, half Laplace and half uniform, mixed into 512 dimensions with noise of 1 %
of their variance. FastICA(64) as it comes (whitening by SVD), and with whitening by eigenvectors,
is fitted on all rows; `unmix` on half of them, but with five starts, twenty resamples, and
everything scored on the other half. Seconds are wall and processor time, memory is the peak above
that of the features; every method runs in a process of its own. MCC is the mean |r| of factors
with their components, assigned.

    OMP_NUM_THREADS=2 python benchmarks/unmix.py
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import FastICA

from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions
from identikit.unmixing.ica import contrast
from identikit.unmixing.unmix import unmix
from memory import peak_mib

RESULTS = Path(__file__).parent / "results" / "unmix.json"
METHODS = ("unmix", "fastica", "fastica-eigh", *(["picard"] if find_spec("picard") else []))
"""The last one, of python-picard, where that is installed."""


def data(n: int, d: int, k: int) -> tuple[Any, Any]:
    """Features in float32, and the factors."""
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.laplace(size=(n, k // 2)), rng.uniform(-1, 1, size=(n, k - k // 2))], 1)
    z /= z.std(axis=0)
    h = (z @ rng.normal(size=(k, d))).astype(np.float32)
    return h + (0.1 * k**0.5 * rng.normal(size=(n, d))).astype(np.float32), z


def components(method: str, h: Any, k: int) -> Any:
    if method == "unmix":
        return unmix(h, components=k).components_of(h)
    if method == "picard":
        found = import_module("picard").picard(
            h.T.astype(float), n_components=k, ortho=True, extended=True, random_state=0
        )
        return found[2].T
    solver = "eigh" if method == "fastica-eigh" else "svd"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = FastICA(k, whiten="unit-variance", whiten_solver=solver, random_state=0)
        return model.fit_transform(h)


def measured(method: str, n: int, d: int, k: int) -> dict[str, float]:
    h, z = data(n, d, k)
    before, start, used = peak_mib(), time.perf_counter(), time.process_time()
    y = components(method, h, k)
    found = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - used}
    found["mib"] = peak_mib() - before
    r = np.abs(np.corrcoef(y.T, z.T)[:k, k:])
    rows, columns = linear_sum_assignment(r, maximize=True)
    found["mcc"] = r[rows, columns].mean()
    unit = (y - y.mean(axis=0)) / y.std(axis=0)
    found["contrast"] = contrast(torch.from_numpy(unit)).sum().item()
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--size", type=int, nargs=3, default=(100_000, 512, 64))
    options = parser.parse_args()
    if options.method:
        print(json.dumps(measured(options.method, *options.size)))
        return
    results = {}
    for method in METHODS:
        size = map(str, options.size)
        words = [sys.executable, __file__, "--method", method, "--size", *size]
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        results[method] = json.loads(said.stdout)
        print(method, results[method], flush=True)
    if tuple(options.size) == (100_000, 512, 64):
        write_json(RESULTS, {"machine": machine(), "versions": versions(), "results": results})


if __name__ == "__main__":
    main()
