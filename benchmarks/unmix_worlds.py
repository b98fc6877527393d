"""Independent components of worlds whose answer is known: predicted, recovered, determined.

Five factors of each kind, mixed by a random matrix into eight dimensions; `unmix` finds components
on half of n samples. Means over seeds; "determined" is the share of components that are said to
be.

    OMP_NUM_THREADS=1 python benchmarks/unmix_worlds.py
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import identikit
from identikit.core.estimate import with_ends
from identikit.core.files import write_json

RESULTS = Path(__file__).parent / "results" / "unmix_worlds.json"
KINDS = (
    "uniform",
    "Laplace",
    "one of them Gaussian",
    "two of them Gaussian",
    "Gaussian",
    "uniform on a sphere",
    "uniform, two correlated at 0.6",
)
DIM, WIDE = 5, 8


def factors(kind: str, n: int, rng: np.random.Generator) -> Any:
    z = rng.uniform(-1, 1, size=(n, DIM))
    if kind == "Laplace":
        return rng.laplace(size=(n, DIM))
    if kind.endswith("Gaussian"):
        count = {"one": 1, "two": 2}.get(kind.split()[0], DIM)
        z[:, :count] = rng.normal(scale=3**-0.5, size=(n, count))
    if kind == "uniform on a sphere":
        z = rng.normal(size=(n, DIM))
        z /= np.linalg.norm(z, axis=1, keepdims=True)
    if "correlated" in kind:
        z[:, 1] = 0.6 * z[:, 0] + 0.8 * z[:, 1]
    return z


def row(kind: str, n: int, seeds: int) -> dict[str, Any]:
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        z = factors(kind, n, rng)
        mixing = rng.normal(size=(DIM, WIDE))
        found.append(identikit.unmix(z @ mixing, z, components=DIM, starts=3, resamples=0))
    predicted = [one.predicted for one in found]
    known = [with_ends(value) for value in predicted if value is not None]
    return {
        "world": kind,
        "samples": n,
        "predicted": np.mean(known, axis=0).round(4).tolist() if known else None,
        "mcc": round(float(np.mean([one.mcc.value for one in found if one.mcc])), 4),
        "random rotation": round(float(np.mean([one.random for one in found])), 4),
        "own axes": round(float(np.mean([one.raw.value for one in found])), 4),
        "determined": round(float(np.mean([one.determined / DIM for one in found])), 4),
        "verdicts": sorted({str(one.findings[0].verdict) for one in found}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    rows = []
    for kind in KINDS:
        for n in (400, 4000):
            rows.append(row(kind, n, options.seeds))
            print(rows[-1], flush=True)
    write_json(RESULTS, {"seeds": options.seeds, "rows": rows})


if __name__ == "__main__":
    main()
