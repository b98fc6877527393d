"""Small jobs for the runner, and `python -m tests.runs.jobs ROOT WORKERS`, a sweep of them."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from identikit.encoders.config import EncoderConfig
from identikit.runs.executors import processes
from identikit.runs.jobs import Job, JobOutcome, run_jobs
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.studies.simulation.config import SimulationConfig
from identikit.training.config import TrainingConfig
from identikit.worlds.config import WorldConfig

DEADLINE_SECONDS = 120.0
T = TypeVar("T")


def config(seed: int, *, steps: int = 20, rate: float = 0.005) -> SimulationConfig:
    return SimulationConfig(
        objective="supervised",
        seed=seed,
        test_samples=256,
        world=WorldConfig(dim=3, classes=8),
        encoder=EncoderConfig(width=16),
        training=TrainingConfig(steps=steps, batch_size=64, rate=rate),
    )


LONG = Job(key="long", command="simulate", config=config(0, steps=600), cost=3.0)
"""Seconds of work, long enough to die in the middle of it."""
BAD = Job(key="bad", command="simulate", config=config(1, rate=1e30), cost=2.0)
"""Its numbers overflow."""
SHORT = Job(key="short", command="simulate", config=config(2), cost=1.0)


def path_of(job: Job, root: Path) -> Path:
    return study_of(job.command).store(root).path_of(job.config, label=job.config.label)


def under_way(job: Job, root: Path) -> bool:
    """Whether the job is being trained: its first scores are written, and it is not finished."""
    path = path_of(job, root)
    metrics = root / f".{path.name}.partial" / "metrics.jsonl"
    return metrics.exists() and metrics.stat().st_size > 0


def wait_for(what: Callable[[], T]) -> T:
    """What the call returns, as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return found


def holder(job: Job, root: Path, pids: Iterable[int]) -> int | None:
    """Which of the processes is writing the run of a job."""
    lock = root / f".{path_of(job, root).name}.lock"
    for pid in pids:
        with suppress(OSError):  # it, or its file, is gone
            if any(os.readlink(link) == str(lock) for link in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
    return None


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def numbers(found: Any) -> Any:
    """What is the same in every run of a config: all but times and provenance."""
    if isinstance(found, dict):
        drop = {"seconds", "training_seconds", "provenance"}
        return {k: numbers(v) for k, v in found.items() if k not in drop}
    return [numbers(each) for each in found] if isinstance(found, list) else found


def numbers_of(job: Job, root: Path) -> Any:
    return numbers(Run.load(path_of(job, root)).result)


def sweep(
    jobs: Iterable[Job], root: Path, open_executor: Callable[[], Any]
) -> dict[str, JobOutcome]:
    outcomes: dict[str, JobOutcome] = {}
    run_jobs(
        jobs,
        root=root,
        open_executor=open_executor,
        on_outcome=lambda outcome: outcomes.update({outcome.key: outcome}),
    )
    return outcomes


if __name__ == "__main__":
    sweep((LONG, SHORT), Path(sys.argv[1]), lambda: processes(int(sys.argv[2])))
