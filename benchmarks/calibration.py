"""How often do the 95 % intervals of `score` hold the truth?

The truth is the score that the fitted map gets on the population, which is known here: a
fixed read-out, held-out parts drawn again and again. Each row is one score and one size of
the held-out part; results go to benchmarks/results/calibration.json.

    python benchmarks/calibration.py
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from identikit.core.linalg import least_squares
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Statistic

POPULATION = 2_000_000
RESULTS = Path(__file__).parent / "results" / "calibration.json"

Draw = Callable[[int, torch.Generator], Statistic]


def normal(n: int, k: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, k, generator=generator, dtype=torch.float64)


def r2(level: float) -> Draw:
    def draw(n: int, generator: torch.Generator) -> Statistic:
        z = normal(n, 1, generator)
        return measures.r2(level * z + math.sqrt(level * (1 - level)) * normal(n, 1, generator), z)

    return draw


def nonlinear_r2(n: int, generator: torch.Generator) -> Statistic:
    z = normal(n, 1, generator)
    return measures.r2(0.2 * z**3, z)


def mean_r2(n: int, generator: torch.Generator) -> Statistic:
    z = torch.nn.functional.normalize(normal(n, 5, generator), dim=1)
    each = measures.r2(z + 0.1 * normal(n, 5, generator), z)
    return lambda weights: each(weights).mean(dim=1, keepdim=True)


def correlation(n: int, generator: torch.Generator) -> Statistic:
    z = normal(n, 1, generator)
    return measures.correlation(0.9 * z + 0.3 * normal(n, 1, generator), z)


def circular(n: int, generator: torch.Generator) -> Statistic:
    angle = math.tau * torch.rand(n, generator=generator, dtype=torch.float64)
    target = torch.stack([angle.cos(), angle.sin()], dim=1)
    return measures.r2(0.8 * target + 0.3 * normal(n, 2, generator), target, pooled=True)


def spearman(n: int, generator: torch.Generator) -> Statistic:
    rank = torch.randint(8, (n,), generator=generator).double()
    return measures.spearman(rank + 3 * normal(n, 1, generator)[:, 0], rank)


def auc(n: int, generator: torch.Generator) -> Statistic:
    positive = (torch.rand(n, generator=generator) < 0.3).long()
    return measures.auc(positive + normal(n, 1, generator)[:, 0], positive)


def balanced_accuracy(n: int, generator: torch.Generator) -> Statistic:
    share = torch.tensor([0.4, 0.3, 0.2, 0.1])
    target = torch.multinomial(share, n, replacement=True, generator=generator)
    hit = torch.rand(n, generator=generator) < torch.tensor([0.9, 0.8, 0.7, 0.6])[target]
    return measures.balanced_accuracy(torch.where(hit, target, (target + 1) % 4), target)


CASES: dict[str, Draw] = {
    "R² 0": lambda n, g: measures.r2(normal(n, 1, g) * 0.2, normal(n, 1, g)),
    "R² 0.5": r2(0.5),
    "R² 0.9": r2(0.9),
    "R² 0.99": r2(0.99),
    "R² of a cubic": nonlinear_r2,
    "mean R² of 5 factors": mean_r2,
    "Pearson's r (MCC)": correlation,
    "circular R²": circular,
    "Spearman": spearman,
    "AUC": auc,
    "balanced accuracy": balanced_accuracy,
}


def coverage(draw: Draw, n: int, *, cases: int, resamples: int) -> dict[str, float]:
    """Share of intervals that hold the population's score, and their mean width."""
    everyone = draw(POPULATION, torch.Generator().manual_seed(10**6))
    truth = everyone(torch.ones(1, POPULATION, dtype=torch.float64)).item()
    held, width = 0, 0.0
    for seed in range(cases):
        generator = torch.Generator().manual_seed(seed)
        statistic = draw(n, generator)
        bootstrap = Bootstrap(torch.arange(n), resamples=resamples, generator=generator)
        estimate = bootstrap.estimates(statistic)[0]
        held += estimate.low <= truth <= estimate.high
        width += estimate.high - estimate.low
    return {"truth": truth, "coverage": held / cases, "mean_width": width / cases}


def fitted_coverage(n: int, *, cases: int, resamples: int) -> dict[str, float]:
    """Least squares on n samples, scored on n others: what its interval holds, and what not.

    z1 from ten columns, five of them noisy copies of factors and five noise. The interval
    is for the map that was fitted; the best possible map scores more.
    """
    variance = torch.cat([torch.full((5,), 1.25), torch.ones(5)]).double()
    held = {"fitted map": 0, "best map": 0}
    for seed in range(cases):
        generator = torch.Generator().manual_seed(seed)
        z = normal(2 * n, 5, generator)
        noise = 0.5 * normal(2 * n, 5, generator)
        h = torch.cat([z + noise, normal(2 * n, 5, generator)], dim=1)
        fit = least_squares(h[:n], z[:n, :1])
        slope = fit.coefficient[:, 0]
        error = 1 - 2 * slope[0] + (variance * slope.square()).sum() + fit.intercept[0] ** 2
        bootstrap = Bootstrap(torch.arange(n), resamples=resamples, generator=generator)
        estimate = bootstrap.estimates(measures.r2(fit.predict(h[n:]), z[n:, :1]))[0]
        for name, truth in (("fitted map", 1 - error.item()), ("best map", 0.8)):
            held[name] += estimate.low <= truth <= estimate.high
    return {name: count / cases for name, count in held.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--held-out", type=int, nargs="+", default=[50, 200, 1000])
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
            print(f"{name:24s} n = {n:5d}  {row['coverage']:.3f}  width {row['mean_width']:.4f}")
    fitted = []
    for n in options.held_out:
        shares = fitted_coverage(n, cases=options.cases, resamples=options.resamples)
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
