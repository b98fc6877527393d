"""Which assumptions of the theorem a world meets, measured, and what follows if it does not.

The assumptions are those of arXiv:2410.21869, section 3: cluster vectors that affinely span
R^d, uniform labels, one von Mises-Fisher concentration, a continuous injective generator,
and an encoder of the latents' dimension that can reach the optimum (the one thing that no
world can promise). class_vectors are (classes, d).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import principal_axes
from identikit.theory.cases import Case, diversity
from identikit.worlds.conditionals import Gaussian
from identikit.worlds.generators import Generator, InvertibleGenerator, InvertibleMLP
from identikit.worlds.von_mises_fisher import VonMisesFisher
from identikit.worlds.world import ClusterWorld

SPAN = "cluster vectors affinely span the latent space"
DIVERSE = "the data are diverse: unit rows fix a rotation"
ROUND_TRIP = 1e-3
"""Relative error of the latents after generator and inverse in float32, at most."""
NO_CHANGE = 1e-3
"""Of the largest slope: where a generator without a known inverse is flatter, it loses a latent."""
SLOPES, STEP = 256, 0.02
NEARLY_UNIFORM = 1.05
"""Most to least frequent, at most: 10,240 instances of 100 classes make 103 : 102."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumptionCheck:
    """One assumption of the theorem, held against a world."""

    name: str
    holds: bool
    detail: str
    """What was measured."""
    consequence: str
    """What the theorem still says, in plain words."""


def check_assumptions(
    world: ClusterWorld,
    *,
    dim: int | None = None,
    case: Case = Case.C4,
    generator: torch.Generator,
) -> tuple[AssumptionCheck, ...]:
    """Hold a world and an encoder width against each assumption.

    Args:
        world: The world.
        dim: Width of the representation; by default the number of latents.
        case: Of the theorem: C3 assumes diverse data as well.
        generator: On the world's device; draws the latents for the generator's round trip.

    Raises:
        InputError: dim < 1.
    """
    width = world.dim if dim is None else dim
    if width < 1:
        raise InputError(f"dim must be at least 1; got {width}.")
    return (
        _affine_span(world),
        _uniform_labels(world),
        _conditional(world),
        _pure_classes(world),
        _injective_generator(world, generator),
        _width(world, width),
        *((_diverse(world),) if case is Case.C3 else ()),
    )


def _affine_span(world: ClusterWorld) -> AssumptionCheck:
    size = principal_axes(world.class_vectors).size * world.n_classes**0.5
    rank, d = len(size), world.dim
    smallest = f", smallest singular value {float(size[-1]):.3g}" if rank == d else ""
    return AssumptionCheck(
        name=SPAN,
        holds=rank == d,
        detail=f"{world.n_classes} classes, affine rank {rank} of {d}{smallest}",
        consequence="every latent direction changes some difference of logits"
        if rank == d
        else f"{d - rank} of {d} latent directions change no difference of logits, so nothing "
        f"forces an encoder to keep them; at least {d + 1} classes in general position would",
    )


def _diverse(world: ClusterWorld) -> AssumptionCheck:
    found = diversity(world.class_vectors)
    return AssumptionCheck(
        name=DIVERSE,
        holds=found.holds,
        detail=f"rows (v * v, v) have rank {found.rank} of {found.needed}, smallest singular value "
        f"{found.smallest:.3g}; with all products v_a v_b, rank {found.rank_of_products} of "
        f"{found.needed_of_products}, smallest {found.smallest_of_products:.3g}",
        consequence="rows of unit norm leave h a scaled rotation"
        if found.holds
        else "in some axes the squares are not enough: maps that are no rotation give unit rows "
        "and the same loss, so h is identified up to a linear map only; at least "
        f"{found.needed_of_products} classes would do",
    )


def _uniform_labels(world: ClusterWorld) -> AssumptionCheck:
    labels, classes = _ratio(world.label_prior), _ratio(world.class_prior)
    holds = max(labels, classes) <= NEARLY_UNIFORM
    return AssumptionCheck(
        name="labels are uniform",
        holds=holds,
        detail=f"most to least frequent label {labels:.3g} : 1, class {classes:.3g} : 1",
        consequence="logits need no constant for the prior"
        if holds
        else "log-priors need a direction of their own: a head without bias and with no more "
        "columns than latents bends h to express them; one more column restores the theorem",
    )


def _ratio(prior: Tensor) -> float:
    return float(prior.max() / prior.min())


def _conditional(world: ClusterWorld) -> AssumptionCheck:
    conditional = world.conditional
    name = type(conditional).__name__
    nothing = isinstance(conditional, VonMisesFisher) and not bool(conditional.concentration.any())
    if nothing:
        holds, affine, detail = False, False, f"{name}, concentration 0"
    elif isinstance(conditional, VonMisesFisher):
        holds = affine = _one_value(conditional.concentration)
        detail = f"{name}, {'one concentration' if holds else 'several concentrations'}"
    elif isinstance(conditional, Gaussian):
        holds, affine = False, _one_covariance(conditional)
        detail = f"{name}, {'one covariance' if affine else 'several covariances'}"
    else:
        holds, affine, detail = False, False, name
    if nothing:
        consequence = "labels say nothing of the latents: ceiling 0"
    elif holds:
        consequence = (
            "each cluster's log-density is linear in the latents; with all else holding, ceiling 1"
        )
    elif affine:
        consequence = (
            "log-posterior differences are affine in the latents, with constants that differ "
            "between classes: ceiling 1 for an encoder with one more dimension than latents, "
            "less without it"
        )
    else:
        consequence = (
            "log-posterior differences are not affine in the latents: an affine probe "
            "cannot be perfect, the ceiling says how good it can be"
        )
    return AssumptionCheck(
        name="latents are von Mises-Fisher around their cluster vector, one concentration",
        holds=holds,
        detail=detail,
        consequence=consequence,
    )


def _one_value(value: Tensor) -> bool:
    return bool((value == value.flatten()[0]).all())


def _one_covariance(conditional: Gaussian) -> bool:
    factor = conditional.factor
    return factor.ndim == 2 or bool((factor == factor[0]).all())


def _pure_classes(world: ClusterWorld) -> AssumptionCheck:
    own = world.mixing.max(dim=1).values
    holds = bool((own > 1 - 1e-12).all())
    mixed = int((own <= 1 - 1e-12).sum())
    return AssumptionCheck(
        name="one cluster vector per class, no noise in labels",
        holds=holds,
        detail="every class has one cluster"
        if holds
        else f"{mixed} of {world.n_classes} classes mix clusters, the largest share of the "
        f"most mixed is {float(own.min()):.3g}",
        consequence="a class's likelihood is that of its cluster"
        if holds
        else "a class's likelihood is a sum, its logarithm no longer affine in the latents",
    )


def _injective_generator(world: ClusterWorld, generator: torch.Generator) -> AssumptionCheck:
    sample = world.sample(2048, generator=generator)
    if isinstance(world.generator, InvertibleGenerator):
        error = (world.generator.inverse(sample.x) - sample.z).norm() / sample.z.norm()
        holds = float(error) <= ROUND_TRIP
        detail = f"relative round-trip error {float(error):.2g} in float32"
    else:
        least, most = _slopes(world.generator, sample.z[:SLOPES])
        holds = least > NO_CHANGE * most
        detail = (
            f"singular values of its Jacobian from {least:.2g} to {most:.2g} around {SLOPES} draws"
        )
    if isinstance(world.generator, InvertibleMLP):
        numbers = world.generator.condition_numbers
        detail += f", layer condition numbers up to {max(numbers):.3g}"
    return AssumptionCheck(
        name="the generator is continuous and injective",
        holds=holds,
        detail=detail,
        consequence="an encoder that undoes it exists"
        if holds
        else "the latents cannot be told from the observations at this precision",
    )


def _slopes(g: Generator, z: Tensor) -> tuple[float, float]:
    """Least and largest singular value of g's Jacobian, by differences of images."""
    steps = STEP * torch.eye(z.shape[1], device=z.device)
    columns = [(g(z + step) - g(z - step)).flatten(1) / (2 * STEP) for step in steps]
    values = torch.linalg.svdvals(torch.stack(columns, dim=2))
    return float(values.min()), float(values.max())


def _width(world: ClusterWorld, width: int) -> AssumptionCheck:
    if width < world.dim:
        consequence = "the representation is too narrow to hold the latents"
    elif width > world.dim:
        consequence = (
            "the theorem speaks of the part of h inside the head's row space only (coverage)"
        )
    else:
        consequence = "h can be an invertible affine map of the latents"
    return AssumptionCheck(
        name="the representation has as many dimensions as the latents",
        holds=width == world.dim,
        detail=f"{width} for {world.dim} latents",
        consequence=consequence,
    )
