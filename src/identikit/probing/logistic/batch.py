"""Loss, gradient, Hessian and preconditioner of problems with equally many columns of logits.

With logits f = W x + b, shares p = softmax(f), weights u of the rows and a direction V of W,

    gradient  E_u[(p - 1_y) x'] + q W     Hessian times V  E_u[(diag p - p p') V x x'] + q V
    gap       F(W) - min F <= 1/2 sum_j |gradient_j|² / q_j

which is the distance to the dual problem at the residuals p - 1_y, feasible there once they sum to
0 (Yu, Huang and Lin 2011); of a bias, which has no penalty, it is what its Newton step promises.
The Hessian is preconditioned by D^1/2 (1 + t (C - 1)) D^1/2: its diagonal D = c var x + q, with
c = E_u[p (1 - p)] of each logit, the correlations C of the columns of x by their leading
eigenvectors and the mean of the other eigenvalues, and t = 1 - mean q / D. Moments of x are those
of all rows, about whose mean weights and bias hardly depend on each other. A block of rows is
multiplied by W and by what comes of it while it is in the processor's cache.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

BUDGET = 1 << 22
"""Logits at a time, of which a search holds some eight copies."""
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
LEAST_CURVED = 1e-12
"""Curvature of a logit, where its class is never or always named."""


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

    @classmethod
    def none(cls, variance: Float[Tensor, " p"]) -> "Correlations":
        """Of columns of mean 0 that are known to have none, such as principal coordinates."""
        return cls(
            mean=torch.zeros_like(variance),
            variance=variance,
            axes=variance.new_zeros(len(variance), 0),
            values=variance.new_zeros(0),
            rest=1.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Of logits, with what their derivatives are made of."""

    value: Tensor
    """(problems,), in float64."""
    share: Tensor
    """p, (problems, columns, n); the wrong one of two classes has a single column."""
    curvature: Tensor
    """c, (problems, columns)."""

    def only(self, kept: Tensor) -> "Losses":
        """Of some of the problems."""
        return Losses(
            value=self.value[kept], share=self.share[kept], curvature=self.curvature[kept]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Problems with equally many columns of logits.

    Parameters are (problems, columns, 1 + p), the bias first; rows come last.
    """

    x: Tensor
    """(designs, n, p), for the same number of problems each, one design's after another's."""
    label: Tensor
    """(problems, n)."""
    weight: Tensor
    """(problems, 1, n), of sum 1 over the rows."""
    mask: Tensor
    """(problems, columns): 0, or a logit that is never named for a class without weight."""
    penalty: Tensor
    """(problems, 1, 1 + p), of the bias 0."""
    correlations: Correlations
    """About whose mean the bias is taken: there it hardly depends on the weights."""

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
        mask = x.new_zeros(len(weight), columns)
        if columns > 1:
            share = mask.scatter_add(1, label.where(weight > 0, 0), weight)
            mask = torch.where(share > 0, mask, NEVER)
        return cls(
            x=x,
            label=label,
            weight=weight[:, None],
            mask=mask,
            penalty=torch.nn.functional.pad(penalty.to(x), (1, 0))[:, None],
            correlations=correlations,
        )

    @property
    def divisible(self) -> bool:
        """Whether problems may leave it, which several designs must not."""
        return len(self.x) == 1

    def only(self, kept: Tensor) -> "Batch":
        """Some of the problems."""
        return replace(
            self,
            label=self.label[kept],
            weight=self.weight[kept],
            mask=self.mask[kept],
            penalty=self.penalty[kept],
        )

    def logits(self, theta: Tensor) -> Tensor:
        """Of all rows, (problems, columns, n)."""
        constant = self.bias(theta) + self.mask
        return _joined([self._forward(theta, constant, rows) for rows in _rows(self.x)])

    def losses(self, logits: Tensor) -> Losses:
        """Of logits, without the penalties."""
        if logits.shape[1] == 1:
            against = self._sign() * logits
            each, share = torch.nn.functional.softplus(against)[:, 0], against.sigmoid_()
        else:
            log_share, own = logits.log_softmax(dim=1), self.label[:, None]
            each = -log_share.gather(1, own)[:, 0]
            share = log_share.exp_()
            # a small loss is one of few digits as a difference of logits, of all by the others
            others = share.scatter(1, own, 0.0).sum(dim=1)
            each = torch.where(others < 0.5, -torch.log1p(-others.clamp(max=0.5)), each)
        return Losses(
            value=(self.weight[:, 0] * each).sum(dim=1).double(),
            share=share,
            curvature=(self.weight * share * (1 - share)).sum(dim=2),
        )

    def penalised(self, theta: Tensor) -> Tensor:
        """The penalties at some parameters, (problems,) in float64."""
        return dot(self.penalty * theta, theta) / 2

    def gradient(self, theta: Tensor, share: Tensor) -> Tensor:
        """Of the objectives."""
        residual = self.weight * share
        if residual.shape[1] == 1:
            residual *= self._sign()
        else:  # p - 1 of a row's own class has the digits of the others' p
            own = self.label[:, None]
            residual.scatter_(1, own, 0.0)
            residual.scatter_(1, own, -residual.sum(dim=1, keepdim=True))
        return self._backward(lambda rows: residual[:, :, rows]).addcmul_(self.penalty, theta)

    def curved(self, direction: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """The Hessian times a direction of the parameters, and the logits of the direction."""
        constant, parts = self.bias(direction), []

        def residual(rows: slice) -> Tensor:
            change, p = self._forward(direction, constant, rows), share[:, :, rows]
            parts.append(change)
            if p.shape[1] > 1:  # beside the own class's, or few digits are left where it is sure
                change = change - change.gather(1, self.label[:, None, rows])
            found = self.weight[:, :, rows] * p * change
            return found.addcmul(p, found.sum(dim=1, keepdim=True), value=-1)

        product = self._backward(residual).addcmul_(self.penalty, direction)
        return product, _joined(parts)

    def curvature(self, losses: Losses) -> "Curvature":
        """What is known of the Hessian where the losses are, without a pass over x."""
        c, known = losses.curvature.clamp(min=LEAST_CURVED)[:, :, None], self.correlations
        bound = c * known.variance + self.penalty[:, :, 1:]
        t = 1 - (self.penalty[:, :, 1:] / bound).mean(dim=2, keepdim=True)
        beside = 1 / (1 - t + t * known.rest).clamp(min=LEAST_REST)
        return Curvature(
            flattest=torch.cat([1 / c, (1 / self.penalty[:, :, 1:]).expand_as(bound)], dim=2),
            inverse=torch.cat([1 / c, beside / bound], dim=2),
            root=bound.rsqrt(),
            axes=known.axes,
            more=1 / (1 - t + t * known.values) - beside,
        )

    def _sign(self) -> Tensor:
        """Of the logit of two classes in what speaks against a row's own, (problems, 1, n)."""
        return (1 - 2 * self.label[:, None]).to(self.x)

    def theta(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Parameters of solutions as in `LogisticFits`; a bias of minus infinity is left at 0."""
        into = slice(1, 2) if self.mask.shape[1] == 1 else slice(self.mask.shape[1])
        w, b = weight[:, :, into].mT, bias[:, into, None]
        b = b.where(b > -torch.inf, 0.0) + (w * self.correlations.mean).sum(dim=2, keepdim=True)
        return torch.cat([b, w], dim=2)

    def bias(self, theta: Tensor) -> Tensor:
        """Where x is 0, (problems, columns)."""
        found: Tensor = theta[:, :, 0] - theta[:, :, 1:] @ self.correlations.mean
        return found

    def _forward(self, theta: Tensor, constant: Tensor, rows: slice) -> Tensor:
        w, x = theta[:, :, 1:].reshape(len(self.x), -1, self.x.shape[2]), self.x[:, rows]
        logits = torch.baddbmm(constant.view(len(x), -1, 1), w, x.mT)
        return logits.view(*constant.shape, -1)

    def _backward(self, residual: Callable[[slice], Tensor]) -> Tensor:
        """Gradient of the parameters by that of the logits, a block of rows after another."""
        found = self.x.new_zeros(*self.mask.shape, 1 + self.x.shape[2])
        bias, slope = found[:, :, 0], found.view(len(self.x), -1, found.shape[2])[:, :, 1:]
        for rows in _rows(self.x):
            part = residual(rows)
            slope.baddbmm_(part.view(len(self.x), -1, part.shape[2]), self.x[:, rows])
            bias += part.sum(dim=2)
        found[:, :, 1:].addcmul_(bias[:, :, None], self.correlations.mean, value=-1)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Curvature:
    """What is known of a Hessian, by which gradients are weighed."""

    flattest: Tensor
    """(problems, columns, 1 + p): inverse of the least that it can be along each parameter."""
    inverse: Tensor
    """The same shape: of what it is, without correlations."""
    root: Tensor
    """(problems, columns, p): of the inverse diagonal."""
    axes: Tensor
    """(p, r): leading eigenvectors of the columns' correlations."""
    more: Tensor
    """(problems, columns, r): inverse along them, beyond that beside them."""

    def only(self, kept: Tensor) -> "Curvature":
        """Of some of the problems."""
        return replace(
            self,
            flattest=self.flattest[kept],
            inverse=self.inverse[kept],
            root=self.root[kept],
            more=self.more[kept],
        )

    def gap(self, gradient: Tensor) -> Tensor:
        """How far objectives of such gradients are from their least values at most."""
        return dot(self.flattest * gradient, gradient) / 2

    def preconditioned(self, gradient: Tensor) -> Tensor:
        """The inverse of the estimated Hessian, times parameters."""
        found = self.inverse * gradient
        if self.axes.shape[1]:
            inner = self.more * ((self.root * gradient[:, :, 1:]) @ self.axes)
            found[:, :, 1:].addcmul_(self.root, inner @ self.axes.T)
        return found


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each problem's parameters, in float64."""
    return (a * b).sum(dim=(1, 2)).double()


def _joined(parts: list[Tensor]) -> Tensor:
    """Blocks of rows, which come last; without a copy of a single one."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def _rows(x: Tensor) -> list[slice]:
    """Blocks of rows that stay in the cache; on other devices than a processor they are large."""
    n, p = x.shape[1:]
    step = max(1, (CACHED if x.device.type == "cpu" else BUDGET) // p)
    return [slice(start, start + step) for start in range(0, n, step)]
