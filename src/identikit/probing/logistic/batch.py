"""Loss, gradient and preconditioner of problems with equally many columns of logits.

A block of rows makes logits and gradients while it is in the processor's cache. The Hessian is
bounded by

    H <= kappa E[x x'] + q,  kappa = 1/4 for two classes, 1/2 for more     (Böhning 1992)

which is taken as D^1/2 (1 + t (C - 1)) D^1/2: its diagonal D = kappa var x + q, the correlations C
of the columns of x by their leading eigenvectors and the mean of the other eigenvalues, and
t = 1 - mean q / D. Moments are those of all rows, about whose mean weights and bias hardly depend
on each other.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BUDGET = 1 << 24
"""Logits at a time."""
CACHED = 1 << 20
"""Numbers of x that are read once for logits and gradients: 4 MiB in float32."""
LEADING = 96
"""Eigenvectors of the shared correlations."""
SAMPLE = 2
"""Rows for each column, from which they are found."""
LEAST_REST = 1e-3
"""Of the other eigenvalues, where hardly anything varies along them."""
NEVER = -1e9
"""Logit of a class that a task lacks, while it is searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """Of the columns of x: eigenvectors, eigenvalues, and the mean of the other eigenvalues."""

    mean: Float[Tensor, " p"]
    variance: Float[Tensor, " p"]
    axes: Float[Tensor, "p r"]
    values: Float[Tensor, " r"]
    rest: float

    @classmethod
    def of(cls, x: Float[Tensor, "n p"]) -> "Correlations":
        """By two steps of subspace iteration from some of the rows."""
        n, p = x.shape
        rows = x[:: max(1, n // (SAMPLE * p + LEADING))]
        mean = rows.mean(dim=0)
        rows = rows - mean
        variance = rows.square().mean(dim=0)
        rows = rows / torch.where(variance > 0, variance, 1.0).sqrt() / len(rows) ** 0.5
        r = min(LEADING, *rows.shape)
        axes = rows[torch.linspace(0, len(rows) - 1, r, device=x.device).long()].T
        for _ in range(2):
            axes = torch.linalg.qr(rows.T @ (rows @ axes)).Q
        image = rows @ axes
        values, turn = torch.linalg.eigh(image.T @ image)
        rest = max(0.0, rows.square().sum().item() - values.sum().item()) / max(1, p - r)
        return cls(mean=mean, variance=variance, axes=axes @ turn, values=values, rest=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Problems with equally many columns of logits.

    Parameters are (problems, columns, 1 + p), the bias first; rows come last.
    """

    x: Tensor
    label: Tensor
    """(problems, n)."""
    weight: Tensor
    """(problems, n), of sum 1 over the rows."""
    mask: Tensor
    """(problems, columns): 0, or a logit that is never named for a class without weight."""
    mean: Tensor
    """(p,), where the bias is taken: about the mean it hardly depends on the weights."""
    penalty: Tensor
    """(problems, 1, 1 + p), of the bias 0."""
    bound: Tensor
    """The same shape: of the Hessian's diagonal."""
    axes: Tensor
    """(p, r): leading eigenvectors of the columns' correlations."""
    along: Tensor
    """(problems, 1, r): inverse of the Hessian's bound along them, beside its diagonal."""
    beside: Tensor
    """(problems, 1, 1): the same for the directions orthogonal to them."""

    @classmethod
    def of(
        cls,
        x: Tensor,
        label: Tensor,
        weight: Tensor,
        penalty: Tensor,
        correlations: Correlations,
        *,
        columns: int,
    ) -> "Batch":
        """What all passes share; columns of logits are 1 for two classes."""
        weight = (weight / weight.sum(dim=1, keepdim=True)).to(x)
        mask, kappa = x.new_zeros(len(weight), columns), 0.25 if columns == 1 else 0.5
        if columns > 1:
            share = mask.scatter_add(1, label.where(weight > 0, 0), weight)
            mask = torch.where(share > 0, mask, NEVER)
        penalty = torch.nn.functional.pad(penalty.to(x), (1, 0))[:, None]
        moments = torch.nn.functional.pad(correlations.variance, (1, 0), value=1.0)
        bound = kappa * moments + penalty
        t = 1 - (penalty / bound)[:, :, 1:].mean(dim=2, keepdim=True)
        return cls(
            x=x,
            label=label,
            weight=weight,
            mask=mask,
            mean=correlations.mean,
            penalty=penalty,
            bound=bound,
            axes=correlations.axes,
            along=1 / (1 - t + t * correlations.values),
            beside=1 / (1 - t + t * correlations.rest).clamp(min=LEAST_REST),
        )

    def only(self, kept: Tensor) -> "Batch":
        """Some of the problems."""
        return Batch(
            x=self.x,
            label=self.label[kept],
            weight=self.weight[kept],
            mask=self.mask[kept],
            mean=self.mean,
            penalty=self.penalty[kept],
            bound=self.bound[kept],
            axes=self.axes,
            along=self.along[kept],
            beside=self.beside[kept],
        )

    def preconditioned(self, gradient: Tensor) -> Tensor:
        """The inverse of the Hessian's bound, times parameters."""
        root = self.bound.sqrt()
        found = gradient / root
        inner = found[:, :, 1:] @ self.axes
        inner = ((self.along - self.beside) * inner) @ self.axes.T
        found[:, :, 1:] *= self.beside
        found[:, :, 1:] += inner
        return found / root

    def evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Objectives in float64, and their gradients."""
        problems, columns = self.mask.shape
        value = 0.5 * (self.penalty * theta.square()).sum(dim=(1, 2)).double()
        gradient = self.penalty * theta
        w, slope = theta[:, :, 1:].flatten(0, 1), torch.zeros_like(theta[:, :, 1:]).flatten(0, 1)
        constant = (self.bias(theta) + self.mask).view(-1, 1)
        for rows in _rows(self.x):
            x = self.x[rows]
            logits = torch.addmm(constant, w, x.T).view(problems, columns, -1)
            loss, residual = _loss(logits, self.label[:, rows], self.weight[:, rows])
            value += loss
            gradient[:, :, 0] += residual.sum(dim=2)
            slope.addmm_(residual.flatten(0, 1), x)
        # the bias has no penalty: its gradient is the sum of the residuals
        gradient[:, :, 1:] += slope.view(problems, columns, -1) - gradient[:, :, :1] * self.mean
        return value, gradient

    def theta(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Parameters of solutions as in `LogisticFits`; a bias of minus infinity is left at 0."""
        into = slice(1, 2) if self.mask.shape[1] == 1 else slice(self.mask.shape[1])
        w, b = weight[:, :, into].mT, bias[:, into, None]
        b = b.where(b > -torch.inf, 0.0) + (w * self.mean).sum(dim=2, keepdim=True)
        return torch.cat([b, w], dim=2)

    def bias(self, theta: Tensor) -> Tensor:
        """Where x is 0, (problems, columns)."""
        found: Tensor = theta[:, :, 0] - (theta[:, :, 1:] * self.mean).sum(dim=2)
        return found


def _rows(x: Tensor) -> list[slice]:
    """Blocks of rows that stay in the cache; on other devices than a processor they are large."""
    step = max(1, (CACHED if x.device.type == "cpu" else BUDGET) // x.shape[1])
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _loss(logits: Tensor, label: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted log-loss of each problem, and its derivatives by the logits, in their place."""
    if logits.shape[1] == 1:
        sign = 1 - 2 * label.to(logits)
        against = sign * logits[:, 0]
        each = torch.nn.functional.softplus(against)
        residual = (against.sigmoid_() * sign * weight)[:, None]
    else:
        log_share = logits.log_softmax(dim=1)
        each = -log_share.gather(1, label[:, None])[:, 0]
        residual = log_share.exp_()
        residual.scatter_add_(1, label[:, None], -torch.ones_like(each)[:, None])
        residual *= weight[:, None]
    return (weight * each).sum(dim=1).double(), residual
