"""A sweep loses nothing: not by failing jobs, dying workers, kills, Ctrl-C or a second sweep."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from tests.runs.jobs import (
    BAD,
    LONG,
    SHORT,
    alive,
    children,
    holder,
    numbers_of,
    path_of,
    sweep,
    under_way,
    wait_for,
)

from identikit.runs.executors import processes
from identikit.runs.jobs import Job, JobOutcome
from identikit.runs.store import Draft, Run
from identikit.runs.study import Context, run_and_report, run_study
from identikit.runs.table import TableProgress, run_table
from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.study import PROBE

REPOSITORY = Path(__file__).parents[2]
in_a_thread = partial(ThreadPoolExecutor, 1)


def never() -> Any:
    raise AssertionError("no executor is needed")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    z = generator.normal(size=(60, 2))
    np.savez(tmp_path / "f.npz", h=z @ generator.normal(size=(2, 2)), a=z[:, 0], b=z[:, 1])
    return tmp_path / "f.npz"


def probes(features: Path, count: int) -> list[Job]:
    """Jobs of a few milliseconds."""
    base = ProbeConfig(features=(features,)).with_digest()
    return [
        Job(key=f"job {k}", command="probe", config=replace(base, seed=k), cost=float(k))
        for k in range(count)
    ]


def test_outcomes_come_longest_first_and_are_found_the_second_time(
    tmp_path: Path, features: Path
) -> None:
    jobs = probes(features, 3)
    first = sweep(jobs, tmp_path / "runs", in_a_thread)
    assert list(first) == ["job 2", "job 1", "job 0"]
    assert not any(outcome.found or outcome.error for outcome in first.values())
    again = sweep(jobs, tmp_path / "runs", never)
    assert again == {key: replace(outcome, found=True) for key, outcome in first.items()}


def test_a_damaged_run_is_named_and_made_anew(tmp_path: Path, features: Path) -> None:
    jobs = probes(features, 2)
    first = sweep(jobs, tmp_path / "runs", in_a_thread)
    harmed = path_of(jobs[1], tmp_path / "runs")
    (harmed / "result.json").write_text("{}")
    again = sweep(jobs, tmp_path / "runs", in_a_thread)
    (words,) = again["job 1"].warnings
    assert f"{harmed} holds a damaged run: result.json is not as it was written" in words
    assert again["job 0"] == replace(first["job 0"], found=True)
    assert replace(again["job 1"], warnings=()) == first["job 1"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_table_tells_how_it_stands_passes_warnings_on_and_restarts_if_asked(
    tmp_path: Path, features: Path, *, restart: bool
) -> None:
    root = tmp_path / "runs"
    jobs = {job.key: job for job in probes(features, 2)}
    sweep(jobs.values(), root, in_a_thread)
    (path_of(jobs["job 1"], root) / "result.json").write_text("{}")
    stopped = root / f".{path_of(jobs['job 1'], root).name}.partial" / "checkpoint"
    stopped.mkdir(parents=True)
    told: list[TableProgress] = []
    warned: list[str] = []
    context = Context(
        draft=Draft(tmp_path / "draft", tmp_path / "table", config=None),
        root=root,
        tell=told.append,
        warn=warned.append,
        open_executor=in_a_thread,
        restart=restart,
    )
    assert run_table(jobs, context).keys() == jobs.keys()
    assert [(s.done, s.words) for s in told] == [
        (0, "starting"),
        (1, "job 0: found"),
        (2, "job 1: made"),
    ]
    assert told[-1].seconds_left == 0
    assert ["holds a damaged run" in words for words in warned] == [True]
    assert (path_of(jobs["job 1"], root) / "checkpoint").exists() is not restart


def test_a_run_that_two_jobs_want_is_made_once(tmp_path: Path, features: Path) -> None:
    job = probes(features, 1)[0]
    outcomes = sweep([job, replace(job, key="twin")], tmp_path / "runs", in_a_thread)
    assert outcomes["twin"] == replace(outcomes["job 0"], key="twin")


def test_a_job_that_fails_says_why_and_the_others_go_on(tmp_path: Path, features: Path) -> None:
    bad = Job(
        key="bad",
        command="probe",
        config=ProbeConfig(features=(tmp_path / "absent.npz",)),
        cost=9.0,
    )
    outcomes = sweep([bad, *probes(features, 2)], tmp_path / "runs", in_a_thread)
    assert outcomes["bad"].run is None
    assert outcomes["bad"].error is not None
    assert outcomes["bad"].error.startswith("InputError: ")
    assert "absent.npz" in outcomes["bad"].error
    assert outcomes["job 0"].error is None
    assert outcomes["job 1"].error is None


def test_a_run_that_cannot_be_seen_from_here_is_an_error(
    tmp_path: Path, features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = JobOutcome(key="", run=tmp_path / "there", error=None, found=False)
    monkeypatch.setattr("identikit.runs.jobs._work", lambda job, root: elsewhere)
    outcomes = sweep(probes(features, 1), tmp_path / "runs", in_a_thread)
    assert "a folder that all machines share" in (outcomes["job 0"].error or "")


class Mortal(Executor):
    """Works at once, and breaks for good when a job of the given key is at work in it."""

    def __init__(self, killers: set[str], root: Path, begun: bool = True) -> None:
        self.killers, self.root, self.begun, self.broken = killers, root, begun, False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        job: Job = args[0]
        if job.key in self.killers and not self.broken:
            self.broken = True
            if self.begun:
                name = PROBE.store(self.root).path_of(job.config, label="f").name
                self.root.mkdir(exist_ok=True)
                (self.root / f".{name}.lock").touch()
        if self.broken:
            future.set_exception(BrokenExecutor("a worker was killed"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_job_that_kills_every_worker_is_given_up_and_the_others_are_not(
    tmp_path: Path, features: Path
) -> None:
    root = tmp_path / "runs"
    opened: list[Mortal] = []

    def open_executor() -> Executor:
        opened.append(Mortal({"job 3"}, root))
        return opened[-1]

    outcomes = sweep(probes(features, 4), root, open_executor)
    assert len(opened) == 4  # twice with others, once alone, once for the others
    assert (outcomes.pop("job 3").error or "").startswith("the worker died 3 times")
    assert [outcome.error for outcome in outcomes.values()] == [None] * 3


def test_a_job_beside_two_deaths_that_were_not_its_own_is_not_blamed(
    tmp_path: Path, features: Path
) -> None:
    root = tmp_path / "runs"
    lives = iter([{"job 1"}, {"job 1"}, set(), set()])
    outcomes = sweep(probes(features, 2), root, lambda: Mortal(next(lives), root))
    assert [outcome.error for outcome in outcomes.values()] == [None] * 2


def test_workers_that_die_before_they_begin_are_nobodys_fault(
    tmp_path: Path, features: Path
) -> None:
    root = tmp_path / "runs"
    with pytest.raises(BrokenExecutor, match="killed"):
        sweep(probes(features, 2), root, lambda: Mortal({"job 1"}, root, begun=False))


def test_a_run_of_a_sweep_is_drawn_when_its_own_command_is_given(
    tmp_path: Path, features: Path
) -> None:
    config = probes(features, 1)[0].config
    made = run_study(PROBE, config, root=tmp_path)
    assert not made.found
    assert not (made.run.path / "report.html").exists()
    again = run_and_report(PROBE, config, root=tmp_path)
    assert again.found
    assert again.result == made.result
    assert (again.run.path / "report.html").exists()


# -- with real processes ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_a_killed_worker_costs_nothing_but_time(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def kill() -> None:
        wait_for(lambda: under_way(LONG, tmp_path))
        pid = holder(
            LONG, tmp_path, [child.pid or 0 for child in multiprocessing.active_children()]
        )
        assert pid is not None
        assert b"OMP_NUM_THREADS=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    killer = Thread(target=kill)
    killer.start()
    outcomes = sweep((SHORT, BAD, LONG), tmp_path, partial(processes, 1))
    killer.join()
    assert killed
    assert (outcomes["bad"].error or "").startswith("InputError: ")
    assert {key for key, outcome in outcomes.items() if outcome.error} == {"bad"}
    for job in (LONG, SHORT):
        assert numbers_of(job, tmp_path) == numbers_of(job, undisturbed)


@contextmanager
def sweep_elsewhere(root: Path) -> Iterator["tuple[subprocess.Popen[bytes], list[int]]"]:
    """A sweep in a process of its own that is at work on the long job, and its workers."""
    command = [sys.executable, "-m", "tests.runs.jobs", str(root), "1"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            wait_for(lambda: under_way(LONG, root) or process.poll() is not None)
            assert process.poll() is None, process.stderr.read()
            workers = children(process.pid)
            assert holder(LONG, root, workers) is not None
            yield process, workers
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_after_a_kill_of_the_sweep_a_second_one_ends_with_the_same_numbers(
    tmp_path: Path, undisturbed: Path
) -> None:
    with sweep_elsewhere(tmp_path) as (process, workers):
        process.kill()
        process.wait()
        wait_for(lambda: not any(map(alive, workers)))
    assert not path_of(LONG, tmp_path).exists()
    outcomes = sweep((LONG, SHORT), tmp_path, in_a_thread)
    assert not any(outcome.error for outcome in outcomes.values())
    for job in (LONG, SHORT):
        assert numbers_of(job, tmp_path) == numbers_of(job, undisturbed)
    assert {path.name for path in tmp_path.iterdir()} == {p.name for p in undisturbed.iterdir()}


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_ctrl_c_stops_at_once_and_keeps_what_was_trained(
    tmp_path: Path, undisturbed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workers: list[int] = []

    def interrupt() -> None:
        wait_for(lambda: under_way(LONG, tmp_path))
        workers.extend(child.pid or 0 for child in multiprocessing.active_children())
        for pid in (*workers, os.getpid()):  # as a terminal does
            os.kill(pid, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's `&`
    interrupter = Thread(target=interrupt)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            sweep((LONG, SHORT), tmp_path, partial(processes, 1))
    finally:
        signal.signal(signal.SIGINT, before)
    interrupter.join()
    assert workers
    assert not any(map(alive, workers))
    assert "Traceback" not in capfd.readouterr().err
    assert Run.load(path_of(LONG, tmp_path)).interrupted
    assert not path_of(SHORT, tmp_path).exists()
    outcomes = sweep((LONG, SHORT), tmp_path, in_a_thread)
    assert not any(outcome.found for outcome in outcomes.values())
    for job in (LONG, SHORT):
        resumed, whole = numbers_of(job, tmp_path), numbers_of(job, undisturbed)
        for each in (resumed, whole):
            del each["history"]  # which has a point more, where it was interrupted
        assert resumed == whole


def _sweep_beside_another(root: Path, together: Barrier, results: Any) -> None:
    together.wait()
    results.put(sweep((LONG, SHORT), root, in_a_thread))


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_two_sweeps_on_one_folder_share_the_work(tmp_path: Path, undisturbed: Path) -> None:
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(2), context.Queue()
    arguments = (tmp_path, together, results)
    other = context.Process(target=_sweep_beside_another, args=arguments)
    other.start()
    _sweep_beside_another(*arguments)
    outcomes = [results.get(timeout=120) for _ in range(2)]
    other.join()
    for job in (LONG, SHORT):
        assert [one[job.key].error for one in outcomes] == [None, None]
        assert {one[job.key].found for one in outcomes} == {True, False}  # made by one of them
        assert numbers_of(job, tmp_path) == numbers_of(job, undisturbed)
    assert {path.name for path in tmp_path.iterdir()} == {p.name for p in undisturbed.iterdir()}
