"""What a sweep keeps of its runs: the numbers of a summary, or why there are none."""

from dataclasses import dataclass
from typing import TypeVar

from identikit.studies.simulation.result import SimulationResult
from identikit.studies.sweeps.sweep import Published
from identikit.theory.cases import Case
from identikit.theory.explain import Cause

Number = TypeVar("Number", float, float | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A finished simulation."""

    seed: int
    path: str
    """Of the run, relative to where sweeps stand."""
    core_seconds: float | None
    """Of one core for the whole run; None where it was resumed."""
    case: Case
    """Of theorem 1."""
    r2_latents: float
    linear_r2_latents: float
    """By a linear map without a constant."""
    procrustes_r2_latents: float
    r2_head: float | None
    linear_r2_head: float | None
    procrustes_r2_head: float | None
    ceiling_r2: float
    ceiling_linear_r2: float
    ceiling_procrustes_r2: float
    ceiling_r2_head: float | None
    ceiling_linear_r2_head: float | None
    ceiling_procrustes_r2_head: float | None
    identity_r2: float
    """Affine R² of the latents from the observations themselves."""
    excess_loss: float | None
    error_of_h: float | None
    """Mean absolute error of the singular values of the map from z to h, against a rotation's of
    the promised length, or, where none is promised, of their mean."""
    error_of_rows: float | None
    """The same of the map from cluster vectors to head rows."""
    cause: Cause
    possible_causes: tuple[Cause, ...]
    at_optimum: bool | None
    explanation: str
    starts: int
    """More than one where the loss of an earlier one did not end at the optimum's."""
    observations: int
    """Labelled ones that the run drew, those to find labels that look alike among them."""
    head_rows_tied: bool
    """Whether labels that look alike shared a row at first, so that equal rows are built in."""

    @classmethod
    def of(
        cls, result: SimulationResult, *, seed: int, path: str, core_seconds: float | None
    ) -> "RunRecord":
        """What is kept of a result."""
        latents, ceiling = result.recovery.latents, result.prediction.ceiling
        assert latents is not None  # a simulation's factors are continuous
        rows, maps = result.recovery.head, result.maps
        few = result.r2_head is None  # classes to fix a map
        return cls(
            seed=seed,
            path=path,
            core_seconds=core_seconds,
            case=result.case,
            r2_latents=result.r2_latents,
            linear_r2_latents=latents.linear.mean.value,
            procrustes_r2_latents=result.procrustes_r2_latents,
            r2_head=result.r2_head,
            linear_r2_head=None if rows is None or few else rows.linear.mean.value,
            procrustes_r2_head=result.procrustes_r2_head,
            ceiling_r2=result.ceiling_r2,
            ceiling_linear_r2=ceiling.linear_r2,
            ceiling_procrustes_r2=ceiling.procrustes_r2,
            ceiling_r2_head=result.ceiling_r2_head,
            ceiling_linear_r2_head=ceiling.linear_r2_head if result.rotates else None,
            ceiling_procrustes_r2_head=ceiling.procrustes_r2_head,
            identity_r2=result.identity_r2,
            excess_loss=result.excess_loss,
            error_of_h=None if maps is None else maps.error_of_h.value,
            error_of_rows=None if maps is None else maps.error_of_rows.value,
            cause=result.cause,
            possible_causes=result.possible_causes,
            at_optimum=result.at_optimum,
            explanation=result.explanation,
            starts=len(result.starts),
            observations=result.observations,
            head_rows_tied=result.head_rows_tied,
        )

    @property
    def score(self) -> str:
        """What fits the head: the paper's for C3 and C4, and a scaled rotation for C1 and C2."""
        return {Case.C3: "linear R²", Case.C4: "affine R²"}.get(self.case, "Procrustes R²")

    def _fitting(self, linear: Number, affine: Number, turned: Number) -> Number:
        return {Case.C3: linear, Case.C4: affine}.get(self.case, turned)

    @property
    def recovered(self) -> float:
        """The score that fits the head."""
        return self._fitting(self.linear_r2_latents, self.r2_latents, self.procrustes_r2_latents)

    @property
    def ceiling(self) -> float:
        """The ceiling of `recovered`."""
        return self._fitting(self.ceiling_linear_r2, self.ceiling_r2, self.ceiling_procrustes_r2)

    @property
    def head(self) -> float | None:
        """The score that fits the head, from its rows to cluster vectors."""
        return self._fitting(self.linear_r2_head, self.r2_head, self.procrustes_r2_head)

    @property
    def head_ceiling(self) -> float | None:
        """The ceiling of `head`; None in C3 where data are not diverse."""
        return self._fitting(
            self.ceiling_linear_r2_head, self.ceiling_r2_head, self.ceiling_procrustes_r2_head
        )

    @property
    def gap(self) -> float:
        """How far the run stays below its ceiling."""
        return self.ceiling - self.recovered


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A simulation without a result."""

    seed: int
    error: str
    """Why, in words."""


Record = RunRecord | FailedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecord:
    """What is known of a row."""

    label: str
    group: str
    x: int | float | None
    runs: tuple[Record, ...]
    """In the order of seeds."""
    oracle: Record | None
    """The same encoder trained on the true latents, where the row needed explaining."""
    untied: Record | None
    """A run with a row for each label throughout, where the row's own runs tied them."""
    paper: Published | None
    """What the paper reports."""
    beside: tuple[tuple[str, float], ...]
    """Quantities of the row's world, by name."""

    @property
    def key(self) -> str:
        """The row's name within the sweep."""
        return f"{self.group}: {self.label}" if self.group else self.label

    @property
    def done(self) -> tuple[RunRecord, ...]:
        """The runs that finished."""
        return tuple(run for run in self.runs if isinstance(run, RunRecord))

    @property
    def failed(self) -> tuple[FailedRun, ...]:
        """The runs that did not."""
        return tuple(run for run in self.runs if isinstance(run, FailedRun))
