"""Newton's method for many problems at once (Lin, Weng and Keerthi 2008), up to a known gap.

Each step solves the equations of all problems by preconditioned conjugate gradients as far as it
pays, and is halved for those that would not gain by it; who is done drops out. A problem is done
when its objective is at most a share of itself above the least one, which a bound says
(`batch.Curvature.gap`) however flat it is there.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.memory_mapped import select_rows
from identikit.probing.logistic.batch import (
    BUDGET,
    Batch,
    Correlations,
    Curvature,
    Losses,
    dot,
)
from identikit.probing.logistic.problem import LogisticFits, Start, Tasks

STEPS, PRODUCTS, HALVINGS = 100, 500, 20
"""Most steps of a search, products with the Hessian in one, and halvings of one."""
ARMIJO = 1e-4
READING = 10
"""What reading a row costs, in columns of logits and gradients computed from it."""
MOST = 0.8
"""Share of the problems below which those that are done are dropped."""
FORCING = 1e-2
"""Share of the gap that the equations of a step leave."""
STALLED = 1000
"""Times the tolerance that a search which rounding ended may leave and count as converged."""
ROUNDING = 10
"""Rounding errors of its objective by which a step may seem to lose, and a last one gain."""
TOLERANCE = 1e-6
"""Share of the objective that may be left."""


def fit_logistic(
    x: Float[Tensor, "*designs n p"],
    tasks: Tasks,
    *,
    task: Int[Tensor, " problems"],
    penalty: Float[Tensor, "problems p"],
    tolerance: float = TOLERANCE,
    start: Start | None = None,
    correlations: Correlations | None = None,
    overhead: int = 0,
) -> LogisticFits:
    """Solve all problems, those with equally many classes together, in blocks.

    Args:
        x: Features; arithmetic is in their dtype. Of several designs each has as many problems
            of every number of classes, one design's after another's, which are solved together.
        tasks: What is to be told apart.
        task: The task of each problem.
        penalty: q of each problem, above 0.
        tolerance: Share of its objective by which a solution's may be above the least one.
        start: Where each problem starts; at zero without it.
        correlations: Of the columns of x, if they are known from more rows or another fit.
        overhead: What a block costs beside its rows, in rows times columns of logits.
    """
    classes, problems = int(tasks.classes.max()), len(task)
    found = LogisticFits(
        weight=x.new_zeros(problems, x.shape[-1], classes),
        bias=x.new_full((problems, classes), -torch.inf),
        objective=x.new_zeros(problems),
        converged=torch.zeros(problems, dtype=torch.bool, device=x.device),
    )
    count, correlations = tasks.classes[task], correlations or Correlations.of(x)
    for own in torch.unique(count).tolist():
        columns = 1 if own == 2 else own
        same = (count == own).nonzero().flatten()
        alone = x.ndim == 2
        parts = _blocks(tasks, task, same, columns, overhead) if alone else [same]
        for block in parts:
            weight, label, design = tasks.weight[task[block]], tasks.label[task[block]], x
            used = (weight > 0).any(dim=0)
            if alone:
                whole = bool(used.all())
                design = (x if whole else select_rows(x, used.nonzero().flatten()))[None]
                weight, label = weight[:, used], label[:, used]
            batch = Batch.of(design, label, weight, penalty[block], correlations, columns=columns)
            theta = x.new_zeros(len(block), columns, 1 + x.shape[-1])
            if start is not None:
                theta = batch.theta(start.weight[block], start.bias[block])
            _solve(batch, theta, found, block, tolerance=tolerance)
    return found


def _blocks(
    tasks: Tasks, task: Tensor, problems: Tensor, columns: int, overhead: int
) -> list[Tensor]:
    """Problems to be solved together: they fit into memory, and their rows are much the same.

    Rows are read once for all problems of a block, so it pays to carry along rows that only some
    of the problems use, up to a point.
    """
    blocks: list[list[int]] = []
    union = torch.zeros(0, dtype=torch.bool)
    for problem in problems.tolist():
        used = tasks.weight[task[problem]] > 0
        if blocks:
            joint, count = union | used, columns * len(blocks[-1])
            apart = int(union.sum()) * (READING + count) + int(used.sum()) * (READING + columns)
            together = int(joint.sum()) * (READING + count + columns)
            if together <= apart + overhead and int(joint.sum()) * (count + columns) <= BUDGET:
                blocks[-1].append(problem)
                union = joint
                continue
        blocks.append([problem])
        union = used
    return [torch.tensor(block, device=task.device) for block in blocks]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Where the search of each problem stands."""

    theta: Tensor
    logits: Tensor
    losses: Losses
    value: Tensor
    gradient: Tensor

    @classmethod
    def at(cls, batch: Batch, theta: Tensor, logits: Tensor, losses: Losses) -> "_Point":
        return cls(
            theta=theta,
            logits=logits,
            losses=losses,
            value=losses.value + batch.penalised(theta),
            gradient=batch.gradient(theta, losses.share),
        )

    def only(self, kept: Tensor) -> "_Point":
        """Of some of the problems."""
        return _Point(
            theta=self.theta[kept],
            logits=self.logits[kept],
            losses=self.losses.only(kept),
            value=self.value[kept],
            gradient=self.gradient[kept],
        )


def _solve(
    batch: Batch, theta: Tensor, found: LogisticFits, rows: Tensor, *, tolerance: float
) -> None:
    """Search from theta; writes each problem's solution into its row of `found` and drops it."""
    columns = batch.mask.shape[1]
    into = slice(1, 2) if columns == 1 else slice(columns)
    logits = batch.logits(theta)
    point = _Point.at(batch, theta, logits, batch.losses(logits))
    still = torch.zeros_like(rows, dtype=torch.bool)
    for count in range(STEPS + 1):
        allowed = tolerance * point.value.clamp(min=torch.finfo(theta.dtype).eps)
        curvature = batch.curvature(point.losses)
        gap = curvature.gap(point.gradient)
        done = (gap <= allowed) | still | (count == STEPS)
        if bool(done.any() if batch.divisible else done.all()):
            found.bias[rows[done], : into.stop] = 0.0
            found.weight[rows[done], :, into] = point.theta[done, :, 1:].mT
            bias = batch.bias(point.theta)[done]
            found.bias[rows[done], into] = bias.where(batch.mask[done] == 0, -torch.inf)
            found.objective[rows[done]] = point.value[done].to(found.objective)
            found.converged[rows[done]] = (gap <= STALLED * allowed)[done]
            if bool(done.all()):
                return
            batch, point, rows = batch.only(~done), point.only(~done), rows[~done]
            gap, allowed, curvature = gap[~done], allowed[~done], curvature.only(~done)
            done = done[~done]
        leave = torch.maximum(FORCING * gap, allowed / 4).where(~done, torch.inf)
        point, still = _step(batch, point, curvature, leave)


def _step(
    batch: Batch, point: _Point, curvature: Curvature, leave: Tensor
) -> tuple[_Point, Tensor]:
    """Newton's, halved until each problem gains by it; and who does not gain any more."""
    direction, change = _direction(batch, point, curvature, leave)
    slope = dot(point.gradient, direction)
    slack = ROUNDING * torch.finfo(direction.dtype).eps * point.value
    size = torch.ones_like(slope)
    for _ in range(HALVINGS):
        by = size.to(direction)[:, None, None]
        theta, logits = point.theta + by * direction, point.logits + by * change
        losses = batch.losses(logits)
        gained = point.value - losses.value - batch.penalised(theta)
        short = gained < -ARMIJO * size * slope - slack
        if not bool(short.any()):
            break
        size = torch.where(short, size / 2, size)
    return _Point.at(batch, theta, logits, losses), gained <= slack


def _direction(
    batch: Batch, point: _Point, curvature: Curvature, leave: Tensor
) -> tuple[Tensor, Tensor]:
    """Newton's direction, its gap as small as the equations may leave it, and its logits."""
    direction, change = torch.zeros_like(point.theta), torch.zeros_like(point.logits)
    rows, share, rest = (
        torch.arange(len(leave), device=leave.device),
        point.losses.share,
        -point.gradient,
    )
    d, f, ahead = direction.clone(), change.clone(), curvature.preconditioned(rest)
    size, going = dot(rest, ahead), leave < torch.inf
    for _ in range(PRODUCTS):
        product, logits = batch.curved(ahead, share)
        by = _ratio(size, dot(ahead, product)).to(d) * going[:, None, None]
        d.addcmul_(by, ahead)
        f.addcmul_(by, logits)
        rest = torch.addcmul(rest, by, product, value=-1)
        going = going & (curvature.gap(rest) > leave)
        if not bool(going.any()) or (batch.divisible and going.double().mean() < MOST):
            direction[rows], change[rows] = d, f
            if not bool(going.any()):
                break
            batch, curvature, rows = batch.only(going), curvature.only(going), rows[going]
            share, leave, size = share[going], leave[going], size[going]
            d, f, rest, ahead = d[going], f[going], rest[going], ahead[going]
            going = going[going]
        z, last = curvature.preconditioned(rest), size
        size = dot(rest, z)
        ahead = z.addcmul_(_ratio(size, last).to(d), ahead)
    else:
        direction[rows], change[rows] = d, f
    return direction, change


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """Of numbers of each problem, for its parameters; 0 where there is nothing left."""
    return torch.where(b > 0, a / b, 0.0)[:, None, None]
