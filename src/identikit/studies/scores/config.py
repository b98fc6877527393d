"""What the grid of scores is told: a frozen config."""

from dataclasses import dataclass
from typing import Annotated

from identikit.core.choice import Range, check_ranges
from identikit.core.errors import InputError
from identikit.runs.config import StudyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresConfig(StudyConfig):
    """How large the constructions are, and how many seeds.

    Raises:
        InputError: a value out of range, or an odd number of factors.
    """

    seeds: Annotated[int, Range(1)] = 3
    """Use so many seeds, from FIRST_SEED on."""
    first_seed: Annotated[int, Range(0)] = 0
    """First of the seeds."""
    factors: Annotated[int, Range(4)] = 4
    """Factors of the grid; even, for the mixed encoder turns them in pairs."""
    samples: Annotated[int, Range(100)] = 2000
    """Samples of the grid."""
    sizes: bool = True
    """Whether codes that know nothing, and factors beside such codes, are scored at other numbers
    of samples, codes and factors, too."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.factors % 2:
            raise InputError(f"factors must be even; got {self.factors}.")
