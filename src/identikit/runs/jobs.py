"""Many runs at once: jobs in, outcomes back as they come, whatever becomes of the workers.

Finished runs are found by their config's hash before any worker starts; the others go to a
`concurrent.futures` executor, longest first. Nothing here knows where the workers live.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import run_study

TRIES = 3
"""How many workers a job may lose before it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run that is wanted."""

    key: str
    """The caller's name for it."""
    command: str
    """The command of the study that makes it."""
    config: Any
    """Frozen dataclass; decides the run and so where it is kept."""
    cost: float
    """Expected core-seconds; only decides the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What became of a job."""

    key: str
    run: Path | None
    """Folder of the finished run, which is not drawn; None where there is none."""
    error: str | None
    """What went wrong, in words; None for a finished run."""
    found: bool
    """Whether the run was there already."""
    warnings: tuple[str, ...] = ()
    """What else is to be said."""


Tell = Callable[[JobOutcome], None]


def seconds_left(
    jobs: Mapping[str, Job], outcomes: Mapping[str, JobOutcome], *, started: float
) -> float | None:
    """From the share of the expected work that was done, not found; None before there is any.

    Args:
        jobs: All of them, by their keys.
        outcomes: What became of them so far.
        started: When, by `time.monotonic`.
    """
    worked = sum(jobs[key].cost for key, outcome in outcomes.items() if not outcome.found)
    if not worked:
        return None
    left = sum(job.cost for key, job in jobs.items() if key not in outcomes)
    return (time.monotonic() - started) * left / worked


def run_jobs(
    jobs: Iterable[Job],
    *,
    root: Path,
    open_executor: Callable[[], AbstractContextManager[Executor]],
    on_outcome: Tell,
    restart: bool = False,
) -> None:
    """Find or make every run, and tell of each as soon as it is known.

    A job that fails does not stop the others. A broken executor is replaced and what was
    unfinished runs again, from its checkpoints; a job that was at work in two of them runs
    alone, so that a third death is surely its own.

    Args:
        jobs: Jobs of the same config are one run, told of once for each.
        root: Folder of all runs; the workers must see it under the same path.
        open_executor: Called only when there is something to run, and again after a break.
        on_outcome: Called in this thread.
        restart: Throw away what was left of runs that were stopped.

    Raises:
        BrokenExecutor: the workers of three executors died before any began a job.
        KeyboardInterrupt: after Ctrl-C, when the executor is closed.
    """
    root = root.absolute()
    todo = _unfinished(jobs, root, on_outcome, restart=restart)
    deaths: Counter[Path] = Counter()
    stillborn = 0
    while todo:
        alone = [path for path in todo if deaths[path] == TRIES - 1]
        batch = {path: todo[path] for path in alone[:1] or todo}
        broken: BrokenExecutor | None = None
        with open_executor() as executor:
            try:
                for path, outcome in _outcomes(executor, batch, root):
                    _tell(todo.pop(path), outcome, on_outcome)
            except BrokenExecutor as error:
                broken = error
        if broken is not None:
            suspects = [path for path in batch if path in todo and _at_work(todo[path][0], root)]
            stillborn = 0 if suspects else stillborn + 1
            if stillborn == TRIES:
                raise broken
            deaths.update(suspects)
            for path in suspects:
                if deaths[path] == TRIES:
                    _tell(todo.pop(path), _failure(_death(broken)), on_outcome)


def _unfinished(
    jobs: Iterable[Job], root: Path, on_outcome: Tell, *, restart: bool
) -> dict[Path, list[Job]]:
    """The jobs that are left to run, longest first, by the folder of their run."""
    todo: dict[Path, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: -job.cost):
        study = study_of(job.command)
        store, label = study.store(root), job.config.label
        made = store.find(job.config, label=label)
        if made is None:
            if restart:
                store.discard(job.config, label=label)
            path = store.path_of(job.config, label=label)
            todo.setdefault(path, []).append(job)
        else:
            _tell([job], _success(made, found=True), on_outcome)
    return todo


def _outcomes(
    executor: Executor, batch: Mapping[Path, list[Job]], root: Path
) -> Iterator[tuple[Path, JobOutcome]]:
    """Each run of the batch with its outcome, as they come.

    Raises:
        BrokenExecutor: when all that was finished before the break is told.
    """
    futures: dict[Future[JobOutcome], Path] = {}
    broken: BrokenExecutor | None = None
    try:
        for path, jobs in batch.items():
            futures[executor.submit(_work, jobs[0], root)] = path
    except BrokenExecutor as error:
        broken = error
    for future in as_completed(futures):
        path = futures[future]
        try:
            outcome = future.result()
        except BrokenExecutor as error:
            broken = error
            continue
        except Exception as error:  # the executor's own trouble
            outcome = _failure(_words(error))
        if outcome.run is not None and not outcome.run.exists():
            outcome = _failure(
                f"the worker wrote {outcome.run}, which cannot be seen from here. Put the runs "
                "into a folder that all machines share."
            )
        yield path, outcome
    if broken is not None:
        raise broken


def _work(job: Job, root: Path) -> JobOutcome:
    """Make one run; happens in a worker, which no failure of a job takes down."""
    said: list[str] = []
    study = study_of(job.command)
    try:
        done = run_study(study, job.config, root=root, warn=said.append, wait=True)
    except Exception as error:
        return replace(_failure(_words(error)), warnings=tuple(said))
    if done.run.interrupted:
        outcome = _failure("it was interrupted; the same command goes on where it stopped")
    else:
        outcome = _success(done.run, found=done.found)
    return replace(outcome, warnings=tuple(said))


def _at_work(job: Job, root: Path) -> bool:
    """Whether somebody had begun this run when the workers died."""
    study = study_of(job.command)
    return study.store(root).being_written(job.config, label=job.config.label)


def _success(made: Run, *, found: bool) -> JobOutcome:
    return JobOutcome(key="", run=made.path, error=None, found=found)


def _failure(error: str) -> JobOutcome:
    return JobOutcome(key="", run=None, error=error, found=False)


def _tell(jobs: Iterable[Job], outcome: JobOutcome, on_outcome: Tell) -> None:
    for job in jobs:
        on_outcome(replace(outcome, key=job.key))


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _death(error: BrokenExecutor) -> str:
    return (
        f"the worker died {TRIES} times over it, the last time alone. Most likely it was killed "
        f"for want of memory; give it a machine with more. ({_words(error)})"
    )
