"""What each objective recovers of z, up to what, and under which assumptions, held against a world.

| objective | up to | where | source |
| --- | --- | --- | --- |
| cross-entropy | an affine map | z is affine in the log-density differences | 2410.21869 |
| TCL | an affine map | the same, with constants of their own | 1605.06336 |
| GCL | order, and a map of each component | independent given u, enough variety | 1805.08651 |
| InfoNCE | a scaled rotation | z uniform on the sphere, von Mises-Fisher pairs | 2102.08850 |
| VICReg | a scaled rotation | the coordinates change least within a pair | 2205.11508 |
| SIGReg | a rotation | z and pairs are normal | 2605.26379 |

Where they fail, what is left is computed where that can be done: the value at the objective's own
optimum, which no other objective's is.
"""

from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import above_cut_off, least_squares, r2_score
from identikit.theory.assumptions import AssumptionCheck
from identikit.theory.pairs import World, info_nce_optimum, pair_functions, vicreg_optimum
from identikit.worlds.conditionals import Gaussian
from identikit.worlds.pairs import NormalPairs, PairWorld, UniformPairs
from identikit.worlds.world import ClusterWorld

EXACT = 1e-6
"""R² within which a map counts as exact."""
SAMPLES = 4096


class UpTo(StrEnum):
    """What is left open."""

    ROTATION = "a scaled rotation"
    AFFINE = "an affine map"
    COMPONENTS = "the order of components and a map of each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What theory says of an objective in a world."""

    up_to: UpTo
    dim: int
    """Dimensions of h that the optimum needs."""
    assumptions: tuple[AssumptionCheck, ...]
    predicted: float | None
    """Of the score that forgives `up_to`, at the objective's optimum; None where nothing is known
    of it."""
    least_loss: float | None = None
    """Loss at the optimum (VICReg), or what of it no h of this width avoids (InfoNCE)."""


def cross_entropy_promise(
    world: ClusterWorld, *, bias: bool, generator: torch.Generator
) -> Promise:
    """Of naming the class, or an instance of it; with biases in the head this is TCL.

    The optimum's logits are log p(z|c) but for a function of z. They need as many dimensions of h
    as they have: one more without biases where a constant differs between classes.

    Args:
        world: Whose classes are told apart.
        bias: Whether the head has biases.
        generator: Draws samples.
    """
    z = world.sample(SAMPLES, generator=generator).z
    logits = world.log_likelihood(z)
    logits = logits - logits.mean(1, keepdim=True)
    if bias:
        logits = logits - logits.mean(0)
    u, s, _ = torch.linalg.svd(logits, full_matrices=False)
    rank = int(above_cut_off(s, shape=(len(z), world.n_classes), noise=0.0).sum())
    r2 = _held_out_r2(u[:, :rank] * s[:rank], z)
    return Promise(
        up_to=UpTo.AFFINE,
        dim=rank,
        assumptions=(
            AssumptionCheck(
                name="latents are affine in the classes' log-density differences",
                holds=r2 > 1 - EXACT,
                detail=f"R² {r2:.4f} from {rank} dimensions",
                consequence="an affine map recovers as much",
            ),
        ),
        predicted=r2,
    )


def gcl_promise(world: ClusterWorld, *, generator: torch.Generator) -> Promise:
    """Of telling (x, u) from (x, u*), u the class.

    Variability, theorem 1: at some z the vectors of first and second derivatives by each component
    of log p(z|u) - log p(z|0), over u, span 2d dimensions.

    Args:
        world: Whose class is u.
        generator: Draws z.
    """
    d, conditional = world.dim, world.conditional
    independent = isinstance(conditional, Gaussian) and _is_diagonal(conditional.factor)
    rank = 0
    if isinstance(conditional, Gaussian) and independent:
        z = world.sample(1, generator=generator).z.double()
        factor = conditional.factor.expand(world.n_classes, d, d)
        precision = factor.diagonal(dim1=1, dim2=2).square().reciprocal()
        slopes = precision * (conditional.centres.double() - z)
        vectors = torch.cat([slopes, -precision], dim=1)
        s = torch.linalg.svdvals(vectors[1:] - vectors[0])
        rank = int(above_cut_off(s, shape=(world.n_classes, 2 * d), noise=EXACT).sum())
    checks = (
        AssumptionCheck(
            name="components are independent given u",
            holds=independent,
            detail=type(conditional).__name__,
            consequence="no sum over components is the optimum",
        ),
        AssumptionCheck(
            name="u takes 2d + 1 values or more",
            holds=world.n_classes > 2 * d,
            detail=f"{world.n_classes} for d = {d}",
            consequence="the components' derivatives cannot be told apart",
        ),
        AssumptionCheck(
            name="first and second derivatives vary with u in 2d dimensions",
            holds=rank == 2 * d,
            detail=f"{rank} of {2 * d}",
            consequence="components can be mixed, linearly at least",
        ),
    )
    holds = all(check.holds for check in checks)
    return Promise(
        up_to=UpTo.COMPONENTS, dim=d, assumptions=checks, predicted=1.0 if holds else None
    )


def info_nce_promise(world: World, *, generator: torch.Generator) -> Promise:
    """Of InfoNCE with unit features and a learned temperature, by the best h found for it."""
    optimum = info_nce_optimum(world, dim=world.dim, generator=generator)
    return Promise(
        up_to=UpTo.ROTATION,
        dim=world.dim,
        assumptions=(
            AssumptionCheck(
                name="latents are uniform on the sphere, pairs von Mises-Fisher",
                holds=isinstance(world, UniformPairs),
                detail=type(world).__name__,
                consequence="h . h' is not the log-density ratio",
            ),
        ),
        predicted=optimum.procrustes_r2,
        least_loss=optimum.loss,
    )


def vicreg_promise(world: World, *, generator: torch.Generator) -> Promise:
    """Of VICReg, from the functions of z that change least within a pair.

    Up to a rotation where these are the coordinates, all alike; else up to an affine map.
    """
    rho, phi, z = pair_functions(world, samples=SAMPLES, generator=generator)
    optimum = vicreg_optimum(world, dim=world.dim, generator=generator)
    r2 = _held_out_r2(phi[:, : world.dim], z)
    alike = isinstance(world, PairWorld)
    return Promise(
        up_to=UpTo.ROTATION if alike else UpTo.AFFINE,
        dim=world.dim,
        assumptions=(
            AssumptionCheck(
                name="the coordinates are what changes least within a pair",
                holds=r2 > 1 - EXACT,
                detail=f"R² {r2:.3f} from the {world.dim} leading eigenfunctions (eigenvalues "
                f"{', '.join(f'{value:.2f}' for value in rho[: world.dim].tolist())})",
                consequence="h spans other functions of z too",
            ),
        ),
        predicted=optimum.procrustes_r2 if alike else optimum.affine_r2,
        least_loss=optimum.loss,
    )


def sigreg_promise(world: World) -> Promise:
    """Of SIGReg; where its assumption fails, nothing is known of its optimum."""
    normal = isinstance(world, NormalPairs)
    return Promise(
        up_to=UpTo.ROTATION,
        dim=world.dim,
        assumptions=(
            AssumptionCheck(
                name="latents and pairs are normal",
                holds=normal,
                detail=type(world).__name__,
                consequence="no linear image of z is normal, so h is another function of it",
            ),
        ),
        predicted=1.0 if normal else None,
    )


def _is_diagonal(factor: Float[Tensor, "*k d d"]) -> bool:
    off = factor - torch.diag_embed(factor.diagonal(dim1=-2, dim2=-1))
    return not bool(off.any())


def _held_out_r2(features: Float[Tensor, "n m"], z: Float[Tensor, "n d"]) -> float:
    half = len(z) // 2
    fit = least_squares(features[:half], z[:half])
    return float(r2_score(fit.predict(features[half:]), z[half:]).mean())
