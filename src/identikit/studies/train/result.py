"""What a training run on images says: what its head covers, its loss, and each factor."""

from dataclasses import dataclass
from typing import Literal

from identikit.core.estimate import format_number
from identikit.core.finding import (
    Finding,
    Headline,
    Verdict,
    factor_headline,
    judge_prediction,
)
from identikit.probing.recovery import Recovery
from identikit.report.shown import Said
from identikit.training.fit import Record

MUCH_WAITING = 0.1
"""Share of the time from which on it is said that steps waited for their images."""
AT_FLOOR = 0.05
"""Nats above the least loss from which a run counts as at its optimum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroups:
    """Groups that the rows of a head fall into, found without classes (`statistics.groups`)."""

    count: int
    clarity: float
    """Mean silhouette."""
    between: float
    """Share of the variance of the rows between them."""
    likeness: dict[str, float]
    """Adjusted Rand index with the classes of each factor."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TrainResult(Said):
    """What came out."""

    status: Literal["completed", "interrupted"]
    images: int
    labels: int | None
    """Rows of the head; None where there is none."""
    dim: int
    """Of h."""
    steps: int
    seconds: float
    images_per_second: float
    """Of the whole loop, without evaluation."""
    waited: float
    """Share of that time in which steps waited for their images."""
    workers: int
    """Processes that made images ahead of the steps."""
    loss: float | None
    """Mean since the last record but one, in nats."""
    floor: float | None
    """The least that any encoder reaches; None where the loss is no cross-entropy over all labels.
    """
    augmented: bool
    covered: int | None
    """Dimensions of h that the head reads."""
    class_spread: dict[str, float]
    """Share of the variance of the head's rows between the classes of each factor."""
    chance_spread: dict[str, float]
    """The same of rows without order, expected."""
    row_groups: RowGroups | None
    """Of a head of instances, at the end."""
    recovery: Recovery | None
    """What is linearly in h; None without factors, or before the end."""
    history: tuple[Record, ...]
    unreadable: dict[str, str]
    """Images that were left out, and why."""
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The factors first."""
        return (
            *(self.recovery.findings if self.recovery is not None else ()),
            *self._loss(),
            *self._coverage(),
            *(self._spread(name) for name in self.class_spread),
            *self._groups(),
            *self._waiting(),
        )

    @property
    def headline(self) -> Headline:
        """What is known of the factors; without any, what was trained on."""
        if self.recovery is not None:
            return factor_headline(self.recovery.findings)
        what = f"{self.images:,} images, {self.steps:,} steps, h of {self.dim} dimensions"
        if self.status == "interrupted":
            return Headline(sentence=f"{what} so far.", word="Stopped early", tone="warning")
        sentence = f"{what}. Give --factors to ask what is linearly in it."
        return Headline(sentence=sentence, word="Trained", tone="neutral")

    def _loss(self) -> tuple[Finding, ...]:
        if self.loss is None:
            return ()
        quantity, loss = "loss (nats)", self.loss
        if self.floor is None:
            words = "Of a batch's own labels and some drawn ones, or of pairs: no floor is known."
            verdict, predicted = Verdict.MEASURED, None
        else:
            above = f"{format_number(loss - self.floor)} nats above the least that any encoder can "
            above += f"reach, {format_number(self.floor)}"
            if self.augmented:
                words = f"{above}, which augmentation raises where views of labels overlap."
                verdict, predicted = Verdict.MEASURED, None
            else:
                predicted = self.floor
                close = abs(loss - predicted) <= AT_FLOOR
                verdict = judge_prediction(loss, predicted, close=close)
                words = f"{above}; theory speaks of the optimum." if not close else f"{above}."
        return (
            Finding(
                quantity=quantity,
                predicted=predicted,
                recovered=loss,
                explained=words,
                verdict=verdict,
            ),
        )

    def _coverage(self) -> tuple[Finding, ...]:
        if self.covered is None or self.labels is None:
            return ()
        most = min(self.labels - 1, self.dim)
        rest = self.dim - self.covered
        words = "Theory speaks of the part of h that the head reads"
        words += f"; {rest} of {self.dim} dimensions lie outside it." if rest else ": all of it."
        return (
            Finding(
                quantity="dimensions that the head reads",
                predicted=most,
                recovered=self.covered,
                explained=words,
                verdict=judge_prediction(self.covered, most, close=self.covered == most),
            ),
        )

    def _groups(self) -> tuple[Finding, ...]:
        groups = self.row_groups
        if groups is None:
            return ()
        words = "The clearest grouping of the head's rows by k-means: silhouette "
        words += f"{format_number(groups.clarity)} of 1, {format_number(groups.between)} of their "
        words += "variance between groups"
        like = [f"{name} {format_number(value)}" for name, value in groups.likeness.items()]
        alike = f"; like the classes of {', '.join(like)} (adjusted Rand index)" if like else ""
        return (
            Finding(
                quantity="groups of rows",
                recovered=groups.count,
                explained=f"{words}{alike}.",
                verdict=Verdict.MEASURED,
            ),
        )

    def _waiting(self) -> tuple[Finding, ...]:
        if self.waited < MUCH_WAITING:
            return ()
        words = "A process of its own would read and augment them ahead: --workers 1"
        if self.workers:
            words = (
                f"Where processors are free, more would be made ahead: --workers {2 * self.workers}"
            )
        return (
            Finding(
                quantity="waiting for images",
                measure="share of the time",
                recovered=self.waited,
                explained=f"{words}.",
                verdict=Verdict.MEASURED,
            ),
        )

    def _spread(self, name: str) -> Finding:
        return Finding(
            quantity=f"rows alike within {name}",
            measure="share of variance between",
            recovered=self.class_spread[name],
            chance=self.chance_spread[name],
            explained="1 where all images of one value share one row, as instances of one class do "
            "at the theorem's optimum; rows in no order have "
            f"{format_number(self.chance_spread[name])}.",
            verdict=Verdict.MEASURED,
        )
