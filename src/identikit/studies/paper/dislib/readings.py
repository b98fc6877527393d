"""What is measured in one cell, and what the table keeps of a cell that was made or failed."""

from dataclasses import dataclass

from identikit.core.estimate import Estimate
from identikit.probing.recovery import Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the training of a cell went."""

    epochs: float
    steps: int
    history: tuple[dict[str, int | float], ...]
    """Evaluations, with the accuracy on the validation part."""
    seconds: float
    test_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything that was read out of one encoder."""

    recovery: Recovery
    """With the untrained twin as a control, unless nothing was trained."""
    covered_dimensions: int | None
    """Of h, by the head; None where nothing was trained."""
    training: Training | None
    few_shot: dict[str, float]
    """Accuracy per factor, mean over draws of shots."""
    analogies: dict[str, dict[str, Estimate]]
    """Per factor and layer."""
    images: int
    """That took part."""
    of: int
    """Images of the whole grid."""
    shape: tuple[int, int, int]
    """Channels and sides of an image as the encoder had it."""
    sizes: tuple[int, ...]
    """Levels of each factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What a table keeps of a cell."""

    world: str
    encoder: str
    task: str
    repetition: int
    path: str
    """Of its run, relative to where tables stand."""
    seconds: float
    """Of its whole run."""
    readings: Readings


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """A cell that could not be made."""

    world: str
    encoder: str
    task: str
    repetition: int
    error: str
    """Why, in words."""
