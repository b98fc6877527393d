"""SLURM as a `concurrent.futures` executor, through submitit.

A submitit job is no future: a thread looks after the jobs and hands what became of them to
futures. Programs, logs and results of the jobs lie in a folder that the nodes share.
"""

import math
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from identikit.core.errors import InputError, optional_module
from identikit.core.threads import one_thread_each
from identikit.runs.options import named_values
from identikit.runs.store import DEFAULT_ROOT

NAMES = {"time": "timeout_min", "cpus": "cpus_per_task", "memory": "mem_gb"}
"""Our names of options for submitit's; any other NAME is sbatch's --NAME."""
DEFAULTS: dict[str, Any] = {"timeout_min": 60, "cpus_per_task": 1, "name": "identikit"}
POLL_SECONDS = 0.2
QUEUE_SECONDS = 5.0
"""Between looks into the queue: sacct, which submitit asks, is not set up everywhere."""
SQUEUE = ("squeue", "--me", "--noheader", "--format=%A")
MISSES = 2
"""In so many looks must a job without a result be gone: shared disks are late at times."""
TRIES = 3
"""How often a job is submitted whose process dies."""


def slurm(
    options: Sequence[str] = (),
    *,
    folder: Path = DEFAULT_ROOT / ".slurm",
    workers: int | None = None,
    nodes: int = 1,
    processes: int = 1,
    cluster: str = "slurm",
) -> AbstractContextManager[Executor]:
    """SLURM, one of its jobs for each job of the sweep.

    A job that reaches its time limit or is preempted is queued again by its node, one whose
    process died by us, up to three times; training goes on from its checkpoint.

    Args:
        options: NAME=VALUE: time in minutes, cpus, memory in GB, and by their own names the
            options of sbatch that submitit knows: partition=gpu, account=..., qos=...
        folder: Of logs and results, on a disk that the nodes share, as that of the runs.
        workers: Jobs in SLURM's queue at a time; by default all.
        nodes: Machines of each job.
        processes: On each of them; all call the same, and what the first returns counts.
        cluster: What submitit submits to; "local" for processes on this machine.

    Raises:
        InputError: a bad option, at once; on entering, `submitit` is not installed or there is no
            SLURM here.
    """
    parameters = DEFAULTS | _parameters(options)
    if nodes * processes > 1:
        parameters |= {"nodes": nodes, "tasks_per_node": processes}
        parameters["slurm_srun_args"] = ["--kill-on-bad-exit=1"]  # the others would wait for ever
    return _opened(parameters, folder, workers, cluster)


@contextmanager
def _opened(
    parameters: Mapping[str, Any], folder: Path, workers: int | None, cluster: str
) -> Iterator[Executor]:
    submitit = optional_module("submitit", what="executor slurm", extra="slurm")
    try:
        queue = submitit.AutoExecutor(folder=folder.absolute(), cluster=cluster)
        queue.update_parameters(**parameters)
    except (RuntimeError, ValueError, NameError, AssertionError) as error:
        raise InputError(f"SLURM cannot be used like this: {error}") from error
    executor = Submitted(queue, workers=workers)
    with one_thread_each():
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)


def _parameters(options: Sequence[str]) -> dict[str, int | str]:
    """Options as submitit calls them.

    Raises:
        InputError: an option that is not NAME=VALUE.
    """
    pairs = named_values(options, "options takes NAME=VALUE, such as partition=gpu")
    return {
        NAMES.get(name, f"slurm_{name}"): int(value) if value.isdigit() else value
        for name, value in pairs
    }


def join_ranks() -> None:
    """In a job of several processes, name them as torchrun would."""
    from submitit.helpers import TorchDistributedEnvironment

    TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """What a job computes; with a `checkpoint` submitit queues it again when time is up."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self) -> Any:
        return self.fn(*self.args, **self.kwargs)

    def checkpoint(self) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(slots=True, eq=False)
class _Task:
    """A call on its way: its future, and the job that is at it."""

    call: _Call
    future: "Future[Any]" = field(default_factory=Future)
    job: Any = None
    submitted: int = 0
    missed: int = 0
    """How often its job was looked for in the queue in vain."""


class Submitted(Executor):
    """Futures over the jobs of a submitit executor, which one thread submits and polls."""

    def __init__(self, queue: Any, *, workers: int | None) -> None:
        self._queue = queue
        self._workers = workers
        self._waiting: deque[_Task] = deque()
        self._active: list[_Task] = []
        self._asked = time.monotonic()
        self._closed, self._cancelled = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Hand a call to the thread; calls are started in the order in which they come."""
        task = _Task(_Call(fn, args, kwargs))
        self._waiting.append(task)
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the jobs finish, or cancel them."""
        self._closed.set()
        if cancel_futures:
            self._cancelled.set()
        if wait:
            self._thread.join()

    def _look_after(self) -> None:
        try:
            self._poll()
        except Exception as error:  # else everybody would wait for ever
            for task in (*self._waiting, *self._active):
                task.future.set_exception(BrokenExecutor(f"SLURM cannot be followed: {error}"))

    def _poll(self) -> None:
        while not (self._closed.is_set() and not self._waiting and not self._active):
            if self._cancelled.wait(POLL_SECONDS):
                break
            while self._waiting and len(self._active) < (self._workers or math.inf):
                self._start(self._waiting.popleft())
            self._miss()
            written = {path.name for path in self._queue.folder.glob("*_result.pkl")}
            for task in list(self._active):
                done = task.job.paths.result_pickle.name in written
                if done or task.missed == MISSES:
                    self._active.remove(task)
                    self._finish(task, done=done)
        for task in self._active:
            task.job.cancel(check=False)
        for task in (*self._waiting, *self._active):
            if not task.future.cancel():
                task.future.set_exception(CancelledError())

    def _miss(self) -> None:
        """Now and then, count the jobs that are no longer in the queue."""
        if time.monotonic() - self._asked < QUEUE_SECONDS:
            return
        self._asked = time.monotonic()
        queued = self._queued()
        for task in self._active:
            if queued is not None:
                task.missed = 0 if task.job.job_id in queued else task.missed + 1

    def _queued(self) -> set[str] | None:
        """Jobs that wait or run; None where it cannot be told now."""
        if self._queue.cluster == "local":
            return {task.job.job_id for task in self._active if not task.job.done()}
        asked = subprocess.run(SQUEUE, capture_output=True, text=True, check=False)
        return set(asked.stdout.split()) if asked.returncode == 0 else None

    def _start(self, task: _Task) -> None:
        if task.submitted == 0 and not task.future.set_running_or_notify_cancel():
            return
        try:
            task.job = self._queue.submit(task.call)
        except Exception as error:  # whatever sbatch has to say
            task.future.set_exception(error)
        else:
            task.submitted, task.missed = task.submitted + 1, 0
            self._active.append(task)

    def _finish(self, task: _Task, *, done: bool) -> None:
        job, future = task.job.task(0), task.future
        if not done and task.submitted < TRIES:
            self._waiting.appendleft(task)
        elif not done:
            future.set_exception(
                RuntimeError(
                    f"SLURM ended it {TRIES} times, last as {job.job_id}; see {job.paths.stderr}"
                )
            )
        elif (error := job.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(job.result())
