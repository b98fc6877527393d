"""The options of a cluster-centric world, checked when they are made.

Source: arXiv:2410.21869, section 4.1 for the base row and the sweeps of its tables.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypedDict, get_args

from identikit.core.choice import (
    Choice,
    Range,
    by_name,
    check_choices,
    check_ranges,
    described,
)
from identikit.core.errors import InputError, unknown_name

MAX_CONCENTRATION = 10_000.0
"""Of the von Mises-Fisher distribution; beyond it the quadrature of the normalizer gets too
coarse."""


@dataclass(frozen=True, slots=True)
class ConditionalChoice(Choice):
    """A distribution around cluster vectors, made of these and of its options."""

    spherical: bool = True
    """Whether its latents are of unit norm."""
    drawn: bool = False
    """Whether part of it is drawn at random: it is made of `classes` and a `generator` too."""


@dataclass(frozen=True, slots=True)
class GeneratorChoice(Choice):
    """A map from latents to observations, made of their number and of its options."""

    images: bool = False
    """Whether its observations are images, of latents on the sphere."""
    drawn: bool = False
    """Whether it is drawn at random: it is made of a `generator` of numbers too."""


_WIDTH = {"cluster_scale": "scale"}
CLUSTERS = by_name(
    Choice("uniform", "uniform on the sphere", "worlds.clusters:uniform"),
    Choice("normal", "projected normal around e_1", "worlds.projected:ProjectedNormal", _WIDTH),
    Choice("laplace", "projected Laplace around e_1", "worlds.projected:ProjectedLaplace", _WIDTH),
    Choice(
        "generalized-normal",
        "projected generalised normal around e_1",
        "worlds.projected:ProjectedGeneralizedNormal",
        _WIDTH | {"exponent": "exponent"},
    ),
)
"""Distributions around one pole, made of it and of their options."""
_SCALE = {"scale": "scale"}
CONDITIONALS = by_name(
    ConditionalChoice(
        "vmf",
        "von Mises-Fisher",
        "worlds.von_mises_fisher:VonMisesFisher",
        {"kappa": "concentration"},
    ),
    ConditionalChoice("normal", "projected normal", "worlds.projected:ProjectedNormal", _SCALE),
    ConditionalChoice("laplace", "projected Laplace", "worlds.projected:ProjectedLaplace", _SCALE),
    ConditionalChoice(
        "generalized-normal",
        "projected generalised normal",
        "worlds.projected:ProjectedGeneralizedNormal",
        _SCALE | {"exponent": "exponent"},
    ),
    ConditionalChoice(
        "truncated-laplace",
        "truncated Laplace",
        "worlds.conditionals:TruncatedLaplace",
        _SCALE | {"bound": "bound"},
        spherical=False,
    ),
    ConditionalChoice(
        "gaussian",
        "Gaussian",
        "worlds.conditionals:random_gaussian",
        _SCALE | {"covariance": "covariance"},
        spherical=False,
        drawn=True,
    ),
)
_MLP = {"generator_layers": "layers", "observation_dim": "observation_dim"}
GENERATORS = by_name(
    GeneratorChoice(
        "mlp",
        "the paper's network",
        "worlds.generators:build_invertible_mlp",
        _MLP,
        drawn=True,
    ),
    GeneratorChoice(
        "orthogonal-mlp",
        "a network of orthogonal layers",
        "worlds.generators:build_orthogonal_mlp",
        _MLP,
        drawn=True,
    ),
    GeneratorChoice("identity", "x = z", "worlds.generators:IdentityGenerator"),
    GeneratorChoice(
        "sprites", "rendered sprites", "worlds.rendered.generator:sprites", images=True
    ),
    GeneratorChoice("rooms", "rendered rooms", "worlds.rendered.generator:rooms", images=True),
)
if TYPE_CHECKING:
    ClusterKind: TypeAlias = str
    ConditionalKind: TypeAlias = str
    GeneratorKind: TypeAlias = str
else:  # the names stand where the choices do, and nowhere else
    ClusterKind = Literal[tuple(CLUSTERS)]
    ConditionalKind = Literal[tuple(CONDITIONALS)]
    GeneratorKind = Literal[tuple(GENERATORS)]
CovarianceKind = Literal["shared", "per-class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """What a world is made of.

    Raises:
        InputError: an unknown name or a value out of range.
    """

    dim: Annotated[int, Range(2)] = 5
    """Number of latent dimensions d."""
    classes: Annotated[int, Range(2)] = 100
    """Number of classes C; the theorem needs at least d + 1."""
    clusters: Annotated[ClusterKind, described("Cluster vectors", CLUSTERS)] = "uniform"
    """Distribution of the cluster vectors."""
    cluster_scale: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """Width of that distribution around e_1 (not for uniform)."""
    conditional: Annotated[
        ConditionalKind, described("Latents around their cluster vector", CONDITIONALS)
    ] = "vmf"
    """Distribution of the latents around their cluster vector."""
    kappa: Annotated[float, Range(0, MAX_CONCENTRATION)] = 10.0
    """Concentration of the von Mises-Fisher conditional; 0 is uniform."""
    scale: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """Width of every other conditional: larger is wider."""
    exponent: Annotated[float, Range(1, 100)] = 3.0
    """Exponent of the generalised normals: 1 is Laplace, 2 is normal; at least 1."""
    bound: Annotated[float, Range(1, 1e6)] = 2.0
    """Truncated Laplace: half the side t of the box [-t, t]^dim that latents fill."""
    covariance: CovarianceKind = "shared"
    """Gaussian conditional: one random covariance for all classes, or one for each."""
    components: Annotated[int, Range(1)] = 1
    """Cluster vectors per class, mixed equally."""
    swapped_share: Annotated[float, Range(0, 1)] = 0.0
    """Share of draws, within the swapped classes, that come from another swapped class."""
    swapped_classes: int | None = None
    """How many classes swap labels (all, if not given)."""
    label_noise: Annotated[float, Range(0, 1)] = 0.0
    """Share of draws whose label is drawn anew, from all labels (symmetric label noise)."""
    label_exponent: Annotated[float, Range(0, 20)] = 0.0
    """Zipf exponent s of the label prior, (i + 1)^-s for label i; 0 is balanced."""
    repeated_share: Annotated[float, Range(0, 1)] = 0.0
    """Share of the labels that are further instances of one element: they are of class 0."""
    generator: Annotated[
        GeneratorKind, described("Map from latents to observations", GENERATORS)
    ] = "mlp"
    """Map from latents to observations; the factors of images follow the latents."""
    generator_layers: Annotated[int, Range(1)] = 4
    """Linear layers of an mlp generator."""
    observation_dim: int | None = None
    """Number of observed dimensions D of an mlp generator (dim, if not given)."""

    def __post_init__(self) -> None:
        if self.covariance not in get_args(CovarianceKind):
            raise unknown_name("covariance", self.covariance, get_args(CovarianceKind))
        check_ranges(self)
        swapped = self.swapped_classes
        if swapped is not None and not 2 <= swapped <= self.classes:
            raise InputError(
                f"swapped_classes must be from 2 to the number of classes ({self.classes}); "
                f"got {swapped}."
            )
        if swapped is not None and not self.swapped_share:
            raise InputError(
                f"swapped_classes has no effect here; got {swapped}. Give a swapped_share too."
            )
        check_choices(
            self,
            {"clusters": CLUSTERS, "conditional": CONDITIONALS, "generator": GENERATORS},
        )
        if self.observation_dim is not None and self.observation_dim < self.dim:
            raise InputError(
                f"observation_dim must be at least dim ({self.dim}), or factors are lost; "
                f"got {self.observation_dim}."
            )
        if self.images and not self.spherical:
            raise InputError(
                f"{self.generator} are drawn from latents on the unit sphere; got the conditional "
                f"{self.conditional}, which leaves it. Choose vmf or a projected one."
            )

    @property
    def spherical(self) -> bool:
        """Whether latents are of unit norm."""
        return CONDITIONALS[self.conditional].spherical

    @property
    def images(self) -> bool:
        """Whether observations are images."""
        return GENERATORS[self.generator].images


class WorldOptions(TypedDict, total=False):
    """The options of a `WorldConfig` that no conditional owns, as keywords."""

    clusters: ClusterKind
    cluster_scale: float
    components: int
    swapped_share: float
    swapped_classes: int | None
    label_noise: float
    label_exponent: float
    repeated_share: float
    generator: GeneratorKind
    generator_layers: int
    observation_dim: int | None
