"""Logistic regression for many problems at once that share features.

    min_{W, b}  sum_n u_n (-log softmax(W x_n + b)_{y_n}) / sum_n u_n  +  1/2 sum_j q_j |w_j|²

A problem is a task (labels y and weights u of the rows: a factor, a fold, a repetition) with
penalties q. Two classes are one logit, as in scikit-learn; more are a softmax over all classes, in
which classes without weight are masked. Batched L-BFGS (Liu and Nocedal 1989): all problems move by
one product with x for their directions and one for their gradients, and line searches need
none, since logits are linear in the step. It starts from the bound of the Hessian

    H <= kappa E[x x'] + q,  kappa = 1/4 for two classes, 1/2 for more     (Böhning 1992)

by its diagonal, which is nearly all of it where x are principal coordinates. x is (n, p).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MEMORY = 10
STEPS = 500
ARMIJO, CURVATURE, TRIES = 1e-4, 0.9, 20
BUDGET = 1 << 24
"""Logits at a time."""
ALONE = 4
"""What a row costs in a product with one column, over its cost in a product with many."""
BLOCK = 10_000_000
"""Numbers of x that could be multiplied with a column in the time that a block takes beside."""
STILL, STALLED = 3, 1000
"""Steps in a row that change no digit of the loss, after which a search ends; and by how much
more than the tolerance its next step may then promise to count as converged."""
LEAST_LOSS = 1e-3
"""Where the loss is less, that share of this."""
TOLERANCE = 1e-7
"""Share of the loss that the next step may still promise."""


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
        x: Features, best in principal coordinates; arithmetic is in their dtype.
        tasks: What is to be told apart.
        task: The task of each problem.
        penalty: q of each problem, above 0.
        tolerance: Share of the loss that the next step may still promise.
    """
    classes = int(tasks.classes.max())
    problems = len(task)
    found = Fitted(
        weight=x.new_zeros(problems, x.shape[1], classes),
        bias=x.new_full((problems, classes), -torch.inf),
        objective=x.new_zeros(problems),
        converged=torch.zeros(problems, dtype=torch.bool, device=x.device),
    )
    count = tasks.classes[task]
    for own in torch.unique(count).tolist():
        columns = 1 if own == 2 else own
        for block in _blocks(
            tasks, task, (count == own).nonzero().flatten(), columns=columns, width=x.shape[1]
        ):
            weight, label = tasks.weight[task[block]], tasks.label[task[block]]
            used = (weight > 0).any(dim=0)
            part = x if bool(used.all()) else x[used]
            batch = _Batch.of(part, label[:, used], weight[:, used], penalty[block], columns)
            _solve(batch, found, block, tolerance)
    return found


def _blocks(
    tasks: Tasks, task: Tensor, problems: Tensor, *, columns: int, width: int
) -> list[Tensor]:
    """Problems to be solved together: they fit into memory, and their rows are much the same.

    A row costs a product with many columns a fraction of what it costs one with a single
    column, and every block costs time of its own, so it pays to carry along rows that only
    some of the problems use, up to a point.
    """
    blocks: list[list[int]] = []
    union = torch.zeros(0, dtype=torch.bool)
    for problem in problems.tolist():
        used = tasks.weight[task[problem]] > 0
        if blocks:
            joint, count = union | used, len(blocks[-1])
            work = int(joint.sum()) * (count + 1)
            more = work - int(union.sum()) * count
            if work * columns <= BUDGET and more <= ALONE * int(used.sum()) + BLOCK // width:
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
class _Batch:
    """Problems with equally many logit columns, which come last; problems come before them.

    In memory rows are contiguous: products of a thin matrix with x run up to twice as fast so,
    and all else is elementwise.
    """

    x: Tensor
    weight: Tensor
    """(n, problems, 1), of sum 1 over the rows."""
    target: Tensor
    """(n, problems, columns): 1 for the label, else 0."""
    mask: Tensor
    """(problems, columns): 0, or minus infinity for a class without weight."""
    penalty: Tensor
    """(p, problems, 1)."""
    bound: Tensor
    """(1 + p, problems, 1): of the Hessian's diagonal; the bias comes first."""

    @classmethod
    def of(
        cls, x: Tensor, label: Tensor, weight: Tensor, penalty: Tensor, columns: int
    ) -> "_Batch":
        weight = (weight / weight.sum(dim=1, keepdim=True)).to(x)
        label, kappa = label.T, 0.25 if columns == 1 else 0.5
        target, mask = label[:, :, None].to(x), x.new_zeros(len(weight), columns)
        if columns > 1:
            each = torch.arange(columns, device=x.device)
            target = (label.T[:, None] == each[:, None]).to(x).permute(2, 0, 1)
            share = torch.einsum("bn,nbc->bc", weight, target)
            mask = mask.masked_fill(share == 0, -torch.inf)
            target = target * (share > 0)
        square = kappa * (x.square().T @ weight.T) + penalty.to(x).T
        return cls(
            x=x,
            weight=weight.T[:, :, None],
            target=target,
            mask=mask,
            penalty=penalty.to(x).T[:, :, None],
            bound=torch.cat([torch.full_like(square[:1], kappa), square])[:, :, None],
        )

    def only(self, kept: Tensor) -> "_Batch":
        """Some of the problems."""
        return _Batch(
            x=self.x,
            weight=self.weight[:, kept],
            target=self.target[:, kept],
            mask=self.mask[kept],
            penalty=self.penalty[:, kept],
            bound=self.bound[:, kept],
        )

    def product(self, theta: Tensor) -> Tensor:
        """Logits of the parameters, (n, problems, columns)."""
        flat = (theta[1:].flatten(1).T.contiguous() @ self.x.T).T
        return flat.view(len(self.x), *theta.shape[1:]) + theta[0]

    def gradient(self, theta: Tensor, residual: Tensor) -> Tensor:
        """Of the objective, from the derivatives of the loss by the logits."""
        slope = (residual.flatten(1).T @ self.x).T.view(theta[1:].shape)
        return torch.cat([residual.sum(dim=0, keepdim=True), slope + self.penalty * theta[1:]])

    def loss(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted mean log-loss of each problem, and its derivatives by the logits."""
        if logits.shape[2] == 1:
            each = torch.nn.functional.softplus(logits) - self.target * logits
            residual = self.weight * (logits.sigmoid() - self.target)
            return (self.weight * each).sum(dim=(0, 2)), residual
        log_share = (logits + self.mask).log_softmax(dim=2)
        each = -torch.where(self.target > 0, log_share, 0.0)
        return (self.weight * each).sum(dim=(0, 2)), self.weight * (log_share.exp() - self.target)


@dataclass(slots=True, kw_only=True)
class _State:
    """Where the search of each problem stands."""

    theta: Tensor
    logits: Tensor
    loss: Tensor
    value: Tensor
    """Loss with penalty."""
    residual: Tensor
    gradient: Tensor
    steps: list[Tensor]
    changes: list[Tensor]
    """Of the gradient, over the steps."""

    def only(self, kept: Tensor) -> "_State":
        """Some of the problems."""
        return _State(
            theta=self.theta[:, kept],
            logits=self.logits[:, kept],
            loss=self.loss[kept],
            value=self.value[kept],
            residual=self.residual[:, kept],
            gradient=self.gradient[:, kept],
            steps=[step[:, kept] for step in self.steps],
            changes=[change[:, kept] for change in self.changes],
        )


def _solve(batch: _Batch, found: Fitted, rows: Tensor, tolerance: float) -> None:
    """L-BFGS; writes each problem's solution into its row of `found` and drops it."""
    columns = batch.mask.shape[1]
    state = _start(batch)
    still = torch.zeros_like(rows)
    for step in range(STEPS + 1):
        direction = -_two_loops(state, batch.bound)
        promise = -0.5 * (state.gradient * direction).sum(dim=(0, 2))
        promise = torch.minimum(promise, state.value)  # no objective is below 0
        allowed = tolerance * state.value.clamp(min=LEAST_LOSS)
        good = (promise <= allowed) | ((still == STILL) & (promise <= STALLED * allowed))
        done = good | (still == STILL) | (step == STEPS)
        if bool(done.all()) or done.double().mean() > 0.2:
            into = slice(1, 2) if columns == 1 else slice(columns)
            found.bias[rows[done], : into.stop] = 0.0
            found.weight[rows[done], :, into] = state.theta[1:, done].movedim(0, 1)
            found.bias[rows[done], into] = state.theta[0, done] + batch.mask[done]
            found.objective[rows[done]] = state.value[done]
            found.converged[rows[done]] = good[done]
            if bool(done.all()):
                return
            batch, state, rows = batch.only(~done), state.only(~done), rows[~done]
            direction, still = direction[:, ~done], still[~done]
        before = state.value
        _step(batch, state, direction)
        moved = before - state.value > 4 * torch.finfo(before.dtype).eps * before
        still = torch.where(moved, 0, still + 1)


def _start(batch: _Batch) -> _State:
    problems, columns = batch.mask.shape
    theta = batch.x.new_zeros(len(batch.bound), problems, columns)
    logits = batch.x.new_zeros(len(batch.x), problems, columns)
    loss, residual = batch.loss(logits)
    gradient = batch.gradient(theta, residual)
    return _State(
        theta=theta,
        logits=logits,
        loss=loss,
        value=loss,
        residual=residual,
        gradient=gradient,
        steps=[],
        changes=[],
    )


def _step(batch: _Batch, state: _State, direction: Tensor) -> None:
    """One step of every problem."""
    along = batch.product(direction)
    size = _search(batch, state, direction, along)[:, None]
    moved = size * direction
    state.theta = state.theta + moved
    state.logits = state.logits + size * along
    gradient = batch.gradient(state.theta, state.residual)
    state.steps = [*state.steps, moved][-MEMORY:]
    state.changes = [*state.changes, gradient - state.gradient][-MEMORY:]
    state.gradient = gradient


def _search(batch: _Batch, state: _State, direction: Tensor, along: Tensor) -> Tensor:
    """Step sizes by the weak Wolfe conditions, by doubling and halving; moves losses too."""
    slope = (state.gradient * direction).sum(dim=(0, 2))
    turn = (batch.penalty * state.theta[1:] * direction[1:]).sum(dim=(0, 2))
    bend = (batch.penalty * direction[1:].square()).sum(dim=(0, 2))
    start = state.value
    slack = 10 * torch.finfo(start.dtype).eps * start
    low, size = torch.zeros_like(start), torch.ones_like(start)
    high = torch.full_like(start, torch.inf)
    for attempt in range(TRIES + 1):
        loss, residual = batch.loss(state.logits + size[:, None] * along)
        value = start - state.loss + loss + size * (turn + size * bend / 2)
        rising = (residual * along).sum(dim=(0, 2)) + turn + size * bend
        low_enough = value <= start + ARMIJO * size * slope + slack
        far_enough = rising >= CURVATURE * slope
        settled = low_enough & far_enough
        if attempt == TRIES or bool(settled.all()):
            break
        high = torch.where(low_enough, high, size)
        low = torch.where(low_enough & ~far_enough, size, low)
        further = torch.where(high.isinf(), 2 * size, (low + high) / 2)
        further = further if attempt < TRIES - 1 else low  # what is sure, or no step at all
        size = torch.where(settled, size, further)
    state.loss, state.value, state.residual = loss, value, residual
    return size


def _two_loops(state: _State, bound: Tensor) -> Tensor:
    """The inverse Hessian, as the last steps show it, times the gradient."""
    q, memory = state.gradient.clone(), []
    for s, y in zip(reversed(state.steps), reversed(state.changes), strict=True):
        product = (s * y).sum(dim=(0, 2))
        rho = torch.where(product > 0, 1 / product.where(product > 0, 1.0), 0.0)
        alpha = rho * (s * q).sum(dim=(0, 2))
        q -= alpha[:, None] * y
        memory.append((s, y, rho, alpha))
    q /= bound
    if memory:
        s, y, rho, _ = memory[0]
        scale = (s * y).sum(dim=(0, 2)) / (y.square() / bound).sum(dim=(0, 2))
        q *= torch.where(rho > 0, scale, 1.0)[:, None]
    for s, y, rho, alpha in reversed(memory):
        q += (alpha - rho * (y * q).sum(dim=(0, 2)))[:, None] * s
    return q
