"""What the study of superposition is told, and what each of its cells is told: frozen configs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from identikit.core.choice import Range, check_ranges
from identikit.core.errors import InputError, unknown_name
from identikit.runs.config import StudyConfig

CELL = "superposition-cell"
"""The name under which cells are kept."""
SUPPORTS = ("independent", "correlated", "halves")
VARIANTS: dict[str, dict[str, object]] = {
    "independent": {},
    "correlated": {"supports": "correlated"},
    "importance": {"importance": 0.5},
    "coherence": {"coherence": 0.3},
    "network": {"network": True},
    "network-halves": {"network": True, "supports": "halves"},
    "rendered": {"network": "rendered", "supports": "halves"},
}
"""What each one changes."""
CORRELATION = 0.7
"""Of the scores of factors that tend to be there together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperpositionCellConfig(StudyConfig):
    """One world, superposed by a random matrix or by a network, and read in every way.

    Raises:
        InputError: an unknown name or a value out of range.
    """

    factors: Annotated[int, Range(2, 1000)]
    """Number of factors K."""
    dim: Annotated[int, Range(2, 1000)]
    """Dimensions d of what they are superposed in."""
    active: int
    """Factors that are there at once."""
    supports: str = "independent"
    """Which are there together: any (independent), those of a group of four rather (correlated), or
    never two of different halves, but in what is held out (halves)."""
    importance: Annotated[float, Range(0, 5)] = 0.0
    """Exponent of Zipf's law that the sizes of factors follow; 0: all alike."""
    coherence: Annotated[float, Range(0, 0.99)] = 0.0
    """Mean cosine of two directions of the matrix."""
    network: bool | Literal["rendered"] = False
    """Whether h is what a network of so many dimensions has learned by cross-entropy from all
    factors, or from images that are rendered from them; otherwise a random matrix superposes
    them."""
    seed: Annotated[int, Range(0)] = 0
    """Names every random stream."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.supports not in SUPPORTS:
            raise unknown_name("supports", self.supports, SUPPORTS)
        halves = self.supports == "halves"
        least, most = (2, self.factors // 2) if halves else (1, self.factors)
        if not least <= self.active <= most:
            raise InputError(
                f"active must be from {least} to {most}, the factors that can be there at once "
                f"({self.supports}, {self.factors} factors); got {self.active}."
            )
        if self.network and self.coherence:
            raise InputError(
                f"coherence is of a random matrix, and a network chooses its own; got "
                f"{self.coherence:g}. Leave one of them out."
            )

    @property
    def world(self) -> str:
        """What sets the cell apart from others, in words and without the seed."""
        words = [f"{self.factors} in {self.dim}, {self.active} at once", self.supports]
        words += [f"importance {self.importance:g}"] if self.importance else []
        words += [f"coherence {self.coherence:g}"] if self.coherence else []
        words += ["network" if self.network is True else self.network] if self.network else []
        return ", ".join(words)

    @property
    def label(self) -> str:
        """The same with the seed."""
        return f"{self.world.replace(', ', '-').replace(' ', '-')}-s{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperpositionConfig(StudyConfig):
    """How much of superposition: dimensions, ratios, sparsities, seeds.

    Raises:
        InputError: a value out of range.
    """

    dim: Annotated[int, Range(4, 256)] = 16
    """Dimensions d."""
    ratios: tuple[int, ...] = (1, 2, 4)
    """Factors per dimension, K / d."""
    active: tuple[int, ...] = (2, 4)
    """Factors that are there at once."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Of the world of 2 d factors: independent, correlated, importance, coherence, network; with
    held-out combinations network-halves, and rendered, whose network sees images."""
    seeds: Annotated[int, Range(1)] = 3
    """Use so many seeds."""
    first_seed: Annotated[int, Range(0)] = 0
    """First of the seeds; settings were chosen on seeds below 100."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.ratios or not self.active:
            raise InputError("ratios and active must hold a number each at least; got none.")
        for name in self.variants:
            if name not in VARIANTS:
                raise unknown_name("variant", name, VARIANTS)
        _ = self.cells

    @property
    def cells(self) -> tuple[SuperpositionCellConfig, ...]:
        """Every world with every seed: held-out combinations over K / d and k, then variants."""
        d = self.dim
        worlds: list[dict[str, object]] = [
            {"factors": ratio * d, "active": active, "supports": "halves"}
            for active in self.active
            for ratio in self.ratios
        ]
        worlds += [
            {"factors": 2 * d, "active": self.active[0]} | VARIANTS[name] for name in self.variants
        ]
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return tuple(
            SuperpositionCellConfig(dim=d, seed=seed, **world)  # type: ignore[arg-type]
            for world in worlds
            for seed in seeds
        )
