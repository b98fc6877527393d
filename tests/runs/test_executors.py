"""The same jobs on a process pool, a Dask cluster and submitit give the same numbers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from tests.commands import refused
from tests.runs.jobs import LONG, SHORT, holder, numbers_of, sweep, under_way, wait_for

from identikit.core.errors import InputError
from identikit.core.threads import one_thread_each
from identikit.runs.executors import dask, open_executor, usable_processors
from identikit.runs.slurm import Submitted, slurm


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slurn", {}, "unknown executor 'slurn'. Did you mean 'slurm'?"),
        ("processes", {"workers": 0}, "workers must be at least 1; got 0"),
        ("processes", {"address": "tcp://h:1"}, "address belongs to the executor dask"),
        ("dask", {"options": ("time=1",)}, "options belong to the executor slurm"),
        ("dask", {"address": "tcp://h:1", "workers": 2}, "workers is for a cluster on this"),
        ("dask", {"address": "nowhere://h"}, "no Dask scheduler can be reached at nowhere://h"),
        ("slurm", {"options": ("gpu",)}, "options takes NAME=VALUE, such as partition=gpu"),
    ],
)
def test_what_cannot_be_opened_is_refused(
    name: str, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(InputError, match=message),
        open_executor(name, root=tmp_path, **options),  # type: ignore[arg-type]
    ):
        pass


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("multiprocessing.context.SpawnProcess.start", BlockingIOError(11, "no more processes")),
        ("threading.Thread.start", RuntimeError("can't start new thread")),
        ("multiprocessing.synchronize.SemLock.__init__", FileNotFoundError(2, "no /dev/shm")),
        ("concurrent.futures.process._check_system_limits", NotImplementedError("no semaphores")),
        ("multiprocessing.connection.Pipe", OSError(24, "Too many open files")),
    ],
)
def test_a_pool_that_cannot_start_ends_in_one_sentence(
    place: str,
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    module, _, attribute = place.rpartition(".")
    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{attribute}", fail)
        said = refused(capsys, "reproduce", "table3", "--workers", "1")
    assert "worker processes died or could not be started" in said
    assert str(error.args[-1]) in said


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("dask", "distributed", "dask"), ("slurm", "submitit", "slurm")]
)
def test_a_missing_package_is_named_with_its_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf'"identikit\[{extra}\]"'), open_executor(name):
        pass


def test_where_there_is_no_slurm_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="SLURM cannot be used"), slurm(folder=tmp_path):
        pass


def test_options_that_sbatch_does_not_know_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="Unknown argument 'partitoin'"),
        slurm(("partitoin=gpu",), folder=tmp_path, cluster="local"),
    ):
        pass


@pytest.mark.parametrize(
    ("quota", "count"), [("150000 100000", 2), ("max 100000", None), ("1000 100000", 1)]
)
def test_a_quota_counts_as_processors(quota: str, count: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    free = len(os.sched_getaffinity(0))
    assert usable_processors(tmp_path) == min(free, count or free)
    assert usable_processors(tmp_path / "absent") == free


def test_the_environment_is_as_before_when_the_workers_are_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread_each():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in os.environ


class FakeJob:
    """A job whose process dies, or writes a result."""

    def __init__(self, folder: Path, number: int, *, dies: bool) -> None:
        self.job_id = str(number)
        self.paths = SimpleNamespace(
            result_pickle=folder / f"{number}_0_result.pkl", stderr=folder / f"{number}.err"
        )
        if not dies:
            self.paths.result_pickle.touch()

    def done(self) -> bool:
        return True

    def task(self, number: int) -> "FakeJob":
        assert number == 0
        return self

    def exception(self) -> None:
        return None

    def result(self) -> str:
        return f"the result of job {self.job_id}"


class FakeQueue:
    """As much of submitit's executor as is used."""

    cluster = "local"

    def __init__(self, folder: Path, deaths: int) -> None:
        self.folder, self.deaths, self.submitted = folder, deaths, 0

    def submit(self, call: object) -> FakeJob:
        self.submitted += 1
        return FakeJob(self.folder, self.submitted, dies=self.submitted <= self.deaths)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_SECONDS", "QUEUE_SECONDS"):
        monkeypatch.setattr(f"identikit.runs.slurm.{name}", 0.001)


@pytest.mark.usefixtures("impatient")
def test_a_job_that_slurm_loses_is_submitted_again(tmp_path: Path) -> None:
    queue = FakeQueue(tmp_path, deaths=2)
    with Submitted(queue, workers=None) as executor:
        assert executor.submit(print).result() == "the result of job 3"


@pytest.mark.usefixtures("impatient")
def test_a_job_that_slurm_loses_three_times_is_an_error(tmp_path: Path) -> None:
    queue = FakeQueue(tmp_path, deaths=3)
    with Submitted(queue, workers=1) as executor:
        lost, kept = executor.submit(print), executor.submit(print)
        assert kept.result() == "the result of job 4"
    with pytest.raises(RuntimeError, match=r"SLURM ended it 3 times, last as 3; see .*3\.err"):
        lost.result()


# -- with real processes ---------------------------------------------------------------------


@contextmanager
def dask_worker(address: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A Dask worker in a process of its own, which nobody starts again."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    options = ["--nthreads=1", "--no-nanny", "--no-dashboard", f"--local-directory={folder}"]
    with subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_dask_runs_the_job_of_a_killed_worker_on_another(tmp_path: Path, undisturbed: Path) -> None:
    from distributed import LocalCluster

    root = tmp_path / "runs"
    with ExitStack() as stack:
        cluster = stack.enter_context(
            LocalCluster(n_workers=0, dashboard_address=None, protocol="tcp")
        )
        address = cluster.scheduler_address
        workers = [stack.enter_context(dask_worker(address, tmp_path)) for _ in range(2)]
        killed: list[int] = []

        def kill() -> None:
            wait_for(lambda: under_way(LONG, root))
            pid = holder(LONG, root, [worker.pid for worker in workers])
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

        killer = Thread(target=kill)
        killer.start()
        outcomes = sweep((LONG, SHORT), root, lambda: dask(address))
        killer.join()
    assert killed
    for job in (LONG, SHORT):
        assert outcomes[job.key].error is None
        assert numbers_of(job, root) == numbers_of(job, undisturbed)


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_submitit_gives_the_same_numbers(tmp_path: Path, undisturbed: Path) -> None:
    opener = partial(slurm, ("time=5",), folder=tmp_path / ".slurm", cluster="local")
    assert sweep((SHORT,), tmp_path, opener)["short"].error is None
    assert numbers_of(SHORT, tmp_path) == numbers_of(SHORT, undisturbed)
