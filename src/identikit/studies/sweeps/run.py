"""Running a sweep: every row with every seed on any executor, then what stands beside them.

Oracles stand beside rows that fell short, untied runs beside rows whose head rows were tied.

The numbers are those of `identikit simulate`, run by run; a sweep only collects them. Runs
are found again by their own hash, the sweep by the hash of all its rows.
"""

import os
from dataclasses import replace
from pathlib import Path

from identikit.runs.jobs import Job, JobOutcome
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import Arrays, Context
from identikit.runs.table import run_all
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.run import expected_seconds
from identikit.studies.sweeps.config import SweepConfig
from identikit.studies.sweeps.progress import SweepProgress, oracle_key, run_key, untied_key
from identikit.studies.sweeps.records import FailedRun, Record, RunRecord
from identikit.studies.sweeps.result import SweepResult
from identikit.studies.sweeps.summary import summarise, typical_run
from identikit.studies.sweeps.sweep import Row, with_seed
from identikit.theory.explain import CEILING_MARGIN


def compute(config: SweepConfig, context: Context) -> tuple[SweepResult, Arrays]:
    """Run whatever is not yet there, and collect.

    Args:
        config: Which sweep.
        context: Its root is the folder of the runs, where those made before are found; told of
            a `SweepProgress` at the start and after every run.
    """
    sweep = config.sweep()
    rows = {run_key(row, seed): (row, seed) for row in sweep.rows for seed in sweep.seeds}
    jobs = {key: _job(key, with_seed(row.config, seed)) for key, (row, seed) in rows.items()}
    board = SweepProgress(sweep, jobs)
    context.tell(board)

    def collect(outcome: JobOutcome) -> None:
        seed = board.jobs[outcome.key].config.seed
        board.add(outcome, _record(outcome, seed=seed, beside=context.draft.target.parent))
        context.tell(board)

    run_all(jobs.values(), context, on_outcome=collect)
    beside = [job(row, board) for row in sweep.rows for job in (_oracle, _untied)]
    twins = {job.key: job for job in beside if job is not None}
    board.jobs = jobs | twins
    run_all(twins.values(), context, on_outcome=collect)
    failed = sum(isinstance(board.records[key], FailedRun) for key in jobs)
    seconds = {r.path: r.core_seconds for r in board.records.values() if isinstance(r, RunRecord)}
    result = SweepResult(
        status="incomplete" if failed else "completed",
        failed=failed,
        found=sum(outcome.found for outcome in board.outcomes.values()),
        title=sweep.title,
        question=sweep.question,
        prediction=sweep.prediction,
        axis=sweep.axis,
        claims=sweep.claims,
        seeds=sweep.seeds,
        core_seconds=sum(s for s in seconds.values() if s is not None),
        rows=tuple(board.row(row) for row in sweep.rows),
    )
    return result, {}


def _oracle(row: Row, board: SweepProgress) -> Job | None:
    """The same encoder trained on the true latents, where a row stayed below its ceiling."""
    line = summarise(board.row(row))
    if line.gap is None or line.gap <= CEILING_MARGIN or row.config.target == "latents":
        return None
    config = with_seed(row.config, typical_run(line.row.done).seed).as_oracle()
    return _job(oracle_key(row), config)


def _untied(row: Row, board: SweepProgress) -> Job | None:
    """The same with a head row for each label throughout, where runs of a row tied them."""
    done = board.row(row).done
    if not any(run.head_rows_tied for run in done):
        return None
    config = with_seed(row.config, typical_run(done).seed)
    return _job(untied_key(row), replace(config, head=replace(config.head, tied_rows=False)))


def _job(key: str, config: SimulationConfig) -> Job:
    return Job(key=key, command="simulate", config=config, cost=expected_seconds(config))


def _record(outcome: JobOutcome, *, seed: int, beside: Path) -> Record:
    """What the sweep keeps of a run."""
    if outcome.run is None:
        return FailedRun(seed=seed, error=outcome.error or "")
    run = Run.load(outcome.run)
    return RunRecord.of(
        study_of("simulate").read(run),
        seed=seed,
        path=os.path.relpath(outcome.run, beside),
        core_seconds=None if run.origin["resumed"] else run.origin["seconds"],
    )
