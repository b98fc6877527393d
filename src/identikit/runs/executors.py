"""Where the jobs of a sweep run: processes here, a Dask cluster, or SLURM through submitit.

Each opens as a context that gives a `concurrent.futures.Executor`. Leaving it ends what
still runs there, with its checkpoints saved.
"""

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, get_args

from identikit.core.errors import InputError, in_words, optional_module, unknown_name
from identikit.core.threads import one_thread_each
from identikit.runs.slurm import slurm
from identikit.runs.store import DEFAULT_ROOT

ExecutorName = Literal["processes", "dask", "slurm"]
GRACE_SECONDS = 10.0
"""How long a worker that is told to stop may take; training stops after the step it is in."""
POLL_SECONDS = 0.2


def open_executor(
    name: str,
    *,
    workers: int | None = None,
    address: str | None = None,
    options: Sequence[str] = (),
    root: Path = DEFAULT_ROOT,
) -> AbstractContextManager[Executor]:
    """The executor of a name, to be entered.

    Args:
        name: processes, dask or slurm.
        workers: Processes, or SLURM jobs at a time; by default one per usable processor, or all.
        address: Of a Dask scheduler; by default a cluster is started on this machine.
        options: For SLURM, NAME=VALUE: partition=gpu, time=30 (minutes), cpus=1, memory=4 (GB).
        root: Folder of all runs; the logs of SLURM jobs go to `.slurm` in it.

    Raises:
        InputError: an unknown name, an option without effect, or a missing package.
    """
    if name not in get_args(ExecutorName):
        raise unknown_name("executor", name, get_args(ExecutorName))
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1; got {workers}.")
    if address is not None and name != "dask":
        raise InputError(f"address belongs to the executor dask; got it with {name}. Drop one.")
    if options and name != "slurm":
        raise InputError(f"options belong to the executor slurm; got them with {name}. Drop one.")
    if name == "dask":
        return dask(address, workers=workers)
    if name == "slurm":
        return slurm(options, folder=root / ".slurm", workers=workers)
    return processes(workers)


def usable_processors(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """How many processors this process may use at once: its affinity, and its quota."""
    count = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        count = min(count, math.ceil(int(quota) / int(period)))  # "max" is no number: no quota
    return max(1, count)


@contextmanager
def processes(workers: int | None = None) -> Iterator[Executor]:
    """A pool of processes on this machine, each with one thread of its own.

    The workers end with their parent, however that ends. On leaving, training that is under
    way is stopped after its step and saved.

    Args:
        workers: Processes; by default one per usable processor.

    Raises:
        BrokenExecutor: this system lets no worker be started, or none is left.
    """
    context = multiprocessing.get_context("spawn")
    with _starting():
        stop, hold = context.Pipe(duplex=False)
    with one_thread_each(), stop:
        with _starting():
            pool = _Pool(
                workers or usable_processors(),
                mp_context=context,
                initializer=_begin_worker,
                initargs=(stop,),
            )
        try:
            yield pool
        finally:
            hold.close()  # which every worker sees
            with contextlib.suppress(RuntimeError):  # its threads were never started
                pool.shutdown(cancel_futures=True)


@contextmanager
def _starting() -> Iterator[None]:
    """What a system says that lacks processes, threads, memory or semaphores, as one error."""
    try:
        yield
    except BrokenExecutor:
        raise
    except (OSError, RuntimeError, ImportError) as error:
        raise BrokenExecutor(in_words(error)) from error


class _Pool(ProcessPoolExecutor):
    """A pool whose workers start deaf to Ctrl-C, and begin nothing once told to stop."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # workers inherit it
        try:
            with _starting():
                return super().submit(_unless_stopped, fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_stop: Connection | None = None


def _begin_worker(stop: Connection) -> None:
    """In a new worker: leave Ctrl-C to the parent, which tells the worker to stop."""
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()


def _unless_stopped(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if _stop is not None and _stop.poll():
        raise CancelledError
    return fn(*args, **kwargs)


def _watch_parent(stop: Connection) -> None:
    """End with the parent; when told to stop, ask training to stop, and end if it will not."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    if parent.sentinel not in wait([parent.sentinel, stop]):
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and not wait([parent.sentinel], POLL_SECONDS):
            os.kill(os.getpid(), signal.SIGINT)  # again and again: training may start only now
    os._exit(1)


@contextmanager
def dask(address: str | None = None, *, workers: int | None = None) -> Iterator[Executor]:
    """A Dask cluster; the jobs of a worker that dies run again on another.

    Args:
        address: Of its scheduler, tcp://HOST:PORT; by default a cluster is started here.
        workers: Processes of the cluster that is started here.

    Raises:
        InputError: `distributed` is not installed, nobody answers at the address, or workers
            for a cluster that runs elsewhere.
        BrokenExecutor: no cluster can be started here.
    """
    if address is not None and workers is not None:
        raise InputError(
            f"workers is for a cluster on this machine; got {workers} and the address {address}. "
            "Drop one."
        )
    distributed = optional_module("distributed", what="executor dask", extra="dask")
    local: dict[str, Any] = {"n_workers": workers or usable_processors(), "threads_per_worker": 1}
    options = {"address": address} if address else local | {"dashboard_address": None}
    try:
        client = distributed.Client(**options)
    except (OSError, ValueError, RuntimeError) as error:
        if address is None:
            raise BrokenExecutor(in_words(error)) from error
        raise InputError(
            f"no Dask scheduler can be reached at {address}: {error}. Start one with "
            "`dask scheduler` and give the address that it prints."
        ) from error
    with client:
        executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)
