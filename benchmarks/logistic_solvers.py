"""The two logistic solvers on explicitness' problems, the training rows of `classic.py`'s codes.

    OMP_NUM_THREADS=1 python -m benchmarks.logistic_solvers

6,667 x 64 codes in standard units, 6 factors of 4 to 5 levels. For `disentanglement.logistic`, and
for `probing.logistic` at three tolerances: seconds of the processor (median of five) and the
regularised loss. Levels that compete, then each against the rest. Prints a JSON object a line.
"""

import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from benchmarks.classic import Grid
from numpy.typing import NDArray

from identikit.disentanglement.logistic import fit_logistic, log_softmax
from identikit.disentanglement.table import as_table, split_rows
from identikit.probing import logistic

Map = tuple[NDArray[np.float64], NDArray[np.float64]]


class Problem:
    """Codes, levels and their indicators (t, n)."""

    def __init__(self) -> None:
        grid = Grid()
        table = as_table(grid.codes, grid.levels)
        generator = torch.Generator().manual_seed(0)
        train, _ = split_rows(len(table.levels), share=1 / 3, generator=generator)
        self.x = table.numbers.standardised()[train]
        self.levels, self.counts = table.levels[train].T, table.n_levels.tolist()
        columns = zip(self.levels, self.counts, strict=True)
        self.y = np.concatenate([c == np.arange(n)[:, None] for c, n in columns])

    def ours(self, *, softmax: bool) -> Map:
        """By the solver of the room of classic scores."""
        y = self.y.T.astype(float)
        return fit_logistic(self.x, y, levels=self.counts, softmax=softmax)

    def probes(self, *, softmax: bool, tolerance: float) -> Map:
        """By that of linear probes, in float32."""
        x = torch.from_numpy(self.x).float()
        label = torch.from_numpy((self.levels if softmax else self.y).astype(int))
        classes = torch.tensor(self.counts if softmax else [2] * len(label))
        found = logistic.fit_logistic(
            x,
            logistic.Tasks(label=label, weight=torch.ones(label.shape), classes=classes),
            task=torch.arange(len(label)),
            penalty=torch.full((len(label), x.shape[1]), 1 / len(x)),
            tolerance=tolerance,
        )
        own = [slice(0, n) for n in self.counts] if softmax else [slice(1, 2)] * len(label)
        weight = torch.cat([w[:, c] for w, c in zip(found.weight, own, strict=True)], dim=1)
        bias = torch.cat([b[c] for b, c in zip(found.bias, own, strict=True)])
        return weight.double().numpy(), bias.double().numpy()

    def loss(self, weight: NDArray[np.float64], bias: NDArray[np.float64], softmax: bool) -> float:
        """What both minimise, by row."""
        f = torch.from_numpy(weight.T @ self.x.T + bias[:, None])
        has = torch.from_numpy(self.y.astype(float))
        log_p = log_softmax(f, self.counts) if softmax else f
        rest = 0.0 if softmax else torch.nn.functional.softplus(f)
        fits = (has * log_p - rest).sum().item()
        return float((weight**2).sum() / 2 - fits) / len(self.x)


def timed(call: Callable[[], Map]) -> tuple[float, Map]:
    """Median seconds of the processor, and what came out."""
    seconds = []
    for _ in range(5):
        start = time.process_time()
        found = call()
        seconds.append(time.process_time() - start)
    return median(seconds), found


def main() -> None:
    torch.set_num_threads(1)
    problem = Problem()
    for softmax in (True, False):
        calls: dict[str, Callable[[], Map]] = {
            "disentanglement": lambda s=softmax: problem.ours(softmax=s)
        }
        for tolerance in (1e-4, 1e-5, 1e-6):
            calls[f"probing, {tolerance:g}"] = lambda s=softmax, t=tolerance: problem.probes(
                softmax=s, tolerance=t
            )
        for name, call in calls.items():
            seconds, found = timed(call)
            loss = problem.loss(*found, softmax)
            line = {"softmax": softmax, "solver": name, "seconds": seconds, "loss": loss}
            print(json.dumps(line))


if __name__ == "__main__":
    main()
