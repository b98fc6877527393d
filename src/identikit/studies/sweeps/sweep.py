"""A sweep is data: rows of simulations under labels, the same seeds for each, and words.

Nothing here or in the runner knows a particular sweep. Each one is a file in `catalogue/`
that names its sweep SWEEP.
"""

from dataclasses import dataclass, replace

from identikit.core.errors import InputError
from identikit.core.estimate import fixed
from identikit.studies.simulation.config import SimulationConfig

SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Printed:
    """A score as the paper prints it."""

    mean: float
    sd: float | None = None
    """Over its five seeds; None where none is printed."""

    def __str__(self) -> str:
        return fixed(self.mean, 3) + ("" if self.sd is None else f" ± {fixed(self.sd, 2)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What the paper reports of a row."""

    latents: Printed
    head: Printed | None = None
    """From rows to cluster vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the paper's text says of some rows: a quantity of one is below another's, or alike."""

    words: str
    """A clause, of what should then be so."""
    pairs: tuple[tuple[str, str], ...]
    """Keys of rows: the one that should be lower, the other."""
    lower: str = "latents"
    """What is compared of the first: latents, head, or a name of what stands beside the row."""
    higher: str = "latents"
    """The same of the second."""
    alike: bool = False
    """Whether the two should be the same, within the margin of a ceiling."""
    reason: str = ""
    """A sentence: what theory has to say, beside the numbers."""


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
    paper: Published | None = None
    """What the paper reports, where it prints a number."""
    beside: tuple[tuple[str, float], ...] = ()
    """Quantities of the row's world that stand beside its scores, by name."""

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
    claims: tuple[Claim, ...] = ()
    """What the paper's text says, to be held against the rows."""

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
        named = {key for claim in self.claims for pair in claim.pairs for key in pair}
        if unknown := sorted(named - set(keys)):
            raise InputError(f"claims of {self.name!r} are about no row: {', '.join(unknown)}.")

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
