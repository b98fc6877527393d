"""The recovery ceiling: the affine R² from h to z that a perfect cross-entropy learner reaches.

A perfect learner identifies linearly the span of l_i(z) - mean_j l_j(z), l_i = log p(i|z),
the identity (w_i - w_j) . h(z) = log p(i|z) - log p(j|z) of the paper (arXiv:2410.21869,
proof of theorem 1) read without its von Mises-Fisher assumption (ours). An encoder too
narrow to hold all of that span keeps what the loss itself finds most useful (`optimum`),
not the directions of largest variance. So the ceiling is the value at the optimum, which
a worse learner may exceed, and where the search has several ends it has a spread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import stdev

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import LeastSquares, Procrustes, least_squares, procrustes, r2_score
from identikit.core.randomness import stream
from identikit.theory.cases import Case
from identikit.theory.optimum import (
    SOLVED,
    Optimum,
    Task,
    centre_rows,
    divergence,
    draw,
    rank_optimum,
)
from identikit.worlds.world import ClusterWorld

AS_GOOD = 1e-3
"""Nats: losses that differ by less are equally good."""
SEARCHES = 3
"""Independent searches for the optimum, where it is not known to be exact."""
FIT = 1024
FOLDS = 10
WIDE_ROWS_PER_COLUMN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What an infinitely flexible encoder, trained to the optimum, would score."""

    r2_latents: float
    """Affine R² from h to z, mean over latents, on fresh samples: its value at the optimum, the
    best of the searches by their loss on these samples."""
    r2_deviation: float
    """Standard deviation of that R² over the searches, each with samples of its own; 0 where the
    first was exact."""
    r2_lowest: float
    """Least R² among the searches that end within .001 nats of the best."""
    r2_highest: float
    """Largest R² among them."""
    procrustes_r2: float
    """As `r2_latents` by a scaled rotation without shift; what cases C1 to C3 promise, so there 1
    for von Mises-Fisher, but not for every world, nor in C3 without diverse data (`theory.cases`),
    where it is that of one of many optima."""
    linear_r2: float
    """As `r2_latents` by a linear map without a constant."""
    r2_head: float | None
    """Affine R² from the head's rows to the cluster vectors, mean over dimensions, rows
    held out by class; None where the classes are too few to hold any out."""
    procrustes_r2_head: float | None
    """As `r2_head` by a scaled rotation without shift."""
    linear_r2_head: float | None
    """As `r2_head` by a linear map without a constant."""
    r2_wide: float
    """As `r2_latents` for a representation wide enough to hold every log-posterior
    difference (at least labels - 1 dimensions)."""
    excess: float
    """E KL of the optimum above the Bayes loss, in nats: the floor of the excess loss for
    this width; 0 where the width suffices."""
    gradient_norm: float
    """Of the loss at the optimum, in nats per unit of W."""
    iterations: int
    converged: bool
    rank: int
    """Dimensions of the optimum's h: fewer than `dim` where the posterior has no more."""
    dim: int
    """Width of the representation that was asked for."""
    samples: int
    """Fresh samples: half fitted the affine map, half were scored."""
    objective: str
    """What it is the optimum of, in words: no other objective has to reach it."""

    @property
    def spread(self) -> float:
        """How uncertain the R² is: over searches, or half the range of equally good minima."""
        return max(self.r2_deviation, (self.r2_highest - self.r2_lowest) / 2)


def recovery_ceiling(
    world: ClusterWorld,
    *,
    dim: int | None = None,
    case: Case = Case.C4,
    samples: int = 8192,
    optimum: Optimum | None = None,
    generator: torch.Generator,
) -> Ceiling:
    """Compute the ceiling of a world; always by search, also where theory says 1.

    Where the first search is not exact two more follow, each from other samples and starts, and
    the best on the fresh samples is the optimum.

    Args:
        world: Whose log-density is known.
        dim: Width of the representation; by default the number of latents.
        case: Which of features and rows have unit norm.
        samples: Fresh samples for scoring.
        optimum: Of this world, width and case; if not given it is found on a quarter as many
            other samples, at least 1,024.
        generator: On the world's device.

    Raises:
        InputError: dim < 1 or too few samples for it.
    """
    width = world.dim if dim is None else dim
    if optimum is None:
        few = max(FIT, samples // 4, 10 * (width + 1))
        optimum = rank_optimum(world, dim=width, case=case, samples=few, generator=generator)
    z, log_p = draw(world, optimum.task, samples=samples, generator=generator)
    ends = [_End.of(optimum, z, log_p)]
    if ends[0].excess >= SOLVED:
        ends += [
            _End.of(
                rank_optimum(
                    world,
                    dim=width,
                    case=case,
                    samples=len(optimum.z),
                    task=optimum.task,
                    generator=generator,
                ),
                z,
                log_p,
            )
            for _ in range(SEARCHES - 1)
        ]
    best = min(ends, key=lambda end: end.excess)
    as_good = [end.r2 for end in ends if end.excess <= best.excess + AS_GOOD]
    optimum, features, excess, r2 = best.optimum, best.features, best.excess, best.r2
    # where the width suffices h spans all log-posterior differences
    columns = None if excess < SOLVED else class_columns(optimum.task, log_p, at_most=samples)
    return Ceiling(
        r2_latents=r2,
        r2_deviation=stdev([end.r2 for end in ends]) if len(ends) > 1 else 0.0,
        r2_lowest=min(as_good),
        r2_highest=max(as_good),
        procrustes_r2=held_out_r2(features, z, fit=procrustes),
        linear_r2=held_out_r2(features, z, fit=without_constant),
        r2_head=head_r2(optimum, world.class_vectors),
        procrustes_r2_head=head_r2(optimum, world.class_vectors, fit=procrustes),
        linear_r2_head=head_r2(optimum, world.class_vectors, fit=without_constant),
        r2_wide=r2 if columns is None else held_out_r2(columns, z),
        excess=excess,
        gradient_norm=optimum.gradient_norm,
        iterations=optimum.iterations,
        converged=optimum.converged,
        rank=optimum.rows.shape[1],
        dim=width,
        samples=samples,
        objective=_objective(world, width, case),
    )


def ceiling(
    world: ClusterWorld,
    *,
    dim: int | None = None,
    unit_features: bool = False,
    unit_rows: bool = False,
    samples: int = 8192,
    seed: int = 0,
) -> Ceiling:
    """What cross-entropy on a world's labels must recover, before anything is trained.

    Args:
        world: Whose log-density is known.
        dim: Width of the representation; by default the number of latents.
        unit_features: Whether features have unit norm.
        unit_rows: Whether rows have unit norm; with unit features as well a temperature is learned.
        samples: Fresh samples for scoring.
        seed: Of the samples and searches.

    Raises:
        InputError: dim < 1 or too few samples for it.
    """
    generator = stream(seed, "theory ceiling", device=world.device)
    case = Case.of(unit_features=unit_features, unit_rows=unit_rows)
    return recovery_ceiling(world, dim=dim, case=case, samples=samples, generator=generator)


def _objective(world: ClusterWorld, dim: int, case: Case) -> str:
    what = "classes" if world.n_labels == world.n_classes else "instances"
    return f"cross-entropy over {world.n_labels:,} {what}, {case.words} of {dim} dimensions"


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """Where a search ended, judged on fresh samples."""

    optimum: Optimum
    features: Float[Tensor, "n m"]
    excess: float
    r2: float

    @classmethod
    def of(cls, optimum: Optimum, z: Float[Tensor, "n d"], log_p: Float[Tensor, "n k"]) -> "_End":
        features = optimum.features_of(log_p)
        excess = divergence(log_p, optimum.log_model(features)).mean().item()
        r2 = held_out_r2(features, z)
        return cls(optimum=optimum, features=features, excess=excess, r2=r2)


def without_constant(a: Float[Tensor, "n d"], b: Float[Tensor, "n k"]) -> LeastSquares:
    """Least squares of a linear map."""
    return least_squares(a, b, intercept=False)


def held_out_r2(
    h: Float[Tensor, "n m"],
    z: Float[Tensor, "n d"],
    *,
    fit: Callable[[Tensor, Tensor], LeastSquares | Procrustes] = least_squares,
) -> float:
    """R² of a map fitted on the first half and scored on the second, mean over columns."""
    half = len(h) // 2
    prediction = fit(h[:half], z[:half]).predict(h[half:])
    return float(r2_score(prediction, z[half:]).mean())


def class_columns(
    task: Task, log_p: Float[Tensor, "n k"], *, at_most: int
) -> Float[Tensor, "n columns"]:
    """Centred log-likelihoods, one column per class.

    At most one column for each 16 samples, so that the regression does not overfit; a
    ceiling from fewer columns can only be lower.
    """
    first = torch.cat(
        [torch.ones(1, dtype=torch.bool, device=log_p.device), task.of_class.diff() != 0]
    )
    columns = centre_rows((log_p - task.log_share)[:, first])
    return columns[:, : max(1, at_most // (2 * WIDE_ROWS_PER_COLUMN))]


def head_r2(
    optimum: Optimum,
    class_vectors: Float[Tensor, "classes d"],
    *,
    fit: Callable[[Tensor, Tensor], LeastSquares | Procrustes] = least_squares,
) -> float | None:
    """R² of a map from the mean row of each class to its cluster vector, over held-out folds."""
    task = optimum.task
    classes, of_row = torch.unique(task.of_class, return_inverse=True)
    n, (_, m) = len(classes), optimum.rows.shape
    folds = min(FOLDS, n)
    if n - -(-n // folds) < m + 1 or n <= m + 1:
        return None
    weight = task.log_share.exp()[:, None]
    zero = torch.zeros(n, m, dtype=torch.float64, device=weight.device)
    rows = zero.index_add(0, of_row, weight * optimum.rows)
    target = class_vectors[classes].double()
    fold = torch.arange(n, device=rows.device) % folds
    predicted = torch.empty_like(target)
    for held in range(folds):
        fitted = fit(rows[fold != held], target[fold != held])
        predicted[fold == held] = fitted.predict(rows[fold == held])
    return float(r2_score(predicted, target).mean())
