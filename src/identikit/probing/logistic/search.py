"""Batched L-BFGS (Liu and Nocedal 1989): every pass over the rows moves every problem.

It gives each its loss and gradient where it stands; who got far enough takes a new direction, who
did not a shorter step, who is done drops out.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.memory_mapped import select_rows
from identikit.probing.logistic.batch import BUDGET, Batch, Correlations
from identikit.probing.logistic.problem import LogisticFits, Start, Tasks

MEMORY = 10
PASSES = 1000
ARMIJO = 1e-4
READING = 10
"""What reading a row costs, in columns of logits and gradients computed from it."""
STILL, STALLED = 3, 1000
"""Passes in a row that change no digit of the loss, after which a search ends; and by how much
more than the tolerance its next step may then promise to count as converged."""
LEARNT = 5
"""Passes after which a search that did not start at 0 may end: only at 0 is the Hessian its bound,
elsewhere it is flatter and a first step gains more than the bound promises."""
LEAST_LOSS = 0.1
"""Where the loss is less, that share of this."""
TOLERANCE = 1e-6
"""Share of the loss that the next step may still promise; what is left is a few times that."""


def fit_logistic(
    x: Float[Tensor, "n p"],
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
        x: Features; arithmetic is in their dtype.
        tasks: What is to be told apart.
        task: The task of each problem.
        penalty: q of each problem, above 0.
        tolerance: Share of the loss that the next step may still promise.
        start: Where each problem starts; at zero without it.
        correlations: Of the columns of x, if they are known from more rows or another fit.
        overhead: What a block costs beside its rows, in rows times columns of logits.
    """
    classes, problems = int(tasks.classes.max()), len(task)
    found = LogisticFits(
        weight=x.new_zeros(problems, x.shape[1], classes),
        bias=x.new_full((problems, classes), -torch.inf),
        objective=x.new_zeros(problems),
        converged=torch.zeros(problems, dtype=torch.bool, device=x.device),
    )
    count, correlations = tasks.classes[task], correlations or Correlations.of(x)
    for own in torch.unique(count).tolist():
        columns = 1 if own == 2 else own
        same = (count == own).nonzero().flatten()
        for block in _blocks(tasks, task, same, columns=columns, overhead=overhead):
            weight, label = tasks.weight[task[block]], tasks.label[task[block]]
            used = (weight > 0).any(dim=0)
            part = x if bool(used.all()) else select_rows(x, used.nonzero().flatten())
            batch = Batch.of(
                part, label[:, used], weight[:, used], penalty[block], correlations, columns=columns
            )
            theta = x.new_zeros(len(block), columns, 1 + x.shape[1])
            if start is not None:
                theta = batch.theta(start.weight[block], start.bias[block])
            least = 0 if start is None else LEARNT
            _solve(batch, theta, found, block, tolerance=tolerance, least=least)
    return found


def _blocks(
    tasks: Tasks, task: Tensor, problems: Tensor, *, columns: int, overhead: int
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


@dataclass(slots=True, kw_only=True)
class _State:
    """Where the search of each problem stands."""

    theta: Tensor
    value: Tensor
    gradient: Tensor
    size: Tensor
    """Of the step to try."""
    still: Tensor
    """Passes in a row that changed no digit."""
    scale: Tensor
    """Of the bound, by which it fits the last step."""
    memory: list[tuple[Tensor, Tensor, Tensor]]
    """Steps s, the changes y of the gradient over them, and 1 / s'y, or 0 for no step."""

    def only(self, kept: Tensor) -> "_State":
        """Some of the problems."""
        return _State(
            theta=self.theta[kept],
            value=self.value[kept],
            gradient=self.gradient[kept],
            size=self.size[kept],
            still=self.still[kept],
            scale=self.scale[kept],
            memory=[(s[kept], y[kept], rho[kept]) for s, y, rho in self.memory],
        )


def _solve(
    batch: Batch, theta: Tensor, found: LogisticFits, rows: Tensor, *, tolerance: float, least: int
) -> None:
    """L-BFGS from theta; writes each problem's solution into its row of `found` and drops it."""
    columns = batch.mask.shape[1]
    state = _start(batch, theta)
    for count in range(PASSES + 1):
        direction = -_two_loops(state, batch)
        slope = _dot(state.gradient, direction)
        promise = torch.minimum(-slope / 2, state.value)  # no objective is below 0
        allowed = tolerance * state.value.clamp(min=LEAST_LOSS)
        ended = state.still == STILL
        good = (promise <= allowed) | (ended & (promise <= STALLED * allowed))
        done = (good & (count >= least)) | ended | (count == PASSES)
        if bool(done.all()) or done.double().mean() > 0.2:
            into = slice(1, 2) if columns == 1 else slice(columns)
            found.bias[rows[done], : into.stop] = 0.0
            found.weight[rows[done], :, into] = state.theta[done, :, 1:].mT
            bias = batch.bias(state.theta)[done]
            found.bias[rows[done], into] = bias.where(batch.mask[done] == 0, -torch.inf)
            found.objective[rows[done]] = state.value[done].to(found.objective)
            found.converged[rows[done]] = good[done]
            if bool(done.all()):
                return
            batch, state, rows = batch.only(~done), state.only(~done), rows[~done]
            direction, slope = direction[~done], slope[~done]
        _step(batch, state, direction, slope)


def _start(batch: Batch, theta: Tensor) -> _State:
    value, gradient = batch.evaluate(theta)
    return _State(
        theta=theta,
        value=value,
        gradient=gradient,
        size=torch.ones_like(value),
        still=torch.zeros_like(value),
        scale=torch.ones_like(value),
        memory=[],
    )


def _step(batch: Batch, state: _State, direction: Tensor, slope: Tensor) -> None:
    """Try a step of every problem: those that gain enough take it, others try a shorter one."""
    moved = state.size.to(direction)[:, None, None] * direction
    value, gradient = batch.evaluate(state.theta + moved)
    slack = 10 * torch.finfo(direction.dtype).eps * state.value
    gained = state.value - value
    taken = gained >= -ARMIJO * state.size * slope - slack
    # the lowest point of the parabola through what is known of the line
    fall = -state.size * slope
    shorter = state.size * (fall / (2 * (fall - gained)).clamp(min=fall)).clamp(0.1, 0.5)
    state.size = torch.where(taken, 1.0, shorter)
    state.still = torch.where(gained.abs() > 0.4 * slack, 0.0, state.still + 1)
    keep = taken[:, None, None]
    s, y = (torch.where(keep, a, 0.0) for a in (moved, gradient - state.gradient))
    product = _dot(s, y)
    rho = torch.where(product > 0, 1 / product.where(product > 0, 1.0), 0.0)
    fitting = product / _dot(y, batch.preconditioned(y)).where(product > 0, 1.0)
    state.scale = torch.where(product > 0, fitting, state.scale)
    state.memory = [*state.memory, (s, y, rho)][-MEMORY:]
    state.theta = state.theta + s
    state.gradient = torch.where(keep, gradient, state.gradient)
    state.value = torch.where(taken, value, state.value)


def _two_loops(state: _State, batch: Batch) -> Tensor:
    """The inverse Hessian, as the last steps show it, times the gradient."""
    q, alphas = state.gradient.clone(), []
    for s, y, rho in reversed(state.memory):
        alphas.append(rho * _dot(s, q))
        q.addcmul_(alphas[-1].to(q)[:, None, None], y, value=-1)
    q = batch.preconditioned(q) * state.scale.to(q)[:, None, None]
    for (s, y, rho), alpha in zip(state.memory, reversed(alphas), strict=True):
        q.addcmul_((alpha - rho * _dot(y, q)).to(q)[:, None, None], s)
    return q


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each problem's parameters, in float64."""
    return (a * b).sum(dim=(1, 2)).double()
