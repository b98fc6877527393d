"""What a sweep keeps of its runs: the numbers of a summary, or why there are none."""

from dataclasses import dataclass

from identikit.studies.simulation.result import SimulationResult
from identikit.theory.cases import Case
from identikit.theory.explain import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A finished simulation."""

    seed: int
    path: str
    """Of the run, relative to where sweeps stand."""
    core_seconds: float | None
    """Of one core for the whole run; None where it was resumed."""
    case: Case
    """Of theorem 1: all but C4 promise a scaled rotation."""
    r2_latents: float
    procrustes_r2_latents: float
    r2_head: float | None
    procrustes_r2_head: float | None
    ceiling_r2: float
    ceiling_procrustes_r2: float
    ceiling_r2_head: float | None
    ceiling_procrustes_r2_head: float | None
    identity_r2: float
    """Affine R² of the latents from the observations themselves."""
    excess_loss: float | None
    isometry_error: float | None
    """How far the singular values of the map from z to h are from equal."""
    cause: Cause
    possible_causes: tuple[Cause, ...]
    at_optimum: bool | None
    explanation: str
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
        error = latents.isometry_error
        return cls(
            seed=seed,
            path=path,
            core_seconds=core_seconds,
            case=result.case,
            r2_latents=result.r2_latents,
            procrustes_r2_latents=result.procrustes_r2_latents,
            r2_head=result.r2_head,
            procrustes_r2_head=result.procrustes_r2_head,
            ceiling_r2=result.ceiling_r2,
            ceiling_procrustes_r2=ceiling.procrustes_r2,
            ceiling_r2_head=result.ceiling_r2_head,
            ceiling_procrustes_r2_head=ceiling.procrustes_r2_head,
            identity_r2=result.identity_r2,
            excess_loss=result.excess_loss,
            isometry_error=None if error is None else error.value,
            cause=result.cause,
            possible_causes=result.possible_causes,
            at_optimum=result.at_optimum,
            explanation=result.explanation,
            observations=result.observations,
            head_rows_tied=result.head_rows_tied,
        )

    @property
    def rotates(self) -> bool:
        """Whether a scaled rotation is promised."""
        return self.case is not Case.C4

    @property
    def recovered(self) -> float:
        """The score that fits the head."""
        return self.procrustes_r2_latents if self.rotates else self.r2_latents

    @property
    def ceiling(self) -> float:
        """The ceiling of `recovered`."""
        return self.ceiling_procrustes_r2 if self.rotates else self.ceiling_r2

    @property
    def head(self) -> float | None:
        """The score that fits the head, from its rows to cluster vectors."""
        return self.procrustes_r2_head if self.rotates else self.r2_head

    @property
    def head_ceiling(self) -> float | None:
        """The ceiling of `head`."""
        return self.ceiling_procrustes_r2_head if self.rotates else self.ceiling_r2_head

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
