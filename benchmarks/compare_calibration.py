"""How often do the 95 % intervals of `compare` hold the truth?

Two sets of features that share factors, drawn again and again. All scores are functions of means
and covariances, which are known here, so the truth of every fitted map and direction is exact:
the score it would get on the whole population, whatever the distribution. For CKA, which fits
nothing, it is that of the covariances. Results go to benchmarks/results/compare_calibration.json.

    OMP_NUM_THREADS=1 python benchmarks/compare_calibration.py
"""

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from identikit.core.files import write_json
from identikit.core.randomness import stream
from identikit.runs.provenance import machine, versions
from identikit.similarity.paired import PairedRows, PairMoments, match_rows
from identikit.similarity.resampling import Fit, Sums, resampled
from identikit.similarity.scores import Pair, Products, whole_space
from identikit.statistics.split import group_folds, random_split

RESULTS = Path(__file__).parent / "results" / "compare_calibration.json"
LARGE = 10**9
"""Rows of what stands for the population."""
P, Q, SHARED, GROUP = 8, 6, 4, 10
CASES = ("normal", "heavy tails", "unrelated", "more dimensions than rows", "groups of ten")


def normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def laplace(*shape: int, generator: torch.Generator) -> Tensor:
    """Of unit variance; fourth moment 6 where the normal one's is 3."""
    u = torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5
    return -u.sign() * (1 - 2 * u.abs()).log() / 2**0.5


def mixing(case: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """From factors and from noise to each set of features."""
    wide = 25 if case == "more dimensions than rows" else 1
    fixed = torch.Generator().manual_seed(1)
    a, b = normal(SHARED, P * wide, generator=fixed), normal(SHARED, Q * wide, generator=fixed)
    if case == "unrelated":
        b = torch.zeros_like(b)
    noise = [torch.diag(torch.linspace(0.5, 2, m.shape[1]).double()) for m in (a, b)]
    return a, b, *noise


def draw(case: str, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Features of both and the group of each row."""
    to_a, to_b, noise_a, noise_b = mixing(case)
    source = laplace if case == "heavy tails" else normal
    group = torch.arange(n) // (GROUP if case == "groups of ten" else 1)
    z = source(n, SHARED, generator=generator)
    if case == "groups of ten":  # half of each factor's variance lies between groups
        z = (z + source(n // GROUP, SHARED, generator=generator)[group]) / 2**0.5
    a = z @ to_a + source(n, to_a.shape[1], generator=generator) @ noise_a
    return a, z @ to_b + source(n, to_b.shape[1], generator=generator) @ noise_b, group


def population(case: str) -> Pair:
    to_a, to_b, noise_a, noise_b = mixing(case)
    return Pair(
        n=LARGE,
        mean_a=to_a.new_zeros(to_a.shape[1]),
        mean_b=to_b.new_zeros(to_b.shape[1]),
        aa=LARGE * (to_a.T @ to_a + noise_a.square()),
        ab=LARGE * (to_a.T @ to_b),
        bb=LARGE * (to_b.T @ to_b + noise_b.square()),
    )


def one(case: str, n: int, seed: int, everyone: Pair, resamples: int) -> dict[str, Any]:
    """For each score, its truth and its estimate."""
    a, b, group = draw(case, n, torch.Generator().manual_seed(seed))
    matched = match_rows(n, n)
    rows = PairedRows(
        a=a, b=b, rows_a=matched.a, rows_b=matched.b, eps=(1e-16, 1e-16), basis=(None, None)
    )
    split = random_split(group, train_share=0.5, generator=stream(seed, "split"))
    folds = group_folds(group[split.train], n_folds=5, generator=stream(seed, "folds"))
    moments = PairMoments.of(rows, split=split, folds=folds)
    x = whole_space(moments.train.alone(eps=1e-16))
    y = whole_space(moments.train.turned().alone(eps=1e-16))
    penalty = 0.1 if n < a.shape[1] else 0.0
    fit = Fit.of(moments, x, y, penalties=(penalty, penalty))
    sums = Sums.of(rows, moments, [fit], split=split, group=group, seed=seed)
    (found,) = resampled(sums, moments, [fit], resamples=resamples, seed=seed)
    truth = fit.values(
        replace(moments, test=everyone, total=everyone), Products(aa=0.0, ab=0.0, bb=0.0)
    )
    return {name: (truth[name], found[name]) for name in truth if name != "cka_biased"}


def coverage(case: str, n: int, *, cases: int, resamples: int) -> list[dict[str, Any]]:
    """Share of intervals that hold the truth, mean width, and mean truth and value."""
    everyone = population(case)
    found = [one(case, n, seed, everyone, resamples) for seed in range(cases)]
    rows = []
    for name in found[0]:
        pairs = [case_[name] for case_ in found]
        held = [e.low <= truth <= e.high for truth, e in pairs]
        rows.append(
            {
                "case": case,
                "rows": n,
                "score": name,
                "coverage": sum(held) / cases,
                "mean_width": sum(e.high - e.low for _, e in pairs) / cases,
                "mean_truth": sum(truth for truth, _ in pairs) / cases,
                "mean_value": sum(e.value for _, e in pairs) / cases,
            }
        )
        print(case, n, name, {k: round(v, 4) for k, v in list(rows[-1].items())[3:]}, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 400, 2000])
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    rows: list[dict[str, Any]] = []
    for case in CASES:
        for n in options.rows if case != "more dimensions than rows" else [200]:
            rows += coverage(case, n, cases=options.cases, resamples=options.resamples)
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "cases": options.cases,
        "resamples": options.resamples,
        "nominal": 0.95,
        "standard_error": math.sqrt(0.95 * 0.05 / options.cases),
        "cpu_seconds": round(time.process_time() - start, 1),
        "machine": machine(),
        "versions": versions(),
        "results": rows,
    }
    write_json(RESULTS, report)


if __name__ == "__main__":
    main()
