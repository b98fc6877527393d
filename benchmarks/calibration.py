"""How often do the 95 % intervals of `score` hold the truth?

The truth is the score that the fitted map gets on the population, which is known here: a
fixed linear probe, held-out parts drawn again and again. Each row is one score and one size of
the held-out part; results go to benchmarks/results/calibration.json.

    python benchmarks/calibration.py
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from identikit import score
from identikit.core.estimate import Estimate
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Resampled, Statistic
from identikit.statistics.intervals import SCORE, caveat, of_auc, of_balanced_accuracy

POPULATION = 1_000_000
RESULTS = Path(__file__).parent / "results" / "calibration.json"


@dataclass(frozen=True)
class Drawn:
    """A score of some points, and its interval."""

    statistic: Statistic
    interval: Callable[[Bootstrap], tuple[Estimate, int]]
    """With the effective number of samples."""
    truth: float | None = None
    """Of the population, where it need not be drawn."""


Draw = Callable[[int, torch.Generator], Drawn]


def plain(statistic: Statistic) -> Drawn:
    return Drawn(statistic, lambda bootstrap: told(bootstrap.resampled(statistic)))


def told(resampled: Resampled) -> tuple[Estimate, int]:
    return resampled.estimates()[0], int(resampled.samples)


def normal(n: int, k: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, k, generator=generator, dtype=torch.float64)


def r2(level: float) -> Draw:
    def draw(n: int, generator: torch.Generator) -> Drawn:
        z = normal(n, 1, generator)
        noise = math.sqrt(level * (1 - level)) * normal(n, 1, generator)
        return plain(measures.r2(level * z + noise, z))

    return draw


def nothing(n: int, generator: torch.Generator) -> Drawn:
    return plain(measures.r2(normal(n, 1, generator) * 0.2, normal(n, 1, generator)))


def zeros(n: int, generator: torch.Generator) -> Drawn:
    """A factor that is 0 in 95 % of the samples, and never in the first, or it has no R²."""
    z = normal(n, 1, generator) * (torch.rand(n, 1, generator=generator) < 0.05)
    z[0] = normal(1, 1, generator)
    noise = 0.1 * normal(n, 1, generator) * (z != 0)
    return plain(measures.r2(0.6 * z + noise, z))


def heavy_factor(n: int, generator: torch.Generator) -> Drawn:
    z = normal(n, 1, generator)
    return plain(measures.r2(3 * z, z**3))


def nonlinear_r2(n: int, generator: torch.Generator) -> Drawn:
    z = normal(n, 1, generator)
    return plain(measures.r2(0.2 * z**3, z))


def mean_r2(factors: int) -> Draw:
    def draw(n: int, generator: torch.Generator) -> Drawn:
        z = normal(n, factors, generator)
        each = measures.r2(0.5 * z + 0.5 * normal(n, factors, generator), z)
        return plain(Statistic(lambda weights: each(weights).mean(dim=1, keepdim=True), SCORE))

    return draw


def correlation(n: int, generator: torch.Generator) -> Drawn:
    z = normal(n, 1, generator)
    statistic = measures.correlation(0.9 * z + 0.3 * normal(n, 1, generator), z)
    return plain(statistic)


def circular(n: int, generator: torch.Generator) -> Drawn:
    angle = math.tau * torch.rand(n, generator=generator, dtype=torch.float64)
    target = torch.stack([angle.cos(), angle.sin()], dim=1)
    return plain(measures.r2(0.8 * target + 0.3 * normal(n, 2, generator), target, pooled=True))


def spearman(n: int, generator: torch.Generator) -> Drawn:
    rank = torch.randint(8, (n,), generator=generator).double()
    statistic = measures.spearman(rank + 3 * normal(n, 1, generator)[:, 0], rank)
    return plain(statistic)


def auc(share: float, shift: float) -> Draw:
    def draw(n: int, generator: torch.Generator) -> Drawn:
        positive = (torch.rand(n, generator=generator) < share).long()
        positive[:2] = torch.tensor([0, 1])
        statistic = measures.auc(shift * positive + normal(n, 1, generator)[:, 0], positive)
        rarer = int(min(positive.sum(), n - positive.sum()))

        def interval(bootstrap: Bootstrap) -> tuple[Estimate, int]:
            found = bootstrap.resampled(statistic)
            return of_auc(found.value.item(), found.draws[:, 0], rarer=float(rarer)), rarer

        return Drawn(statistic, interval)

    return draw


def balanced_accuracy(*shares: float) -> Draw:
    def draw(n: int, generator: torch.Generator) -> Drawn:
        target = torch.multinomial(torch.tensor(shares), n, replacement=True, generator=generator)
        target[: len(shares)] = torch.arange(len(shares))
        rates = torch.linspace(0.9, 0.6, len(shares))
        hit = torch.rand(n, generator=generator) < rates[target]
        named = torch.where(hit, target, (target + 1) % len(shares))
        count = torch.bincount(target).double()
        recall = torch.bincount(target, weights=hit.double()) / count
        return Drawn(
            measures.balanced_accuracy(named, target),
            lambda bootstrap: (of_balanced_accuracy(recall, count), int(count.min())),
        )

    return draw


def above(*shares: float) -> Draw:
    """Balanced accuracies of two probes that both guess: their difference is 0."""

    def draw(n: int, generator: torch.Generator) -> Drawn:
        target = torch.multinomial(torch.tensor(shares), n, replacement=True, generator=generator)
        target[: len(shares)] = torch.arange(len(shares))
        one, other = (
            measures.balanced_accuracy(
                torch.randint(len(shares), (n,), generator=generator), target
            )
            for _ in range(2)
        )
        difference = Statistic(lambda weights: one(weights) - other(weights), one.within)
        return Drawn(
            difference,
            lambda bootstrap: told(bootstrap.resampled(one) - bootstrap.resampled(other)),
            truth=0.0,
        )

    return draw


CASES: dict[str, Draw] = {
    "R² 0": nothing,
    "R² 0.5": r2(0.5),
    "R² 0.99": r2(0.99),
    "R² of a cubic": nonlinear_r2,
    "R² of a cubed factor": heavy_factor,
    "R² of a factor, 95 % zeros": zeros,
    "mean R² of 5 factors": mean_r2(5),
    "mean R² of 37 factors": mean_r2(37),
    "Pearson's r (MCC)": correlation,
    "circular R²": circular,
    "Spearman": spearman,
    "AUC 0.76": auc(0.3, 1.0),
    "AUC 0.98": auc(0.3, 3.0),
    "AUC 0.76, 1 % positives": auc(0.01, 1.0),
    "balanced accuracy, 4 levels": balanced_accuracy(0.4, 0.3, 0.2, 0.1),
    "balanced accuracy, a level of 2 %": balanced_accuracy(0.5, 0.48, 0.02),
    "the same, less a control's": above(0.5, 0.48, 0.02),
}


@cache
def truth_of(draw: Draw) -> float:
    """The population's score."""
    everyone = draw(POPULATION, torch.Generator().manual_seed(10**6))
    if everyone.truth is not None:
        return everyone.truth
    return everyone.statistic(torch.ones(1, POPULATION, dtype=torch.float64)).item()


def coverage(draw: Draw, n: int, *, cases: int, resamples: int) -> dict[str, float]:
    """Share of intervals that hold the population's score, and their median width.

    Beside these the median effective number of samples, and the share of which it is said that
    few decide.
    """
    truth = truth_of(draw)
    held, widths, samples = 0, [], []
    for seed in range(cases):
        generator = torch.Generator().manual_seed(seed)
        drawn = draw(n, generator)
        bootstrap = Bootstrap(torch.arange(n), resamples=resamples, generator=generator)
        estimate, effective = drawn.interval(bootstrap)
        held += estimate.low <= truth <= estimate.high
        widths.append(estimate.high - estimate.low)
        samples.append(effective)
    return {
        "truth": truth,
        "coverage": held / cases,
        "median_width": median(widths),
        "effective": median(samples),
        "said": sum(bool(caveat(each, of=n)) for each in samples) / cases,
    }


def fitted_coverage(n: int, *, cases: int) -> dict[str, float]:
    """Least squares on n samples, scored on n others: what its two intervals hold.

    z1 from ten columns, five of them noisy copies of factors and five noise. One interval is for
    the map that was fitted, one for maps fitted like it; the best possible map scores more.
    """
    variance = torch.cat([torch.full((5,), 1.25), torch.ones(5)]).double()
    truths, estimates, wide = [], [], []
    for seed in range(cases):
        generator = torch.Generator().manual_seed(seed)
        z = normal(2 * n, 5, generator)
        h = torch.cat([z + 0.5 * normal(2 * n, 5, generator), normal(2 * n, 5, generator)], dim=1)
        mask = torch.arange(2 * n) < n
        found = score(h, z[:, :1], train_mask=mask, resamples=400, refits=10)
        if found.latents is None or found.factors[0].over_training is None:
            raise RuntimeError("score gave no map or no interval over training rows")
        slope = torch.tensor(found.latents.coefficient).double()[:, 0]
        constant = found.latents.intercept[0]
        truths.append(2 * slope[0].item() - (variance * slope.square()).sum().item() - constant**2)
        estimates.append(found.factors[0].estimate)
        wide.append(found.factors[0].over_training)
    typical = sum(truths) / cases
    return {
        name: sum(e.low <= truth <= e.high for e, truth in zip(own, wanted, strict=True)) / cases
        for name, own, wanted in (
            ("fitted map, given it", estimates, truths),
            ("maps fitted alike, given it", estimates, [typical] * cases),
            ("maps fitted alike, over training rows", wide, [typical] * cases),
            ("best map, given it", estimates, [0.8] * cases),
        )
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--held-out", type=int, nargs="+", default=[50, 100, 200, 500, 1000])
    parser.add_argument("--fitted", type=int, nargs="+", default=[50, 100, 200])
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    rows = []
    for name, draw in CASES.items():
        for n in options.held_out:
            row = {"score": name, "held_out": n} | coverage(
                draw, n, cases=options.cases, resamples=options.resamples
            )
            rows.append(row)
            told_by = (f"{key} {row[key]:.3f}" for key in ("median_width", "effective", "said"))
            print(f"{name:34s} n = {n:5d}  {row['coverage']:.3f} ", *told_by, flush=True)
    fitted = []
    for n in options.fitted:
        shares = fitted_coverage(n, cases=options.cases // 2)
        fitted.append({"held_out": n} | shares)
        print(f"least squares on n = {n}: {shares}")
    RESULTS.parent.mkdir(exist_ok=True)
    result = {
        "cases": options.cases,
        "resamples": options.resamples,
        "nominal": 0.95,
        "standard_error": math.sqrt(0.95 * 0.05 / options.cases),
        "cpu_seconds": round(time.process_time() - start, 1),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "rows": rows,
        "fitted": fitted,
    }
    RESULTS.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
