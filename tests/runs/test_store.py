"""Runs are written whole or not at all, found again, and never written over."""

import fcntl
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from identikit.core.errors import InputError
from identikit.runs.store import Draft, Run, RunStore, clear_locks


@dataclass(frozen=True, kw_only=True)
class Config:
    seed: int = 0


def store_at(root: Path, *, version: int = 1) -> RunStore:
    return RunStore(root, command="simulate", version=version)


def finish(store: RunStore, config: Config, status: str = "completed", **kwargs: object) -> Run:
    with store.draft(config, **kwargs) as draft:  # type: ignore[arg-type]
        assert isinstance(draft, Draft)
        draft.checkpoint.mkdir(exist_ok=True)
        (draft.checkpoint / "state").write_text(status)
        draft.write({"status": status, "r2": float("nan")}, {"h": np.eye(2)}, provenance={})
        return draft.publish()


def test_a_finished_run_is_found_again_and_reads_back(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    made = finish(store, Config())
    with store.draft(Config()) as found:
        assert isinstance(found, Run)
        assert found.path == made.path
    assert found.config == {"seed": 0}
    assert found.result == {"status": "completed", "r2": None, "provenance": {}}
    assert (found.command, found.version) == ("simulate", 1)
    np.testing.assert_array_equal(found.arrays()["h"], np.eye(2))
    assert [path.name for path in tmp_path.iterdir()] == [made.path.name]


def test_other_configs_get_other_runs(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert finish(store, Config()).path != finish(store, Config(seed=1)).path


def test_a_run_of_another_version_is_known_to_be_old_and_not_misread(tmp_path: Path) -> None:
    old = finish(store_at(tmp_path), Config())
    store = store_at(tmp_path, version=2)
    assert store.find(Config()) is None
    assert store.outdated(Config()) == old.path
    assert store.outdated(Config(seed=1)) is None
    with pytest.raises(InputError, match=r"made by an older version of simulate \(1; this is 2\)"):
        old.require("simulate", 2)
    with pytest.raises(InputError, match="is a run of simulate, not of probe"):
        old.require("probe", 1)
    assert finish(store, Config()).path != old.path


def test_a_run_from_before_there_were_versions_is_old(tmp_path: Path) -> None:
    run = finish(store_at(tmp_path), Config())
    (run.path / "config.json").write_text('{"command": "simulate", "config": {"seed": 0}}')
    assert store_at(tmp_path).outdated(Config()) == run.path


def test_a_crash_leaves_no_run_but_a_draft_that_is_taken_over(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    with store.draft(Config()) as draft:
        assert isinstance(draft, Draft)
        draft.checkpoint.mkdir()
        (draft.checkpoint / "state").write_text("half way")  # and the process dies here
    assert not store.path_of(Config()).exists()
    with store.draft(Config()) as again:
        assert isinstance(again, Draft)
        assert (again.checkpoint / "state").read_text() == "half way"


def test_refused_input_leaves_nothing_behind(tmp_path: Path) -> None:
    def refuse() -> None:
        with store_at(tmp_path).draft(Config()):
            raise InputError("no such file")

    with pytest.raises(InputError, match="no such file"):
        refuse()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_is_resumed_and_then_replaced(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    finish(store, Config(), status="interrupted")
    with store.draft(Config()) as draft:
        assert isinstance(draft, Draft)
        assert (draft.checkpoint / "state").read_text() == "interrupted"
        assert Run.load(draft.target).interrupted  # still there until the new one is whole
        draft.write({"status": "completed"}, {"h": np.eye(2)}, provenance={})
        draft.publish()
    assert not Run.load(store.path_of(Config())).interrupted


@pytest.mark.parametrize("left", ["an interrupted run", "a draft"])
def test_what_a_stopped_run_left_can_be_thrown_away(tmp_path: Path, left: str) -> None:
    store = store_at(tmp_path)
    if left == "a draft":
        with store.draft(Config()) as draft:
            assert isinstance(draft, Draft)
            draft.checkpoint.mkdir()
    else:
        finish(store, Config(), status="interrupted")
    store.discard(Config())
    with store.draft(Config()) as draft:
        assert isinstance(draft, Draft)
        assert not draft.checkpoint.exists()


def test_nothing_of_a_finished_run_is_thrown_away(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    made = finish(store, Config())
    before = sorted(tmp_path.rglob("*"))
    store.discard(Config())
    store.discard(Config(seed=1), out=tmp_path / "nowhere" / "run")
    assert sorted(tmp_path.rglob("*")) == before
    assert store.find(Config()) == made


def test_an_existing_folder_is_never_written_over(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    finish(store_at(tmp_path), Config(), out=out)
    with pytest.raises(InputError, match="already exists"):
        finish(store_at(tmp_path), Config(), out=out)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine").touch()
    with pytest.raises(InputError, match="already exists"):
        finish(store_at(tmp_path), Config(), out=tmp_path / "notes")


def test_an_empty_folder_takes_a_run(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert finish(store_at(tmp_path), Config(), out=tmp_path / "mine").path == tmp_path / "mine"


def test_a_finished_run_is_yielded_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = finish(store_at(tmp_path), Config())

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("filelock.FileLock.acquire", read_only)
    monkeypatch.setattr(Path, "mkdir", read_only)
    with store_at(tmp_path).draft(Config()) as found:
        assert found == made


def _lose_a_key(folder: Path) -> None:
    (folder / "result.json").write_text('{"provenance": {}}')


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    "harm",
    [
        _lose_a_key,
        _write("result.json", "null"),
        _write("result.json", "[]"),
        _write("result.json", "[" * 100_000),
        _write("result.json", '{"status": "interrupted", "r2": null, "provenance": {}}'),
        _write("result.json", '{"status": "completed", "r2": 1.0, "provenance": {}}'),
        _write("config.json", '{"command": "simulate", "version": 2, "config": {"seed": 0}}'),
        _write("config.json", '{"command": "simulate", "version": 1, "config": {"seed": 1}}'),
        _write("arrays.safetensors", ""),
        _write("manifest.json", "null"),
        _write("manifest.json", "[]"),
        _write("manifest.json", '{"sha256": {}}'),
        lambda folder: (folder / "manifest.json").write_bytes(b"\xff"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "arrays.safetensors").unlink(),
    ],
)
def test_damage_is_named_and_the_run_made_anew_beside_it(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    store = store_at(tmp_path)
    made = finish(store, Config())
    harm(made.path)
    harmed = {path.name: path.read_bytes() for path in made.path.iterdir() if path.is_file()}
    with pytest.raises(InputError, match="holds a damaged run"):
        Run.load(made.path)
    assert store.find(Config()) is None
    kept = tmp_path / f"{made.path.name}.damaged"
    with store.draft(Config()) as draft:
        assert isinstance(draft, Draft)
        assert "holds a damaged run" in draft.damage
        assert str(kept) in draft.damage
    assert finish(store, Config()).result["status"] == "completed"
    assert store.find(Config()) is not None
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == harmed


FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
"""A process that need not import anything."""


def _try_draft(root: Path, queue: "multiprocessing.Queue[str]") -> None:
    try:
        with store_at(root).draft(Config()):
            queue.put("entered")
    except InputError as error:
        queue.put(str(error))


@FORKS
def test_two_processes_cannot_write_the_same_run(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with store_at(tmp_path).draft(Config()):
        process = context.Process(target=_try_draft, args=(tmp_path, queue))
        process.start()
        assert "another process is writing" in queue.get(timeout=60)
        process.join()


def test_locks_of_the_dead_are_removed_and_no_others(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    dead = tmp_path / f".{store.path_of(Config(seed=1)).name}.lock"
    with store.draft(Config()):
        dead.touch()
        clear_locks(tmp_path)
        assert store.being_written(Config())
        assert not dead.exists()
        with ThreadPoolExecutor(1) as pool, pytest.raises(InputError, match="another process"):
            pool.submit(_enter, store).result()
    assert list(tmp_path.glob("*.lock")) == []


def _enter(store: RunStore) -> None:
    with store.draft(Config()):
        pass


def _count(root: Path, times: int) -> None:
    for _ in range(times):
        with store_at(root).draft(Config(), wait=True) as draft:
            assert isinstance(draft, Draft)
            counter = root / "counter"
            counter.write_text(str(int(counter.read_text()) + 1))


@FORKS
def test_processes_that_wait_for_each_other_are_never_in_a_draft_together(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0")
    context = multiprocessing.get_context("fork")
    other = context.Process(target=_count, args=(tmp_path, 100))
    other.start()
    _count(tmp_path, 100)
    other.join()
    assert other.exitcode == 0
    assert (tmp_path / "counter").read_text() == "200"


def test_who_wins_the_lock_of_a_file_that_is_gone_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, first, flock = store_at(tmp_path), ExitStack(), fcntl.flock
    with ThreadPoolExecutor(1) as pool:
        pool.submit(first.enter_context, store.draft(Config())).result()

        def flock_after_the_first_has_left(fd: int, operation: int) -> None:
            monkeypatch.setattr(fcntl, "flock", flock)
            pool.submit(first.close).result()  # the file was opened, and is removed now
            flock(fd, operation)

        monkeypatch.setattr(fcntl, "flock", flock_after_the_first_has_left)
        with store.draft(Config(), wait=True):
            assert fcntl.flock is flock
            assert store.being_written(Config())


def test_a_finished_run_is_looked_up_without_a_lock(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    assert store.find(Config()) is None
    finish(store, Config(), status="interrupted")
    assert store.find(Config()) is None
    made = finish(store, Config())
    assert store.find(Config()) == made
    (made.path / "result.json").write_text("{")
    assert store.find(Config()) is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "is not a run: it has no config.json"),
        ({"config.json": "{}"}, "is not a run: it has no result.json"),
        ({"config.json": "{", "result.json": "{}"}, "damaged"),
        ({"config.json": "{}", "result.json": "{}"}, "damaged"),
    ],
)
def test_folders_that_are_no_runs_are_refused(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        Run.load(tmp_path)


@pytest.mark.parametrize("name", ["result.json", "manifest.json", "checkpoint", "figures"])
def test_a_run_whose_files_are_links_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    run = finish(store_at(tmp_path / "runs"), Config())
    (tmp_path / "here").symlink_to(run.path)
    assert Run.load(tmp_path / "here").result == run.result  # a run that somebody named
    place = run.path / name
    if place.exists():
        place.rename(tmp_path / name)
    else:
        (tmp_path / name).mkdir()
    place.symlink_to(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} is a link that leaves its folder"):
        Run.load(run.path)


@pytest.mark.parametrize("name", ["config.json", "result.json", "manifest.json"])
def test_a_run_does_not_wait_for_pipes(tmp_path: Path, name: str) -> None:
    store = store_at(tmp_path)
    run = finish(store, Config())
    (run.path / name).unlink()
    os.mkfifo(run.path / name)
    with pytest.raises(InputError, match="is a pipe, not a file"):
        Run.load(run.path)
    assert store_at(tmp_path, version=2).outdated(Config()) == (
        None if name == "config.json" else run.path
    )


def test_damaged_arrays_are_an_input_error(tmp_path: Path) -> None:
    run = finish(store_at(tmp_path), Config())
    (run.path / "arrays.safetensors").write_bytes(b"\x00" * 12)
    with pytest.raises(InputError, match=r"arrays.safetensors cannot be read"):
        run.arrays()
