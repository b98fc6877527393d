"""Binary linear probes of many factors in several repetitions, against scikit-learn.

The shape of ImageNet-X: 17 binary factors, some rare, ten times a stratified 70/30 split of which
both parts are balanced, so each repetition has rows of its own; features in standard units.

one penalty  C = 1. All 170 together beside one `LogisticRegression` (lbfgs, its default) after
             another: at its default tolerance, and at the first of 1e-4, 1e-5, .. at which its
             loss is within 1e-4 of the optimum, as ours is
tuned        the best of seven penalties by the log-loss of three folds, then a fit to all rows;
             beside `LogisticRegressionCV`

scikit-learn fits `--their-problems` of the 170, spread over the factors, and is scaled. Losses are
of the training rows with the penalty, over ours at a hundredth of our tolerance. Seconds of
processor time for one thread; of the clock for more.

    OMP_NUM_THREADS=1 python benchmarks/probe_logistic.py
    python benchmarks/probe_logistic.py --threads 4 --out four.json
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from torch import Tensor

from identikit.core.files import write_json
from identikit.probing import logistic
from identikit.probing.logistic import Correlations, LogisticFits, Start, Tasks
from identikit.runs.provenance import machine, versions

PENALTIES = (1e2, 1e1, 1.0, 1e-1, 1e-2, 1e-3, 1e-4)
"""On the mean loss."""
FOLDS = 3
NEAR = 1e-4
TIGHTER = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
RESULTS = Path(__file__).parent / "results" / "probe_logistic.json"


def data(n: int, d: int, factors: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features like those of a network (rectified, correlated), factors of 1 to 30 % positives."""
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(n, 64, generator=generator)
    h = latent @ torch.randn(64, d, generator=generator) / 8
    h = torch.relu(h + 0.5 * torch.randn(n, d, generator=generator) - 0.5)
    score = latent @ torch.randn(64, factors, generator=generator) / 8
    score += 0.7 * torch.randn(n, factors, generator=generator)
    share = torch.logspace(-2, -0.5, factors)
    threshold = torch.stack([score[:, j].quantile(1 - s) for j, s in enumerate(share)])
    return (h - h.mean(dim=0)) / h.std(dim=0), (score > threshold).long().T


def balanced_rows(label: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Training rows: 70 % of the rarer level, and as many of the other."""
    count = int(0.7 * torch.bincount(label).min())
    rows = []
    for level in (0, 1):
        own = (label == level).nonzero().flatten()
        rows.append(own[torch.randperm(len(own), generator=generator)[:count]])
    return torch.cat(rows).sort().values


def one_penalty(
    h: Tensor, labels: Tensor, rows: list[Tensor], some: list[int], clock: Callable[[], float]
) -> dict[str, Any]:
    """All problems with C = 1, and some of them by scikit-learn."""
    weight = torch.zeros(labels.shape)
    for own, chosen in zip(weight, rows, strict=True):
        own[chosen] = 1
    tasks = Tasks(label=labels, weight=weight, classes=torch.full((len(labels),), 2))
    penalty = (1 / weight.sum(dim=1, keepdim=True)).expand(-1, h.shape[1])

    start = clock()
    found = logistic.fit_logistic(h, tasks, task=torch.arange(len(labels)), penalty=penalty)
    ours = clock() - start
    exact = logistic.fit_logistic(
        h,
        tasks,
        task=torch.tensor(some),
        penalty=penalty[some],
        tolerance=logistic.TOLERANCE / 100,
        start=Start(found.weight[some], found.bias[some]),
    )
    default, near, gaps = [], [], []
    for place, j in enumerate(some):
        x, y = h[rows[j]].numpy(), labels[j][rows[j]].numpy()
        least = objective(x, y, exact.weight[place, :, 1].numpy(), float(exact.bias[place, 1]))
        own = objective(x, y, found.weight[j, :, 1].numpy(), float(found.bias[j, 1]))
        for tolerance in TIGHTER:
            model = LogisticRegression(C=1.0, max_iter=10_000, tol=tolerance)
            start = clock()
            model.fit(x, y)
            seconds = clock() - start
            gap = objective(x, y, model.coef_[0], float(model.intercept_[0])) / least - 1
            if tolerance == TIGHTER[0]:
                default.append(seconds)
                gaps.append({"rows": len(x), "ours": own / least - 1, "theirs by default": gap})
            if gap <= NEAR:
                near.append(seconds)
                break
        else:
            raise RuntimeError(f"scikit-learn did not come near the optimum of problem {j}")
    share = len(labels) / len(some)
    return {
        "ours_s": ours,
        "converged": int(found.converged.sum()),
        "scikit_learn_s": {"default": sum(default) * share, "within 1e-4": sum(near) * share},
        "times_ours": {
            "default": sum(default) * share / ours,
            "within 1e-4": sum(near) * share / ours,
        },
        "loss above the optimum": gaps,
    }


def objective(x: Any, y: Any, w: Any, b: float) -> float:
    """Mean loss with the penalty of C = 1, in float64."""
    logit = x.astype(np.float64) @ w.astype(np.float64) + b
    loss = np.logaddexp(0, logit * (1 - 2 * y)).mean()
    return float(loss + (w.astype(np.float64) ** 2).sum() / (2 * len(x)))


def tuned(
    h: Tensor, labels: Tensor, rows: list[Tensor], some: list[int], clock: Callable[[], float]
) -> dict[str, Any]:
    """Every problem with a penalty chosen on folds, and some of them by scikit-learn."""
    start = clock()
    correlations = Correlations.of(h)
    shared = clock() - start
    seconds, fits = [], []
    for label, chosen in zip(labels, rows, strict=True):
        start = clock()
        fits.append(tuned_fit(h[chosen], label[chosen], correlations))
        seconds.append(clock() - start)
    theirs, same = [], 0
    for j in some:
        x, y = h[rows[j]].numpy(), labels[j][rows[j]].numpy()
        model = LogisticRegressionCV(
            Cs=[1 / (len(x) * penalty) for penalty in PENALTIES],
            cv=FOLDS,
            scoring="neg_log_loss",
            max_iter=10_000,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
        )
        start = clock()
        model.fit(x, y)
        theirs.append(clock() - start)
        same += bool(np.isclose(1 / (model.C_ * len(x)), fits[j][1]))
    each = [
        {"rows": len(rows[j]), "times_ours": their / seconds[j]}
        for j, their in zip(some, theirs, strict=True)
    ]
    full = sum(theirs) * len(rows) / len(some)
    return {
        "ours_s": shared + sum(seconds),
        "converged": sum(bool(fit.converged.all()) for fit, _ in fits),
        "scikit_learn_s": full,
        "times_ours": full / (shared + sum(seconds)),
        "median_times_ours": median(ratio["times_ours"] for ratio in each),
        "same penalty": f"{same} of {len(some)}",
        "each": each,
    }


def tuned_fit(x: Tensor, label: Tensor, correlations: Correlations) -> tuple[LogisticFits, float]:
    fold = torch.empty(len(x), dtype=torch.long)
    for level in (0, 1):
        own = (label == level).nonzero().flatten()
        fold[own] = torch.arange(len(own)) * FOLDS // len(own)
    judged = (fold == torch.arange(FOLDS)[:, None]).float()
    grid = torch.tensor(PENALTIES)[:, None].expand(-1, x.shape[1])
    losses = logistic.held_out_losses(
        x,
        Tasks(label=label.expand(FOLDS, -1), weight=1 - judged, classes=torch.full((FOLDS,), 2)),
        judged,
        grid=grid,
        correlations=correlations,
    )
    best = losses.sum(dim=0).argmin()
    everything = Tasks(label=label[None], weight=torch.ones(1, len(x)), classes=torch.full((1,), 2))
    fitted = logistic.fit_logistic(
        x,
        everything,
        task=torch.zeros(1, dtype=torch.long),
        penalty=grid[best][None],
        correlations=correlations,
    )
    return fitted, PENALTIES[int(best)]


def compare(options: argparse.Namespace) -> dict[str, Any]:
    h, factors = data(options.rows, options.columns, options.factors)
    generator = torch.Generator().manual_seed(1)
    rows = [balanced_rows(f, generator) for f in factors for _ in range(options.repetitions)]
    labels = factors.repeat_interleave(options.repetitions, 0)
    some = list(range(0, len(rows), max(1, len(rows) // options.their_problems)))
    clock = time.process_time if options.threads == 1 else time.perf_counter
    return {
        "rows": options.rows,
        "columns": options.columns,
        "problems": len(rows),
        "rows_fitted_on": {"least": min(map(len, rows)), "most": max(map(len, rows))},
        "scikit_learn_timed": len(some),
        "tuned": tuned(h, labels, rows, some, clock),
        "one penalty": one_penalty(h, labels, rows, some, clock),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=46_000)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--factors", type=int, default=17)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--their-problems", type=int, default=17)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    report = {
        "machine": machine(),
        "threads": options.threads,
        "versions": versions(),
        **compare(options),
    }
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
