"""Multinomial logistic regression whose penalty is chosen inside the training part.

min_{W, b} mean_n -log softmax(W x_n + b)_{y_n} + penalty/2 |W|², by L-BFGS in float64. The
class predicted is the one that gains most over its share, argmax_c p(c|x) / p(c): the best
guess for balanced accuracy. x is (n, p) in principal coordinates of the training part, y (n,).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from identikit.recovery.split import Split

PENALTIES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A fitted classifier of `classes` levels."""

    weight: Float[Tensor, "p classes"]
    bias: Float[Tensor, " classes"]
    log_share: Float[Tensor, " classes"]
    """Log of each class's share of the training part; infinite for a class not in it, so
    that it is never predicted."""
    converged: bool

    def logits(self, x: Float[Tensor, "n p"]) -> Float[Tensor, "n classes"]:
        """Log p(c|x) / p(c) up to a constant per sample."""
        return x @ self.weight + self.bias - self.log_share


def fit_logistic(
    x: Float[Tensor, "n p"], y: Int[Tensor, " n"], *, classes: int, fold: Split
) -> tuple[Logistic, float]:
    """Choose the penalty within the fold, then fit to all rows with it.

    Returns:
        The classifier, and the loss that its penalty had on the fold's test rows.
    """
    inner, judged = fold.train, fold.test[torch.isin(y[fold.test], y[fold.train])]
    start = torch.zeros(x.shape[1] + 1, classes, dtype=torch.float64)
    best, penalty = float("inf"), PENALTIES[0]
    for candidate in PENALTIES:  # from stiff to loose, each started at the last solution
        start, _ = _minimise(x[inner], y[inner], start=start, penalty=candidate)
        loss = cross_entropy(x[judged] @ start[1:] + start[0], y[judged]).item()
        if not loss < best:
            break
        best, penalty = loss, candidate
    fitted, converged = _minimise(x, y, start=torch.zeros_like(start), penalty=penalty)
    count = torch.bincount(y, minlength=classes).double()
    logistic = Logistic(
        weight=fitted[1:],
        bias=fitted[0],
        log_share=torch.where(count > 0, (count / len(y)).log(), torch.inf),
        converged=converged,
    )
    return logistic, best


def _minimise(x: Tensor, y: Tensor, *, start: Tensor, penalty: float) -> tuple[Tensor, bool]:
    """The penalised minimum; rows of the result are the bias and then the weights."""
    solution = start.clone().requires_grad_()
    search = torch.optim.LBFGS(
        [solution],
        max_iter=300,
        tolerance_grad=1e-6,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        loss = cross_entropy(x @ solution[1:] + solution[0], y)
        # the bias gets a trace of it, or it would run away for a class without samples
        loss = loss + penalty / 2 * solution[1:].square().sum() + 1e-9 * solution[0].square().sum()
        (solution.grad,) = torch.autograd.grad(loss, solution)
        return loss

    search.step(objective)  # type: ignore[no-untyped-call]
    objective()
    gradient = solution.grad
    return solution.detach(), gradient is not None and gradient.abs().max().item() < 1e-4
