"""The numbers of an unmixing: of each component, of each factor, and of all together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from identikit.core.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component: how far from Gaussian it is, and whether it comes out again."""

    name: str
    """c1, c2, ...: the least Gaussian one first."""
    contrast: float
    """(E log cosh y - that of a Gaussian)², on the rows fitted on; of an atom the share of samples
    that use it."""
    group: int
    """Number of its group; components of one group could be turned into each other."""
    alone: bool
    """Whether every plane that it lies in is determined, by a test on held-out rows; of an atom
    whether every other start has one of cosine 0.9 or more with it."""
    starts: float | None
    """Least correlation with its match from another start, of an atom cosine; None for one
    start."""
    resamples: Estimate | None
    """Correlation with its match in resamples: their median, and 95 % of them."""
    factor: str = ""
    """That is assigned to it."""


HALF = 0.5
"""Of what the best linear map recovers of a factor: a component that holds more is the factor's
own, since no other component, uncorrelated with it, can hold as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What single components hold of the factors that a linear map recovers."""

    held: Estimate | float
    """r² of these factors over that of the best linear map, sum over sum."""
    factors: int | float
    """Of how many it is more than half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorComponent:
    """One factor and the component that is assigned to it."""

    name: str
    component: str
    """Assigned on the rows fitted on, one component to one factor."""
    correlation: Estimate
    """|r| of the two on held-out rows."""
    predicted: Estimate | float | None
    """For an exact affine image of all factors; None where theory makes no promise."""
    linear: float
    """r of the factor with the best linear map of all of h (`probing.regress`), held out."""
    kept: float
    """The same from the principal axes that were kept."""
    raw: float | None
    """|r| with the one of h's own axes that is assigned to it; None where they are too few."""
    random: float
    """|r| with the component assigned to it in a random rotation, mean over rotations."""
    p: float
    """Of shuffled rows as large, corrected for the number of factors (Holm)."""
    held: Estimate | None
    """r² over that of the best linear map, held out; None where no linear map is shown to recover
    the factor (shuffled rows, Holm)."""
    alone: bool
    """Whether the factors' own values determine its direction, up to sign."""
    gaussian: bool
    """Whether its own values are not shown to be other than Gaussian."""
    partner: str
    """The factor that it depends on most, where it is shown to depend on any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmixingScores:
    """A representation as components, and what they are."""

    method: Literal["ica", "sparse"] = "ica"
    components: tuple[Component, ...]
    factors: tuple[FactorComponent, ...] = ()
    mcc: Estimate | None = None
    """Mean over factors of their |r|, held out."""
    predicted: Estimate | float | None = None
    """The same as theory has it, where it makes a promise for every factor."""
    shuffled: float | None = None
    """The same with the rows of the factors shuffled, assigned again."""
    random: float | None = None
    """The same of random rotations of the components, or of codes by random atoms."""
    raw: Estimate | None = None
    """The same of h's own axes."""
    linear: Estimate | None = None
    """Mean over factors of r with the best linear map."""
    own: Own | None = None
    """How many factors have a component of their own."""
    own_random: Own | None = None
    """The same of random rotations, or random atoms, mean."""
    own_raw: Own | None = None
    """The same of h's own axes."""
    axes: Mapping[str, Mapping[str, Estimate | float]] = field(default_factory=dict)
    """InfoMEC and DCI on held-out rows: of the components, of arbitrary ones, and of the components
    with their rows shuffled."""
    enough: float | None = None
    """Samples from which theory has every factor's correlation at 0.99 or more."""
    n_train: int
    n_test: int
    dim: int
    rank: int
    """Directions in which the representation varies."""
    share: float
    """Of its variance, in the axes that were kept."""
    row_space: bool = False
    """Whether it is the part that the head reads."""
    converged: bool
    mean: tuple[float, ...] = field(repr=False)
    weights: tuple[tuple[float, ...], ...] = field(repr=False)
    """(dimensions, components): components are (h - mean) weights; of sparse codes each column is
    an atom."""
    penalty: float = 0.0
    """Of sparse codes."""
    active: float | None = None
    """Atoms in use for a sample, mean over those that were not fitted on."""
    coherence: float | None = None
    """The largest cosine of two atoms."""
    status: tuple[str, ...] = ()
    """What to mind, one sentence each."""

    @property
    def determined(self) -> int:
        """Components that are determined up to order and sign."""
        return sum(component.alone for component in self.components)

    @property
    def linearly(self) -> int:
        """Factors that a linear map of h is shown to recover."""
        return sum(factor.held is not None for factor in self.factors)
