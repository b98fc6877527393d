"""The best an encoder of given width can do: min over h(.), W of E_z KL(p(.|z) || softmax(W h(z))).

For fixed rows the features of one sample solve a convex problem of their own, that of an
exponential family, E_q[w] = E_p[w], so Newton's method finds them for all samples at once
and only the rows are searched (variable projection; by the envelope theorem their gradient
is E_z (q - p) h'). Nothing stands for an encoder: h is free at each sample.
Source: the loss is the paper's (arXiv:2410.21869, equation 2); optimising it over free
features on the true posterior is ours.

Labels of one class and one prior share a row at the optimum (the loss is convex in W and
does not change when they are exchanged), so a row here stands for `count` labels.
z is (n, d), rows are (k, m), features are (n, m).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import normalize

from identikit.core.errors import InputError
from identikit.core.linalg import sphere_centre, spherical_frame
from identikit.theory.cases import Case
from identikit.worlds.world import ClusterWorld

MAX_CLASSES = 1000
MAX_ROWS = 300
NEWTON_STEPS = 60
DECREMENT = 1e-10  # nats: a sample whose loss can fall by less is solved
RANK = 1e-10  # relative: logits have no more dimensions than singular values above this
FAR = 1.0  # nats: beyond, other starts of a sample are looked at
TINY = torch.finfo(torch.float64).tiny
SOLVED = 1e-8  # nats: a start as good as this needs no rival
SCREEN = 512  # samples on which starts compete
SCREEN_STEPS = 25  # of L-BFGS in that competition
RANDOM_STARTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The softmax problem of a world, labels that share a row counted once."""

    of_class: Int[Tensor, " k"]
    """Class of each row."""
    log_count: Float[Tensor, " k"]
    """log of the number of labels that share the row."""
    log_share: Float[Tensor, " k"]
    """log p(row | class): the labels' share of their class's prior."""
    log_class_prior: Float[Tensor, " k"]
    """log of the prior of each row's class."""
    classes: Int[Tensor, " kept"]
    """The classes of the problem: all, or MAX_CLASSES of them drawn at random."""

    def log_posterior(self, log_likelihood: Float[Tensor, "n classes"]) -> Float[Tensor, "n k"]:
        """True log p(row | z) among the rows of this problem, from log p(z | class)."""
        log_p = log_likelihood.double()[:, self.of_class] + self.log_class_prior + self.log_share
        # a class without support at z gets a log-posterior that is as good as minus infinity
        return torch.log_softmax(log_p, dim=1).nan_to_num(neginf=-1e3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Rows that minimise the loss, and the means to find h(z) for any z."""

    rows: Float[Tensor, "k m"]
    """As the softmax sees them: in case C1 unit vectors times the inverse temperature."""
    task: Task
    case: Case
    z: Float[Tensor, "n d"]
    """The samples that the rows were fitted on."""
    log_posterior: Float[Tensor, "n k"]
    """True log p(row | z) of those samples."""
    features: Float[Tensor, "n m"]
    """h(z) of those samples."""
    excess: float
    """E KL above the Bayes loss, in nats, over those samples."""
    gradient_norm: float
    """Of the mean loss in nats with respect to the searched rows, at the end."""
    iterations: int
    """Of the last search, on all samples."""
    converged: bool
    """Whether the search stopped by itself: the loss fell by less than 1e-8 nats, or no
    entry of the gradient exceeded 1e-6."""

    def features_of(self, log_posterior: Float[Tensor, "n k"]) -> Float[Tensor, "n m"]:
        """The h that minimises the loss of each sample, given the rows."""
        logits = log_posterior - self.task.log_count
        centred_rows = self.rows - self.rows.mean(dim=0)
        guess = centre_rows(logits) @ torch.linalg.pinv(centred_rows).T
        return fit_features(
            self.rows,
            self.task.log_count,
            log_p=log_posterior,
            start=normalize(guess) if self.case.unit_features else guess,
            unit=self.case.unit_features,
        )

    def as_start(self, log_posterior: Float[Tensor, "n k"]) -> "Start":
        """Where a search on other samples goes on from these rows."""
        return Start(
            features=self.features_of(log_posterior),
            rows=normalize(self.rows) if self.case.unit_rows else self.rows,
            log_scale=float(self.rows[0].norm().log()) if self.case.unit_rows else 0.0,
        )

    def log_model(self, features: Float[Tensor, "n m"]) -> Float[Tensor, "n k"]:
        """The model's log q(row | z) of given features."""
        return log_model(self.rows, self.task.log_count, features)


def log_model(
    rows: Float[Tensor, "k m"], log_count: Float[Tensor, " k"], features: Float[Tensor, "n m"]
) -> Float[Tensor, "n k"]:
    """Log q(row | z), a row standing for as many labels as were counted."""
    return torch.log_softmax(features @ rows.T + log_count, dim=1)


def divergence(log_p: Float[Tensor, "n k"], log_q: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """KL(p || q) of each sample in nats; 0 log 0 counts as 0."""
    p = log_p.exp()
    return (p * (log_p - log_q)).where(p > 0, 0.0).sum(dim=1)


def centre_rows(logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Logits less their mean over labels: all that a softmax sees of them."""
    return logits - logits.mean(dim=1, keepdim=True)


def make_task(world: ClusterWorld, *, generator: torch.Generator) -> Task:
    """Merge labels that share a row and, beyond MAX_CLASSES classes, keep a random subset.

    With unequal priors inside a class there are as many rows as labels; beyond MAX_ROWS (or
    the number of classes) labels whose log-priors are nearly equal share one too.
    """
    device = world.class_vectors.device
    kept = torch.arange(world.n_classes, device=device)
    most = max(MAX_CLASSES, 2 * world.dim)  # fewer than dim + 1 would lower the ceiling
    if world.n_classes > most:
        order = torch.randperm(world.n_classes, generator=generator, device=generator.device)
        kept = order[:most].sort().values.to(device)
    mine = torch.isin(world.class_of_label, kept)
    of_class, prior = world.class_of_label[mine], world.label_prior.double()[mine]
    resolution = 1e-9  # nats of log-prior, doubled until the rows are few enough
    while True:
        cell = torch.stack([of_class, (prior.log() / resolution).round().long()], dim=1)
        cells, row = torch.unique(cell, dim=0, return_inverse=True)
        if len(cells) <= max(MAX_ROWS, len(kept)):
            break
        resolution *= 2
    count = torch.zeros(len(cells), dtype=torch.float64, device=device)
    mass = count.index_add(0, row, prior)
    count.index_add_(0, row, torch.ones_like(prior))
    class_prior = world.class_prior.double()[cells[:, 0]]
    return Task(
        of_class=cells[:, 0],
        log_count=count.log(),
        log_share=(mass / class_prior).log(),
        log_class_prior=class_prior.log(),
        classes=kept,
    )


def draw(
    world: ClusterWorld, task: Task, *, samples: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]:
    """Draw z of the classes in the task, and log p(row | z) among its rows."""
    parts: list[Tensor] = []
    while sum(map(len, parts)) < samples:
        batch = world.sample(samples, generator=generator)
        parts.append(batch.z[torch.isin(world.class_of_label[batch.label], task.classes)])
    z = torch.cat(parts)[:samples]
    return z.double(), torch.cat(
        [task.log_posterior(world.log_likelihood(c)) for c in torch.split(z, 512)]
    )


def fit_features(
    rows: Float[Tensor, "k m"],
    log_count: Float[Tensor, " k"],
    *,
    log_p: Float[Tensor, "n k"],
    start: Float[Tensor, "n m"],
    unit: bool,
) -> Float[Tensor, "n m"]:
    """`solve_features` for a true posterior, where the start is not the answer already."""
    h, target = start.clone(), log_p.exp() @ rows
    gap = divergence(log_p, log_model(rows, log_count, start))
    far = gap > FAR
    if unit:  # where even a near start may lie in the wrong valley
        far = gap > DECREMENT
    if bool(far.any()):
        h[far] = nearest_start(rows, log_count, target=target[far], start=h[far], unit=unit)
    todo = gap > DECREMENT  # a divergence cannot fall by more than itself
    if bool(todo.any()):
        h[todo] = solve_features(rows, log_count, target=target[todo], start=h[todo], unit=unit)
    return h


def solve_features(
    rows: Float[Tensor, "k m"],
    log_count: Float[Tensor, " k"],
    *,
    target: Float[Tensor, "n m"],
    start: Float[Tensor, "n m"],
    unit: bool,
) -> Float[Tensor, "n m"]:
    """min_h logsumexp(W h + log count) - target . h for each sample, by damped Newton steps.

    Args:
        rows: W.
        log_count: log of the labels behind each row.
        target: E_p[w] of each sample, the mean row under the true posterior.
        start: First guess, of length one if `unit`.
        unit: Whether h stays on the unit sphere; then the steps are Riemannian.
    """
    k, m = rows.shape
    outer = (rows[:, :, None] * rows[:, None, :]).reshape(k, m * m)
    eye = torch.eye(m, dtype=rows.dtype, device=rows.device)
    # where the true posterior is one-hot to rounding the loss is flat: h stays at its start
    radius = float((rows - rows.mean(dim=0)).norm(dim=1).max())
    h = start.clone()
    todo = torch.arange(len(h), device=h.device)
    for _ in range(NEWTON_STEPS):
        now, goal = h[todo], target[todo]
        logits = now @ rows.T + log_count
        log_z = torch.logsumexp(logits, dim=1)
        q = (logits - log_z[:, None]).exp()
        mean = q @ rows
        gradient = mean - goal
        hessian = (q @ outer).reshape(-1, m, m) - mean[:, :, None] * mean[:, None, :]
        if unit:
            radial = (gradient * now).sum(dim=1)
            gradient = gradient - radial[:, None] * now
            tangent = eye - now[:, :, None] * now[:, None, :]
            curved = tangent @ (hessian - radial[:, None, None] * eye) @ tangent
            values, vectors = torch.linalg.eigh(curved)
            hessian = vectors @ (values.abs()[:, :, None] * vectors.mT)
        # q changes over lengths 1 / radius, so a longer Newton step is not to be trusted
        damping = 0.05 * radius * gradient.norm(dim=1) + 1e-12 * radius**2 + TINY
        step = torch.linalg.solve(hessian + damping[:, None, None] * eye, gradient)
        decrement = (step * gradient).sum(dim=1)
        before = log_z - (now * goal).sum(dim=1)
        h[todo] = _line_search(rows, log_count, now, step, goal, before, decrement, unit=unit)
        todo = todo[decrement > DECREMENT]
        if not len(todo):
            break
    return h


def nearest_start(
    rows: Float[Tensor, "k m"],
    log_count: Float[Tensor, " k"],
    *,
    target: Float[Tensor, "n m"],
    start: Float[Tensor, "n m"],
    unit: bool,
) -> Float[Tensor, "n m"]:
    """The start or a rival with less loss: shrunk towards zero, or on the sphere E_p[w]."""
    rivals = [normalize(target)] if unit else [start / 3, start / 10, torch.zeros_like(start)]
    tries = torch.stack([start, *rivals])
    losses = torch.logsumexp(tries @ rows.T + log_count, dim=2) - (tries * target).sum(dim=2)
    losses[0] -= 1e-9 * (1 + losses[0].abs())  # where the loss is flat the start stands
    return tries[losses.argmin(dim=0), torch.arange(len(start), device=start.device)]


def _line_search(
    rows: Tensor,
    log_count: Tensor,
    now: Tensor,
    step: Tensor,
    goal: Tensor,
    before: Tensor,
    decrement: Tensor,
    *,
    unit: bool,
) -> Tensor:
    """The step shortened for each sample until its loss falls by enough."""

    def loss(h: Tensor) -> Tensor:
        return torch.logsumexp(h @ rows.T + log_count, dim=1) - (h * goal).sum(dim=1)

    slack = 1e-13 * (1 + before.abs())
    t = torch.ones_like(before)
    while True:
        new = now - t[:, None] * step
        if unit:
            new = normalize(new)
        failed = loss(new) > before - 1e-4 * t * decrement + slack
        t = torch.where(failed, t / 4, t).where(t > 1e-6, 0.0)
        if not bool((failed & (t > 0)).any()):
            return torch.where(failed[:, None], now, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a search begins."""

    features: Float[Tensor, "n m"]
    rows: Float[Tensor, "k m"]
    """Unit vectors in cases C1 and C3."""
    log_scale: float
    """Logarithm of the inverse temperature in case C1, else 0."""

    def first(self, n: int) -> "Start":
        """The same start for the first n samples."""
        return Start(features=self.features[:n], rows=self.rows, log_scale=self.log_scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The loss as a function of the rows alone, on a fixed set of samples."""

    task: Task
    z: Float[Tensor, "n d"]
    log_p: Float[Tensor, "n k"]
    case: Case

    def first(self, n: int) -> "Problem":
        """The same problem on the first n samples."""
        return Problem(task=self.task, z=self.z[:n], log_p=self.log_p[:n], case=self.case)

    def rows_of(self, raw: Float[Tensor, "k m"], log_scale: Tensor) -> Float[Tensor, "k m"]:
        """W as the softmax sees it."""
        rows = normalize(raw) if self.case.unit_rows else raw
        return rows * log_scale.exp() if self.case is Case.C1 else rows

    def solve(self, rows: Float[Tensor, "k m"], start: Float[Tensor, "n m"]) -> Tensor:
        """Features of all samples for given rows."""
        count = self.task.log_count
        unit = self.case.unit_features
        return fit_features(rows, count, log_p=self.log_p, start=start, unit=unit)

    def loss(self, rows: Float[Tensor, "k m"], features: Float[Tensor, "n m"]) -> Tensor:
        """E KL(p || q) in nats."""
        return divergence(self.log_p, log_model(rows, self.task.log_count, features)).mean()

    def loss_at(self, start: Start, *, solve: bool = True) -> float:
        """The loss of a start, its features solved for or as they are."""
        rows = self.rows_of(start.rows, torch.tensor(start.log_scale))
        return float(self.loss(rows, self.solve(rows, start.features) if solve else start.features))

    def search(self, start: Start, *, steps: int = 500) -> Optimum:
        """L-BFGS over the rows, features solved anew at each step from where they stood."""
        here = start.features

        def loss_of(theta: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal here
            rows = self.rows_of(theta[:-1].reshape(start.rows.shape), theta[-1])
            here = self.solve(rows.detach(), here)
            loss = self.loss(rows, here)
            return loss.detach(), torch.autograd.grad(loss, theta, materialize_grads=True)[0]

        scale = torch.full_like(start.rows[0, :1], start.log_scale)
        best = minimise(loss_of, torch.cat([start.rows.flatten(), scale]), steps=steps)
        final, gradient = loss_of(best.theta.requires_grad_())
        theta = best.theta.detach()
        return Optimum(
            rows=self.rows_of(theta[:-1].reshape(start.rows.shape), theta[-1]),
            task=self.task,
            case=self.case,
            z=self.z,
            log_posterior=self.log_p,
            features=here,
            excess=float(final),
            gradient_norm=float(gradient.norm()),
            iterations=best.iterations,
            converged=best.converged,
        )


def rank_optimum(
    world: ClusterWorld,
    *,
    dim: int,
    case: Case = Case.C4,
    samples: int,
    task: Task | None = None,
    generator: torch.Generator,
) -> Optimum:
    """Minimise the true loss over m-dimensional features and rows, of a case, without a bias.

    m is dim, or the rank of the centred log-posterior where that is smaller (at most one
    less than the number of rows: a softmax sees no more). The rows are searched by L-BFGS
    from that matrix's leading singular vectors. Where these are not the optimum already,
    there may be several minima: of the searches from them, from the matrix's regression on
    z and from random rows, on some of the samples, the best goes on with all. The task is that
    of the world; a given one keeps the classes of an earlier search.

    Raises:
        InputError: dim < 1, or fewer samples than 10 per dimension.
    """
    if dim < 1:
        raise InputError(f"dim must be at least 1; got {dim}.")
    if samples < 10 * (dim + 1):
        raise InputError(f"samples must be at least {10 * (dim + 1)} for dim {dim}; got {samples}.")
    task = make_task(world, generator=generator) if task is None else task
    z, log_p = draw(world, task, samples=samples, generator=generator)
    m = min(dim, len(task.of_class) - 1)
    problem = Problem(task=task, z=z, log_p=log_p, case=case)
    logits = centre_rows(log_p - task.log_count)
    linear = linear_start(z, logits, m=m, case=case)
    if problem.loss_at(linear, solve=False) < SOLVED:
        return problem.search(linear)
    singular = [singular_start(logits, m=m, case=case, clip=c) for c in (math.inf, 30.0)]
    start = min(singular, key=problem.loss_at)
    if problem.loss_at(start) < SOLVED:
        return problem.search(start)
    starts = [
        start,
        linear,
        *(random_start(logits, m=m, case=case, generator=generator) for _ in range(RANDOM_STARTS)),
    ]
    screen = problem.first(SCREEN)
    tries = (screen.search(start.first(SCREEN), steps=SCREEN_STEPS) for start in starts)
    found = min(tries, key=lambda o: o.excess)
    return problem.search(found.as_start(log_p))


def singular_start(logits: Float[Tensor, "n k"], *, m: int, case: Case, clip: float) -> Start:
    """Leading singular vectors of the centred logits, those far below the top one clipped.

    Unclipped they are exact where rank m suffices; elsewhere huge differences that the loss
    does not care about would dominate them.
    """
    top = logits.max(dim=1, keepdim=True).values
    u, s, vt = torch.linalg.svd(centre_rows(logits.maximum(top - clip)), full_matrices=False)
    return _start_from(u, s, vt, m=m, case=case)


def linear_start(
    z: Float[Tensor, "n d"], logits: Float[Tensor, "n k"], *, m: int, case: Case
) -> Start:
    """The same of the logits' regression on z: exact where they are affine in z."""
    basis = torch.linalg.qr(torch.cat([z, torch.ones_like(z[:, :1])], dim=1)).Q
    coefficient = basis.T @ logits
    if coefficient[-1].norm() <= RANK * (1 + coefficient.norm()):  # no constant is needed
        basis, coefficient = basis[:, :-1], coefficient[:-1]
    u, s, vt = torch.linalg.svd(coefficient, full_matrices=False)
    return _start_from(basis @ u, s, vt, m=m, case=case)


def _start_from(u: Tensor, s: Tensor, vt: Tensor, *, m: int, case: Case) -> Start:
    n = len(u)
    m = min(m, max(1, int((s > RANK * s[0]).sum())))
    features, rows = u[:, :m] * n**0.5, vt[:m].T * (s[:m] / n**0.5)
    if case is Case.C4:
        return Start(features=features, rows=rows, log_scale=0.0)
    frame = spherical_frame(features)
    features, rows = features @ frame, torch.linalg.solve(frame, rows.T).T
    if case.unit_features:
        features = normalize(features)
    if not case.unit_rows:
        return Start(features=features, rows=rows, log_scale=0.0)
    rows = rows - sphere_centre(rows)
    length = rows.norm(dim=1).mean()
    if case is Case.C1:
        return Start(features=features, rows=normalize(rows), log_scale=float(length.log()))
    return Start(features=features * length, rows=normalize(rows), log_scale=0.0)


def random_start(
    logits: Float[Tensor, "n k"], *, m: int, case: Case, generator: torch.Generator
) -> Start:
    """Random rows, and features that treat all of them alike (random ones on the sphere)."""

    def normal(count: int) -> Tensor:
        drawn = torch.randn(count, m, generator=generator, device=logits.device)
        return drawn.to(logits.dtype)

    rows = normal(logits.shape[1])
    features = normal(len(logits))
    return Start(
        features=normalize(features) if case.unit_features else torch.zeros_like(features),
        rows=normalize(rows),
        log_scale=1.0 if case is Case.C1 else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Where L-BFGS stopped."""

    theta: Float[Tensor, " p"]
    iterations: int
    converged: bool


def minimise(
    loss_of: Callable[[Tensor], tuple[Tensor, Tensor]], start: Float[Tensor, " p"], *, steps: int
) -> Minimum:
    """Run scipy's L-BFGS on a loss and gradient that live on any device."""

    def value_and_gradient(flat):  # type: ignore[no-untyped-def]
        theta = torch.as_tensor(flat, device=start.device).clone().requires_grad_()
        loss, gradient = loss_of(theta)
        return loss.item(), gradient.cpu().numpy()

    result = minimize(
        value_and_gradient,
        start.cpu().numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxcor": 20, "gtol": 1e-6, "ftol": 1e-8},
    )
    return Minimum(
        theta=torch.as_tensor(result.x, device=start.device),
        iterations=int(result.nit),
        converged=bool(result.success),
    )
