"""Running a sweep: every row with every seed on any executor, then oracles for what fell short.

The numbers are those of `identikit simulate`, run by run; a sweep only collects them. Runs
are found again by their own hash, the sweep by the hash of all its rows.
"""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from identikit.core.config import digest, to_dict
from identikit.core.errors import InputError
from identikit.objectives.label_clustering import observations_needed
from identikit.runs.jobs import Job, Outcome, run_jobs, seconds_left
from identikit.runs.store import Draft, Run
from identikit.runs.study import Outcome as Result
from identikit.studies.catalogue import sweep_named
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.sweeps.summary import KEPT, RowSummary, summarise, typical_run
from identikit.studies.sweeps.sweep import Row, Sweep, with_seed
from identikit.theory.explain import CLOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """Which study to run, with how many seeds."""

    name: Annotated[str, tyro.conf.Positional] = ""
    """Name of the study; see --list."""
    seeds: int | None = None
    """Use seeds 0 to SEEDS - 1; by default the study's own, mostly five."""
    digest: Annotated[str, tyro.conf.Suppress] = ""
    """Of rows and seeds, so that a changed study is another run; filled in by `with_digest`."""

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise InputError(f"seeds must be at least 1; got {self.seeds}.")

    def sweep(self) -> Sweep:
        """The study, with these seeds.

        Raises:
            InputError: no study of that name.
        """
        found = sweep_named(self.name)
        return found if self.seeds is None else replace(found, seeds=tuple(range(self.seeds)))

    def with_digest(self) -> "SweepConfig":
        """The same config with the digest of its rows."""
        sweep = to_dict(self.sweep())
        return replace(self, digest=digest([sweep["rows"], sweep["seeds"]]))


@dataclass
class SweepProgress:
    """How a sweep stands: what its live table shows."""

    sweep: Sweep
    jobs: dict[str, Job]
    started: float = field(default_factory=time.monotonic)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """By the runner's rule; None at first."""
        known = dict(self.outcomes)  # the live table asks while runs come in
        return seconds_left(dict(self.jobs), known, started=self.started)

    def add(self, outcome: Outcome, record: dict[str, Any]) -> None:
        """Take in a finished run."""
        self.outcomes[outcome.key] = outcome
        self.records[outcome.key] = record

    def row(self, row: Row) -> dict[str, Any]:
        """What is known of a row: its records, in the order of seeds."""
        keys = [_key(row, seed) for seed in self.sweep.seeds]
        runs = [self.records[key] for key in keys if key in self.records]
        found = {"label": row.label, "group": row.group, "x": row.x, "runs": runs}
        oracle = self.records.get(_oracle_key(row))
        return found | ({} if oracle is None else {"oracle": oracle})

    def summaries(self) -> list[RowSummary]:
        """All lines of the table as they stand."""
        return [summarise(self.row(row)) for row in self.sweep.rows]


def compute(
    config: SweepConfig,
    draft: Draft,
    *,
    root: Path,
    open_executor: Callable[[], AbstractContextManager[Executor]],
    on_board: Callable[[SweepProgress, Outcome | None], None],
) -> Result:
    """Run whatever is not yet there, and collect.

    Args:
        config: Which sweep.
        draft: Where the sweep itself goes; its runs go to `root`.
        root: Folder of the runs, where those made before are found.
        open_executor: Gives a `concurrent.futures` executor.
        on_board: Told at the start, and after every run with its outcome.
    """
    sweep = config.sweep()
    rows = {_key(row, seed): (row, seed) for row in sweep.rows for seed in sweep.seeds}
    jobs = {key: _job(key, with_seed(row.config, seed)) for key, (row, seed) in rows.items()}
    board = SweepProgress(sweep, jobs)
    on_board(board, None)

    def collect(outcome: Outcome) -> None:
        seed = board.jobs[outcome.key].config.seed
        board.add(outcome, _record(outcome, seed=seed, beside=draft.target.parent))
        on_board(board, outcome)

    run_jobs(list(jobs.values()), root=root, open_executor=open_executor, on_outcome=collect)
    oracles = {job.key: job for row in sweep.rows if (job := _oracle(row, board)) is not None}
    board.jobs |= oracles
    run_jobs(list(oracles.values()), root=root, open_executor=open_executor, on_outcome=collect)
    failed = sum(board.records[key]["error"] is not None for key in jobs)
    seconds = {r["path"]: r["core_seconds"] for r in board.records.values() if r["path"]}
    result = {
        "status": "incomplete" if failed else "completed",
        "failed": failed,
        "found": sum(outcome.found for outcome in board.outcomes.values()),
        "title": sweep.title,
        "question": sweep.question,
        "prediction": sweep.prediction,
        "axis": None if sweep.axis is None else to_dict(sweep.axis),
        "seeds": list(sweep.seeds),
        "core_seconds": sum(s for s in seconds.values() if s is not None),
        "rows": [board.row(row) for row in sweep.rows],
    }
    return result, {}


def _key(row: Row, seed: int) -> str:
    return f"{row.key}, seed {seed}"


def _oracle_key(row: Row) -> str:
    return f"{row.key}, oracle"


def _oracle(row: Row, board: SweepProgress) -> Job | None:
    """The same encoder trained on the true latents, where a row stayed below its ceiling."""
    known = board.row(row)
    summary = summarise(known)
    if summary.gap is None or summary.gap <= CLOSE or row.config.objective == "oracle":
        return None
    seed = typical_run([run for run in known["runs"] if run["error"] is None])["seed"]
    config = replace(
        with_seed(row.config, seed),
        objective="oracle",
        representation_dim=None,
        # what only a head of labels has
        head=replace(row.config.head, normalized=False),
        world=replace(row.config.world, repeated_share=0.0),
    )
    return _job(_oracle_key(row), config)


def _job(key: str, config: SimulationConfig) -> Job:
    return Job(key=key, command="simulate", config=config, cost=expected_seconds(config))


def expected_seconds(config: SimulationConfig) -> float:
    """A rough guess of a run's core-seconds, to put long runs first and to tell time left."""
    width = max(config.encoder.width, config.world.dim)
    per_sample: float = 2.4e-6 * (width / 64) ** 1.5 + 1e-6
    drawn = config.training.samples(config.training.steps)
    if config.objective == "diet" and config.head.tied_rows:
        drawn += observations_needed(config.n_labels)
    return 3.0 + drawn * per_sample


def _record(outcome: Outcome, *, seed: int, beside: Path) -> dict[str, Any]:
    """What the sweep keeps of a run; its path is relative to where sweeps stand."""
    if outcome.run is None:
        return {"seed": seed, "path": None, "error": outcome.error, "core_seconds": None}
    run = Run.load(outcome.run)
    result: Mapping[str, Any] = run.result
    ceiling, origin = result["prediction"]["ceiling"], result["provenance"]
    isometry_error = result["recovery"]["latents"]["isometry_error"]
    known = {
        **result,
        "ceiling_procrustes_r2": ceiling["procrustes_r2"],
        "ceiling_procrustes_r2_head": ceiling["procrustes_r2_head"],
        "isometry_error": None if isometry_error is None else isometry_error["value"],
    }
    return {
        "seed": seed,
        "path": os.path.relpath(outcome.run, beside),
        "error": None,
        "core_seconds": None if origin["resumed"] else origin["seconds"],
        **{name: known[name] for name in KEPT},
    }
