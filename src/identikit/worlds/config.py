"""The options of a cluster-centric world, checked when they are made.

Source: arXiv:2410.21869, section 4.1 for the base row and the sweeps of its tables.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from identikit.core.errors import InputError, unknown_name

ClusterKind = Literal["uniform", "normal", "laplace", "generalized-normal"]
ConditionalKind = Literal[
    "vmf", "normal", "laplace", "generalized-normal", "truncated-laplace", "gaussian"
]
CovarianceKind = Literal["shared", "per-class"]
GeneratorKind = Literal["mlp", "orthogonal-mlp", "identity", "sprites", "rooms"]
RENDERED: tuple[GeneratorKind, ...] = ("sprites", "rooms")
"""Generators whose observations are images."""
OFF_THE_SPHERE: tuple[ConditionalKind, ...] = ("gaussian", "truncated-laplace")
"""Conditionals whose latents are not of unit norm."""
MAX_CONCENTRATION = 10_000.0
"""Of the von Mises-Fisher distribution; beyond it the quadrature of the normalizer gets too
coarse."""
_MLPS = ("mlp", "orthogonal-mlp")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """What a world is made of.

    Raises:
        InputError: an unknown name or a value out of range.
    """

    dim: int = 5
    """Number of latent dimensions d."""
    classes: int = 100
    """Number of classes C; the theorem needs at least d + 1."""
    clusters: ClusterKind = "uniform"
    """Distribution of the cluster vectors: uniform on the sphere, or projected around e_1."""
    cluster_scale: float = 1.0
    """Width of that distribution around e_1 (not for uniform)."""
    conditional: ConditionalKind = "vmf"
    """Distribution of the latents around their cluster vector."""
    kappa: float = 10.0
    """Concentration of the von Mises-Fisher conditional; 0 is uniform."""
    scale: float = 1.0
    """Width of every other conditional: larger is wider."""
    exponent: float = 3.0
    """Exponent of the generalised normals: 1 is Laplace, 2 is normal; at least 1."""
    covariance: CovarianceKind = "shared"
    """Gaussian conditional: one random covariance for all classes, or one for each."""
    components: int = 1
    """Cluster vectors per class, mixed equally."""
    swapped_share: float = 0.0
    """Share of draws, within the swapped classes, that come from another swapped class."""
    swapped_classes: int | None = None
    """How many classes swap labels (all, if not given)."""
    label_exponent: float = 0.0
    """Zipf exponent s of the label prior, (i + 1)^-s for label i; 0 is balanced."""
    repeated_share: float = 0.0
    """Share of the labels that are further instances of one element: they are of class 0."""
    generator: GeneratorKind = "mlp"
    """Map from latents to observations: the paper's, the same with orthogonal layers, x = z, or
    images of 32 x 32 pixels, whose factors follow the latents (rooms: at most 5)."""
    generator_layers: int = 4
    """Linear layers of an mlp generator."""
    observation_dim: int | None = None
    """Number of observed dimensions D of an mlp generator (dim, if not given)."""

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown_name(name, str(getattr(self, name)), known)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                limit = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
                raise InputError(f"{name} must be {limit}; got {value}.")
        swapped = self.swapped_classes
        if swapped is not None and not 2 <= swapped <= self.classes:
            raise InputError(
                f"swapped_classes must be from 2 to the number of classes ({self.classes}); "
                f"got {swapped}."
            )
        for name, used in self._used().items():
            if not used and getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise InputError(
                    f"{name} has no effect here; got {getattr(self, name)}. {_NEEDS[name]}"
                )
        if self.observation_dim is not None and self.observation_dim < self.dim:
            raise InputError(
                f"observation_dim must be at least dim ({self.dim}), or factors are lost; "
                f"got {self.observation_dim}."
            )
        if self.generator == "identity" and self.observation_dim not in (None, self.dim):
            raise InputError(
                f"the identity generator has observation_dim = dim ({self.dim}); "
                f"got {self.observation_dim}. Choose an mlp generator for more."
            )
        if self.generator in RENDERED:
            self._check_rendered()

    def _check_rendered(self) -> None:
        if self.observation_dim is not None:
            raise InputError(
                f"{self.generator} have as many observed dimensions as pixels; leave "
                f"observation_dim out (got {self.observation_dim})."
            )
        if self.conditional in OFF_THE_SPHERE:
            raise InputError(
                f"{self.generator} are drawn from latents on the unit sphere; got the conditional "
                f"{self.conditional}, which leaves it. Choose vmf or a projected one."
            )

    def _used(self) -> dict[str, bool]:
        """Which of the options that depend on others have an effect."""
        general = "generalized-normal" in (self.conditional, self.clusters)
        return {
            "kappa": self.conditional == "vmf",
            "scale": self.conditional != "vmf",
            "covariance": self.conditional == "gaussian",
            "exponent": general,
            "cluster_scale": self.clusters != "uniform",
            "swapped_classes": self.swapped_share > 0,
            "generator_layers": self.generator in _MLPS,
        }


class WorldOptions(TypedDict, total=False):
    """The options of a `WorldConfig` that no conditional owns, as keywords."""

    clusters: ClusterKind
    cluster_scale: float
    components: int
    swapped_share: float
    swapped_classes: int | None
    label_exponent: float
    repeated_share: float
    generator: GeneratorKind
    generator_layers: int
    observation_dim: int | None


_NEEDS = {
    "kappa": "It belongs to the vmf conditional; the others have a scale.",
    "scale": "Every conditional but vmf has it, which has kappa.",
    "covariance": "It belongs to the gaussian conditional.",
    "exponent": "It belongs to the generalized-normal conditional or clusters.",
    "cluster_scale": "Uniform clusters have none; choose another kind of clusters.",
    "swapped_classes": "Give a swapped_share too.",
    "generator_layers": "Only mlp generators have layers; choose one.",
}
_CHOICES = {
    "clusters": get_args(ClusterKind),
    "conditional": get_args(ConditionalKind),
    "covariance": get_args(CovarianceKind),
    "generator": get_args(GeneratorKind),
}
_RANGES: dict[str, tuple[float, float]] = {
    "dim": (2, math.inf),
    "classes": (2, math.inf),
    "cluster_scale": (1e-6, 1e6),
    "kappa": (0, MAX_CONCENTRATION),
    "scale": (1e-6, 1e6),
    "exponent": (1, 100),
    "components": (1, math.inf),
    "swapped_share": (0, 1),
    "label_exponent": (0, 20),
    "repeated_share": (0, 1),
    "generator_layers": (1, math.inf),
}
