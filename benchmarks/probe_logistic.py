"""Binary read-outs of many factors in several repetitions, against scikit-learn.

The shape of ImageNet-X: 17 binary factors, some rare, ten times a stratified 70/30 split of which
both parts are balanced; one logistic regression each. All 170 at once beside one
`LogisticRegression` (lbfgs) after another, both to the same penalty on the same rows; and once
more for a grid of penalties. `--their-problems` of scikit-learn's fits are timed, spread over
factors, and scaled. Losses are of the training rows with the penalty, in units of the optimum.
Seconds are of processor time on one thread, ours with the rotation to principal coordinates.

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
from identikit.recovery import linear, logistic
from identikit.recovery.logistic import Tasks
from identikit.recovery.moments import PartMoments
from identikit.studies.provenance import machine, versions

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
    return h, (score > threshold).long().T


def balanced_rows(label: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Training rows: 70 % of the rarer level, and as many of the other."""
    count = int(0.7 * torch.bincount(label).min())
    rows = []
    for level in (0, 1):
        own = (label == level).nonzero().flatten()
        rows.append(own[torch.randperm(len(own), generator=generator)[:count]])
    return torch.cat(rows).sort().values


def ours(
    h: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, penalties: torch.Tensor
) -> tuple[float, logistic.Fitted]:
    """Seconds, and the solutions in the order of repetitions, then penalties."""
    start = time.process_time()
    moments = PartMoments.empty(parts=1, d=h.shape[1], k=0)
    moments.add(h, h[:, :0])
    axes = linear.principal_axes(moments.pooled())
    x = (h - axes.mean.float()) @ axes.axes.float()
    tasks = Tasks(label=labels, weight=weight, classes=torch.full((len(labels),), 2))
    found = logistic.fit(
        x,
        tasks,
        task=torch.arange(len(labels)).repeat_interleave(len(penalties)),
        penalty=penalties.repeat(len(labels))[:, None].expand(-1, x.shape[1]),
    )
    return time.process_time() - start, found


def theirs(
    h: torch.Tensor, label: torch.Tensor, rows: torch.Tensor, penalty: float
) -> tuple[float, float, int]:
    """Seconds, objective and iterations of one problem."""
    x, y = h[rows].numpy(), label[rows].numpy()
    model = LogisticRegression(C=1 / (len(rows) * penalty), max_iter=5000)
    start = time.process_time()
    model.fit(x, y)
    seconds = time.process_time() - start
    logit = torch.as_tensor(model.decision_function(x)).double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, label[rows].double())
    return seconds, loss.item() + penalty / 2 * float((model.coef_**2).sum()), model.n_iter_[0]


def compare(options: argparse.Namespace) -> dict[str, Any]:
    h, factors = data(options.rows, options.columns, options.factors)
    generator = torch.Generator().manual_seed(1)
    rows = [balanced_rows(f, generator) for f in factors for _ in range(options.repetitions)]
    labels = factors.repeat_interleave(options.repetitions, 0)
    weight = torch.zeros(labels.shape)
    for own, chosen in zip(weight, rows, strict=True):
        own[chosen] = 1
    step = max(1, len(rows) // options.their_problems)
    report: dict[str, Any] = {
        "rows": options.rows,
        "columns": options.columns,
        "problems": len(rows),
        "rows_fitted_on": {"least": min(map(len, rows)), "most": max(map(len, rows))},
    }
    for penalty in options.penalty:
        seconds, found = ours(h, labels, weight, torch.tensor([penalty]))
        taken, gaps, iterations = [], [], []
        for j in range(0, len(rows), step):
            each, objective, steps = theirs(h, labels[j], rows[j], penalty)
            taken.append(each)
            iterations.append(int(steps))
            gaps.append((found.objective[j].item() - objective) / objective)
        full = float(np.mean(taken)) * len(rows)
        report[f"penalty {penalty:g}"] = {
            "ours_s": seconds,
            "converged": int(found.converged.sum()),
            "scikit_learn_timed": len(taken),
            "scikit_learn_all_s": full,
            "times_ours": full / seconds,
            "their_iterations": iterations,
            "largest_loss_above_theirs": max(gaps),
            "least": min(gaps),
        }
    grid = torch.logspace(-4, 0, 5)
    report["five penalties at once, ours_s"] = ours(h, labels, weight, grid)[0]
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=46_000)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--factors", type=int, default=17)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--penalty", type=float, nargs="+", default=[1e-2, 1e-4])
    parser.add_argument("--their-problems", type=int, default=17)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report = {"machine": machine(), "threads": 1, "versions": versions(), **compare(options)}
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
