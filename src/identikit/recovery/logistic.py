"""Logistic regression for many problems at once that share features.

    min_{W, b}  sum_n u_n (-log softmax(W x_n + b)_{y_n}) / sum_n u_n  +  1/2 sum_j q_j |w_j|²

A problem is a task (labels y and weights u of the rows: a factor, a fold, a repetition) with
penalties q. Two classes are one logit, as in scikit-learn; more are a softmax over all classes, in
which classes without weight are masked. Batched L-BFGS (Liu and Nocedal 1989): every pass over
the rows gives every problem its loss and gradient where it stands; who got far enough takes a
new direction, who did not a shorter step. A block of rows makes logits and gradients while it
is in the processor's cache. All searches are preconditioned by the bound of the Hessian

    H <= kappa E[x x'] + q,  kappa = 1/4 for two classes, 1/2 for more     (Böhning 1992)

as D^1/2 (1 + t (C - 1)) D^1/2: its diagonal D is each problem's own, the correlations C of the
columns of x are shared, by their leading eigenvectors and the mean of the other eigenvalues,
and t = 1 - mean q / D. Both are about the mean, which each problem takes off its rows, so that
weights and bias do not depend on each other. x is (n, p).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from identikit.mapped import taken

MEMORY = 10
PASSES = 1000
ARMIJO = 1e-4
BUDGET = 1 << 24
"""Logits at a time."""
CACHED = 1 << 19
"""Numbers of x that are read once for logits and gradients: 2 MiB in float32."""
READING = 10
"""What reading a row costs, in columns of logits and gradients computed from it."""
STILL, STALLED = 3, 1000
"""Passes in a row that change no digit of the loss, after which a search ends; and by how much
more than the tolerance its next step may then promise to count as converged."""
LEAST_LOSS = 0.1
"""Where the loss is less, that share of this."""
TOLERANCE = 1e-7
"""Share of the loss that the next step may still promise; what is left is a few times that."""
LEADING = 96
"""Eigenvectors of the shared correlations."""
SAMPLE = 2
"""Rows for each column, from which they are found."""
LEAST = 1e-3
"""Of the other eigenvalues, where hardly anything varies along them."""
NEVER = -1e9
"""Logit of a class that a task lacks, while it is searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Labels to be told apart, of the same rows."""

    label: Int[Tensor, "tasks n"]
    weight: Float[Tensor, "tasks n"]
    """Of each row in the loss; 0 leaves it out."""
    classes: Int[Tensor, " tasks"]
    """Number of classes of each task; labels are below it where the weight is not 0."""

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The solution of each problem; of two classes the first has the logit 0."""

    weight: Float[Tensor, "problems p classes"]
    bias: Float[Tensor, "problems classes"]
    """Minus infinity for classes that the task does not have."""
    objective: Float[Tensor, " problems"]
    converged: Bool[Tensor, " problems"]

    def logits(self, x: Float[Tensor, "n p"]) -> Float[Tensor, "problems n classes"]:
        """W x + b of every problem."""
        found: Tensor = torch.einsum("np,bpc->bnc", x, self.weight) + self.bias[:, None]
        return found


def fit(
    x: Float[Tensor, "n p"],
    tasks: Tasks,
    *,
    task: Int[Tensor, " problems"],
    penalty: Float[Tensor, "problems p"],
    tolerance: float = TOLERANCE,
) -> Fitted:
    """Solve all problems, those with equally many classes together, in blocks.

    Args:
        x: Features; arithmetic is in their dtype.
        tasks: What is to be told apart.
        task: The task of each problem.
        penalty: q of each problem, above 0.
        tolerance: Share of the loss that the next step may still promise.
    """
    classes, problems = int(tasks.classes.max()), len(task)
    found = Fitted(
        weight=x.new_zeros(problems, x.shape[1], classes),
        bias=x.new_full((problems, classes), -torch.inf),
        objective=x.new_zeros(problems),
        converged=torch.zeros(problems, dtype=torch.bool, device=x.device),
    )
    count, shared = tasks.classes[task], _Correlations.of(x)
    for own in torch.unique(count).tolist():
        columns = 1 if own == 2 else own
        for block in _blocks(tasks, task, (count == own).nonzero().flatten(), columns=columns):
            weight, label = tasks.weight[task[block]], tasks.label[task[block]]
            used = (weight > 0).any(dim=0)
            part = x if bool(used.all()) else taken(x, used.nonzero().flatten())
            batch = _Batch.of(
                part, label[:, used], weight[:, used], penalty[block], shared, columns=columns
            )
            _solve(batch, found, block, tolerance)
    return found


def _blocks(tasks: Tasks, task: Tensor, problems: Tensor, *, columns: int) -> list[Tensor]:
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
            if together <= apart and int(joint.sum()) * (count + columns) <= BUDGET:
                blocks[-1].append(problem)
                union = joint
                continue
        blocks.append([problem])
        union = used
    return [torch.tensor(block, device=task.device) for block in blocks]


def losses(
    logits: Float[Tensor, "problems n classes"],
    label: Int[Tensor, "problems n"],
    weight: Float[Tensor, "problems n"],
) -> Float[Tensor, " problems"]:
    """Weighted mean of -log softmax(logits)_label, over the rows with weight; 0 without any."""
    of_label = logits.log_softmax(dim=2).gather(2, label[:, :, None])[:, :, 0]
    kept = weight > 0
    total = -torch.where(kept, weight * of_label, 0.0).sum(dim=1)
    mean: Tensor = total / weight.sum(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
    return mean


@dataclass(frozen=True, slots=True, kw_only=True)
class _Correlations:
    """Of the columns of x: eigenvectors (p, r), eigenvalues, and the mean of the others."""

    axes: Tensor
    values: Tensor
    rest: float

    @classmethod
    def of(cls, x: Tensor) -> "_Correlations":
        """By two steps of subspace iteration from some of the rows."""
        n, p = x.shape
        rows = x[:: max(1, n // (SAMPLE * p + LEADING))]
        rows = rows - rows.mean(dim=0)
        size = rows.square().mean(dim=0).sqrt()
        rows = rows / torch.where(size > 0, size, 1.0) / len(rows) ** 0.5
        r = min(LEADING, *rows.shape)
        axes = rows[torch.linspace(0, len(rows) - 1, r, device=x.device).long()].T
        for _ in range(2):
            axes = torch.linalg.qr(rows.T @ (rows @ axes)).Q
        image = rows @ axes
        values, turn = torch.linalg.eigh(image.T @ image)
        rest = max(0.0, rows.square().sum().item() - values.sum().item()) / max(1, p - r)
        return cls(axes=axes @ turn, values=values, rest=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
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
    """(problems, 1, p): of the rows, by weight."""
    penalty: Tensor
    """(problems, 1, 1 + p), of the bias 0; the bias is that at the mean."""
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
        shared: _Correlations,
        *,
        columns: int,
    ) -> "_Batch":
        weight = (weight / weight.sum(dim=1, keepdim=True)).to(x)
        mask, kappa = x.new_zeros(len(weight), columns), 0.25 if columns == 1 else 0.5
        if columns > 1:
            share = mask.scatter_add(1, label.where(weight > 0, 0), weight)
            mask = torch.where(share > 0, mask, NEVER)
        penalty = torch.nn.functional.pad(penalty.to(x), (1, 0))[:, None]
        mean, variance = _moments(x, weight)
        moments = torch.nn.functional.pad(variance, (1, 0), value=1.0)[:, None]
        bound = kappa * moments + penalty
        t = 1 - (penalty / bound)[:, :, 1:].mean(dim=2, keepdim=True)
        return cls(
            x=x,
            label=label,
            weight=weight,
            mask=mask,
            mean=mean[:, None],
            penalty=penalty,
            bound=bound,
            axes=shared.axes,
            along=1 / (1 - t + t * shared.values),
            beside=1 / (1 - t + t * shared.rest).clamp(min=LEAST),
        )

    def only(self, kept: Tensor) -> "_Batch":
        """Some of the problems."""
        return _Batch(
            x=self.x,
            label=self.label[kept],
            weight=self.weight[kept],
            mask=self.mask[kept],
            mean=self.mean[kept],
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

    def bias(self, theta: Tensor) -> Tensor:
        """Where x is 0, (problems, columns)."""
        found: Tensor = theta[:, :, 0] - (theta[:, :, 1:] * self.mean).sum(dim=2)
        return found


def _rows(x: Tensor) -> list[slice]:
    """Blocks of rows that stay in the cache; on other devices than a processor they are large."""
    step = max(1, (CACHED if x.device.type == "cpu" else BUDGET) // x.shape[1])
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _moments(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and variance of each column, (problems, p)."""
    mean = weight @ x
    square = torch.zeros_like(mean)
    for rows in _rows(x):
        square.addmm_(weight[:, rows], x[rows].square())
    return mean, (square - mean.square()).clamp(min=0)


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


def _solve(batch: _Batch, found: Fitted, rows: Tensor, tolerance: float) -> None:
    """L-BFGS; writes each problem's solution into its row of `found` and drops it."""
    columns = batch.mask.shape[1]
    state = _start(batch)
    for count in range(PASSES + 1):
        direction = -_two_loops(state, batch)
        slope = _dot(state.gradient, direction)
        promise = torch.minimum(-slope / 2, state.value)  # no objective is below 0
        allowed = tolerance * state.value.clamp(min=LEAST_LOSS)
        ended = state.still == STILL
        good = (promise <= allowed) | (ended & (promise <= STALLED * allowed))
        done = good | ended | (count == PASSES)
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


def _start(batch: _Batch) -> _State:
    problems, columns = batch.mask.shape
    theta = batch.x.new_zeros(problems, columns, batch.bound.shape[2])
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


def _step(batch: _Batch, state: _State, direction: Tensor, slope: Tensor) -> None:
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


def _two_loops(state: _State, batch: _Batch) -> Tensor:
    """The inverse Hessian, as the last steps show it, times the gradient."""
    q, alphas = state.gradient.clone(), []
    for s, y, rho in reversed(state.memory):
        alphas.append(rho * _dot(s, q))
        q -= alphas[-1].to(q)[:, None, None] * y
    q = batch.preconditioned(q) * state.scale.to(q)[:, None, None]
    for (s, y, rho), alpha in zip(state.memory, reversed(alphas), strict=True):
        q += (alpha - rho * _dot(y, q)).to(q)[:, None, None] * s
    return q


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each problem's parameters, in float64."""
    return (a * b).sum(dim=(1, 2)).double()
