"""Unmixing 100,000 x 512 features into 64 components or codes, beside scikit-learn's on the same.

**Components.** 64 independent factors, half Laplace and half uniform, mixed into 512 dimensions
with noise of 1 % of their variance. FastICA(64) as it comes (whitening by SVD), and with whitening
by eigenvectors, is fitted on all rows; `unmix` on half of them, or on 98 of 100 (`most`, and
FastICA on the same), but with five starts, twenty resamples, and everything scored on the others.
The objective is the contrast over all rows, the more the better.

**Codes.** 64 factors, each above 0 in one row of ten, in 512 dimensions with the same noise, to 64
atoms: `unmix` with five starts and a code for each row, beside one pass of
MiniBatchDictionaryLearning over all rows without a code for any. The objective is |x - y D|²/2 + t
|y|_1 over all rows, mean, with codes solved for by the same solver; the less the better.

Seconds are wall and processor time, memory is the peak above that of the features; every method
runs in a process of its own. MCC is the mean |r| of factors with their components, assigned.

    OMP_NUM_THREADS=1 python benchmarks/unmix.py
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
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import FastICA, MiniBatchDictionaryLearning

from identikit.core.files import write_json
from identikit.core.randomness import stream
from identikit.runs.provenance import machine, versions
from identikit.statistics.split import random_split
from identikit.unmixing.ica import contrast
from identikit.unmixing.sparse import LEARNING, SOLVING, encoded
from identikit.unmixing.unmix import unmix
from memory import peak_mib

RESULTS = Path(__file__).parent / "results" / "unmix.json"
MOST = 0.98
SPARSE = ("unmix-codes", "dictionary")
METHODS = (
    *("unmix", "unmix-most", "fastica", "fastica-eigh", "fastica-most"),
    *(["picard"] if find_spec("picard") else []),
    *SPARSE,
)
"""The one of python-picard where that is installed."""


def data(n: int, d: int, k: int, *, sparse: bool) -> tuple[Any, Any]:
    """Features in float32, and the factors."""
    rng = np.random.default_rng(0)
    if sparse:
        z = (rng.random((n, k)) < 0.1) * rng.uniform(0.5, 1.5, size=(n, k))
    else:
        halves = rng.laplace(size=(n, k // 2)), rng.uniform(-1, 1, size=(n, k - k // 2))
        z = np.concatenate(halves, axis=1)
    z /= z.std(axis=0)
    h = (z @ rng.normal(size=(k, d))).astype(np.float32)
    return h + (0.1 * k**0.5 * rng.normal(size=(n, d))).astype(np.float32), z


def components(method: str, h: Any, k: int) -> Any:
    if method.startswith("unmix"):
        share = MOST if method == "unmix-most" else 0.5
        return unmix(h, components=k, train_share=share).components_of(h)
    if method == "picard":
        found = import_module("picard").picard(
            h.T.astype(float), n_components=k, ortho=True, extended=True, random_state=0
        )
        return found[2].T
    solver = "svd" if method == "fastica" else "eigh"
    fitted = h
    if method == "fastica-most":
        split = random_split(torch.arange(len(h)), train_share=MOST, generator=stream(0, "split"))
        fitted = h[split.train.numpy()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = FastICA(k, whiten="unit-variance", whiten_solver=solver, random_state=0)
        return model.fit(fitted).transform(h)


def atoms(method: str, h: Any, k: int, penalty: float) -> Any:
    if method == "unmix-codes":
        found = unmix(h, components=k, codes=k)
        found.components_of(h)
        return np.array(found.weights).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MiniBatchDictionaryLearning(
            k,
            alpha=penalty,
            fit_algorithm="cd",
            positive_code=True,
            batch_size=256,
            max_iter=1,
            random_state=0,
        ).fit(h)
    return model.components_ / np.linalg.norm(model.components_, axis=1, keepdims=True)


def measured(method: str, folder: Path) -> dict[str, float]:
    sparse = method in SPARSE
    h, z = (np.load(folder / f"{name}-{sparse}.npy") for name in "hz")
    n, k = z.shape
    penalty = LEARNING * float(np.linalg.norm(h)) / n**0.5
    before, start, used = peak_mib(), time.perf_counter(), time.process_time()
    y = atoms(method, h, k, penalty) if sparse else components(method, h, k)
    found = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - used}
    found["mib"] = peak_mib() - before
    if sparse:
        D, x = torch.from_numpy(y).double(), torch.from_numpy(h).double()
        codes = encoded(x, D, penalty=penalty)
        found["loss"] = ((x - codes @ D).square().sum() / 2 + penalty * codes.sum()).item() / n
        y = encoded(x, D, penalty=penalty * SOLVING / LEARNING).numpy()
    r = np.abs(np.corrcoef(y.T, z.T)[:k, k:])
    rows, columns = linear_sum_assignment(r, maximize=True)
    found["mcc"] = r[rows, columns].mean()
    if not sparse:
        unit = (y - y.mean(axis=0)) / y.std(axis=0)
        found["contrast"] = contrast(torch.from_numpy(unit)).sum().item()
    return {name: round(float(value), 6) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", nargs=2, metavar=("METHOD", "FOLDER"))
    parser.add_argument("--size", type=int, nargs=3, default=(100_000, 512, 64))
    options = parser.parse_args()
    if options.method:
        print(json.dumps(measured(options.method[0], Path(options.method[1]))))
        return
    results = {}
    with TemporaryDirectory() as folder:
        for sparse in (False, True):
            for name, values in zip("hz", data(*options.size, sparse=sparse), strict=True):
                np.save(Path(folder) / f"{name}-{sparse}.npy", values)
        for method in METHODS:
            words = [sys.executable, __file__, "--method", method, folder]
            said = subprocess.run(words, capture_output=True, text=True, check=True)
            results[method] = json.loads(said.stdout)
            print(method, results[method], flush=True)
    if tuple(options.size) == (100_000, 512, 64):
        write_json(RESULTS, {"machine": machine(), "versions": versions(), "results": results})


if __name__ == "__main__":
    main()
