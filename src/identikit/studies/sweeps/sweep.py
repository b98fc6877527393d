"""A sweep is data: rows of simulations under labels, the same seeds for each, and words.

Nothing here or in the runner knows a particular sweep. Each one is a file in `catalogue/`
that names its sweep SWEEP.
"""

from dataclasses import dataclass, replace

from identikit.core.errors import InputError
from identikit.studies.simulation.config import SimulationConfig

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: simulations that differ by their seed alone."""

    label: str
    """What sets the row apart from its neighbours: "κ = 50"."""
    config: SimulationConfig
    """Its seed is replaced by each of the sweep's seeds."""
    group: str = ""
    """The table, or the curve of the figure, that the row belongs to."""
    x: int | float | None = None
    """Its place on the sweep's axis."""

    @property
    def key(self) -> str:
        """The row's name within the sweep."""
        return f"{self.group}: {self.label}" if self.group else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What is varied, where a sweep has a figure."""

    label: str
    log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A question that many simulations answer.

    Raises:
        InputError: no rows, rows of one name, or rows without a place on the axis.
    """

    name: str
    """What `identikit reproduce` calls it."""
    title: str
    question: str
    """One sentence."""
    prediction: str
    """What theory says, in one or two plain sentences."""
    rows: tuple[Row, ...]
    core_minutes: int | float | None = None
    """On one core, as measured (from one seed, where the study's page says so); None if not yet."""
    axis: Axis | None = None
    seeds: tuple[int, ...] = SEEDS

    def __post_init__(self) -> None:
        keys = [row.key for row in self.rows]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if not keys or twice:
            raise InputError(
                f"rows of the sweep {self.name!r} need names of their own, and at least one row; "
                f"got {', '.join(twice) or 'none'}. Change label or group."
            )
        if self.axis is not None and any(row.x is None for row in self.rows):
            raise InputError(f"every row of {self.name!r} needs an x, its place on the axis.")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups in the order of their first rows."""
        return tuple(dict.fromkeys(row.group for row in self.rows))

    @property
    def runs(self) -> int:
        """How many simulations it is made of."""
        return len(self.rows) * len(self.seeds)


def with_seed(config: SimulationConfig, seed: int) -> SimulationConfig:
    """The same simulation with another seed."""
    return replace(config, seed=seed)
