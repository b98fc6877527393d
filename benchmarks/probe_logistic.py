"""Binary read-outs of many factors in several repetitions, against scikit-learn.

The shape of ImageNet-X: 17 binary factors, some rare, ten times a stratified 70/30 split of which
both parts are balanced; one logistic regression each, on features in standard units. All 170 at
once beside one `LogisticRegression` after another, to the same penalties on the same rows: by
`lbfgs`, its default, for `--their-problems` of them, spread over factors and scaled, and by
`newton-cholesky` for the smallest. With `--grid`, also five penalties for each. Losses are of the
training rows with the penalty, in units of the optimum. Seconds are of processor time on one
thread.

    OMP_NUM_THREADS=1 python benchmarks/probe_logistic.py
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from identikit.files import write_json
from identikit.recovery import logistic
from identikit.recovery.logistic import Tasks
from identikit.studies.provenance import machine, versions

GRID = (0.001, 0.01, 0.1, 1.0, 10.0)
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


def ours(
    h: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, strengths: tuple[float, ...]
) -> tuple[float, logistic.Fitted]:
    """Seconds, and the solutions in the order of problems, then of scikit-learn's C."""
    start = time.process_time()
    tasks = Tasks(label=labels, weight=weight, classes=torch.full((len(labels),), 2))
    penalty = 1 / (weight.sum(dim=1, keepdim=True) * torch.tensor(strengths))
    found = logistic.fit(
        h,
        tasks,
        task=torch.arange(len(labels)).repeat_interleave(len(strengths)),
        penalty=penalty.flatten()[:, None].expand(-1, h.shape[1]),
    )
    return time.process_time() - start, found


def objective(
    h: torch.Tensor, label: torch.Tensor, w: torch.Tensor, b: float, *, strength: float
) -> float:
    """Mean loss with the penalty, in float64."""
    logit = h.double() @ w.double() + b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, label.double())
    return (loss + w.double().square().sum() / (2 * len(h) * strength)).item()


def theirs(
    x: torch.Tensor, y: torch.Tensor, *, strength: float, solver: str
) -> tuple[float, float, int]:
    """Seconds, objective and iterations of one problem."""
    model = LogisticRegression(C=strength, max_iter=5000, solver=solver)
    start = time.process_time()
    model.fit(x.numpy(), y.numpy())
    seconds = time.process_time() - start
    w = torch.as_tensor(model.coef_[0])
    value = objective(x, y, w, float(model.intercept_[0]), strength=strength)
    return seconds, value, int(model.n_iter_[0])


def beside(
    h: torch.Tensor,
    labels: torch.Tensor,
    rows: list[torch.Tensor],
    strengths: tuple[float, ...],
    their_problems: int,
) -> dict[str, Any]:
    """Both sides; every so manieth problem of theirs."""
    weight = torch.zeros(labels.shape)
    for own, chosen in zip(weight, rows, strict=True):
        own[chosen] = 1
    seconds, found = ours(h, labels, weight, strengths)
    taken, gaps, iterations = [], [], []
    for j in range(0, len(rows), max(1, len(rows) // their_problems)):
        x, y = h[rows[j]], labels[j][rows[j]]
        for i, strength in enumerate(strengths):
            each, value, steps = theirs(x, y, strength=strength, solver="lbfgs")
            at = j * len(strengths) + i
            w, b = found.weight[at, :, 1], float(found.bias[at, 1])
            gaps.append((objective(x, y, w, b, strength=strength) - value) / value)
            taken.append(each)
            iterations.append(steps)
    x, y = h[rows[0]], labels[0][rows[0]]
    newton, _, _ = theirs(x, y, strength=strengths[0], solver="newton-cholesky")
    full = float(np.mean(taken)) * len(rows) * len(strengths)
    return {
        "C": list(strengths),
        "ours_s": seconds,
        "converged": int(found.converged.sum()),
        "scikit_learn_timed": len(taken),
        "scikit_learn_all_s": full,
        "times_ours": full / seconds,
        "their_iterations": iterations,
        "first_problem_s": {"lbfgs": taken[0], "newton-cholesky": newton},
        "loss_above_theirs": gaps,
    }


def compare(options: argparse.Namespace) -> dict[str, Any]:
    h, factors = data(options.rows, options.columns, options.factors)
    generator = torch.Generator().manual_seed(1)
    rows = [balanced_rows(f, generator) for f in factors for _ in range(options.repetitions)]
    labels = factors.repeat_interleave(options.repetitions, 0)
    report: dict[str, Any] = {
        "rows": options.rows,
        "columns": options.columns,
        "problems": len(rows),
        "rows_fitted_on": {"least": min(map(len, rows)), "most": max(map(len, rows))},
        "one penalty": beside(h, labels, rows, (1.0,), options.their_problems),
    }
    if options.grid:
        report["five penalties"] = beside(h, labels, rows, GRID, options.their_problems)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=46_000)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--factors", type=int, default=17)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--their-problems", type=int, default=17)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report = {"machine": machine(), "threads": 1, "versions": versions(), **compare(options)}
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
