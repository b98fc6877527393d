"""A sweep end to end on tiny worlds, in this process."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identikit.core.errors import InputError
from identikit.report.page import render
from identikit.runs.store import Run, RunStore
from identikit.runs.study import make, perform
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.study import SIMULATE
from identikit.studies.sweeps import run as sweep_run
from identikit.studies.sweeps.config import SweepConfig
from identikit.studies.sweeps.run import SweepProgress
from identikit.studies.sweeps.study import sweep_study
from identikit.studies.sweeps.sweep import Axis, Row, Sweep
from identikit.training.config import TrainingConfig
from identikit.worlds.config import WorldConfig

TINY = SimulationConfig(
    objective="supervised",
    test_samples=256,
    world=WorldConfig(dim=2, classes=6, generator="identity"),
    training=TrainingConfig(steps=60, batch_size=128),
)
DIVERGING = replace(TINY, training=replace(TINY.training, rate=1e30, muon_rate=1e30))


class Here(Executor):
    """Runs at once, in the caller's process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def here() -> Iterator[Executor]:
    yield Here()


def sweep_of(**configs: SimulationConfig) -> Sweep:
    rows = tuple(
        Row(label=name, config=c, x=float(k)) for k, (name, c) in enumerate(configs.items())
    )
    return Sweep(
        name="tiny",
        title="Tiny",
        question="Does it run?",
        prediction="Yes.",
        rows=rows,
        core_minutes=0.1,
        axis=Axis(label="place"),
        seeds=(0, 1),
    )


def study(root: Path, heard: list[str | None]) -> Any:
    def watch(board: SweepProgress, outcome: Any) -> None:
        heard.append(None if outcome is None else outcome.key)

    return sweep_study(root=root, open_executor=here, on_board=watch)


def test_a_sweep_collects_the_runs_of_simulate_and_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = sweep_of(easy=TINY, wide=replace(TINY, world=replace(TINY.world, kappa=20.0)))
    monkeypatch.setattr(sweep_run, "sweep_named", lambda name: tiny)
    heard: list[str | None] = []
    config = SweepConfig(name="tiny").with_digest()
    run, page, found = perform(study(tmp_path, heard), config, root=tmp_path)
    assert not found
    assert {"easy, seed 0", "easy, seed 1", "wide, seed 0", "wide, seed 1"} < {*heard}
    assert [row["label"] for row in run.result["rows"]] == ["easy", "wide"]

    record = run.result["rows"][0]["runs"][1]
    alone, was_there = make(SIMULATE, replace(TINY, seed=1), root=tmp_path)
    assert was_there
    assert (run.path.parent / record["path"]).samefile(alone.path)
    assert record["r2_latents"] == alone.result["r2_latents"]
    assert "Tiny" in render(page)
    assert sorted(p.suffix for p in (run.path / "tables").iterdir()) == [".csv", ".md", ".tex"]

    heard.clear()
    again, _, found = perform(study(tmp_path, heard), config, root=tmp_path)
    assert found
    assert again.result == run.result
    assert heard == []


def test_a_failing_row_says_why_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_run, "sweep_named", lambda name: sweep_of(bad=DIVERGING, good=TINY))
    config = SweepConfig(name="tiny").with_digest()
    run, page, _ = perform(study(tmp_path, []), config, root=tmp_path)
    assert run.unfinished  # so that the same command tries again
    assert run.result["failed"] == 2
    assert page.rows[0].recovered is None
    assert "the loss is" in page.rows[0].explained
    assert page.rows[1].recovered is not None
    perform(study(tmp_path, []), config, root=tmp_path)  # and again


def test_a_row_below_its_ceiling_gets_an_oracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = replace(TINY, training=replace(TINY.training, steps=1))
    monkeypatch.setattr(sweep_run, "sweep_named", lambda name: sweep_of(lazy=lazy))
    run, page, _ = perform(
        study(tmp_path, []), SweepConfig(name="tiny").with_digest(), root=tmp_path
    )
    oracle = run.result["rows"][0]["oracle"]
    told = Run.load(run.path.parent / oracle["path"])
    assert told.config["objective"] == "oracle"
    assert "same encoder" in page.rows[0].explained


def test_oracles_know_nothing_of_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = replace(
        TINY,
        objective="diet",
        instances=12,
        representation_dim=3,
        world=replace(TINY.world, repeated_share=0.4),
        training=replace(TINY.training, steps=1),
    )
    monkeypatch.setattr(sweep_run, "sweep_named", lambda name: sweep_of(lazy=lazy))
    config = SweepConfig(name="tiny").with_digest()
    run, _, _ = perform(study(tmp_path, []), config, root=tmp_path)
    assert run.result["status"] == "completed"
    assert run.result["rows"][0]["oracle"]["error"] is None


def test_a_study_that_another_writes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_run, "sweep_named", lambda name: sweep_of(easy=TINY))
    config = SweepConfig(name="tiny").with_digest()
    held, leave, runs = threading.Event(), threading.Event(), []

    def hold() -> None:
        with RunStore(tmp_path).draft("reproduce", config, label="tiny"):
            held.set()
            leave.wait(60)

    def wait() -> None:
        runs.append(perform(study(tmp_path, []), config, root=tmp_path, wait=True)[0])

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    assert held.wait(60)
    with pytest.raises(InputError, match="another process is writing"):
        perform(study(tmp_path, []), config, root=tmp_path)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(60)
    assert [run.result["status"] for run in runs] == ["completed"]


def test_words_do_not_make_another_study_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = sweep_of(easy=TINY)
    monkeypatch.setattr(sweep_run, "sweep_named", lambda name: tiny)
    before = SweepConfig(name="tiny").with_digest()
    tiny = replace(tiny, title="Other words", core_minutes=3.0)
    assert SweepConfig(name="tiny").with_digest() == before
    tiny = replace(tiny, seeds=(0,))
    assert SweepConfig(name="tiny").with_digest() != before


def test_seeds_and_names_are_checked() -> None:
    with pytest.raises(InputError, match="seeds must be at least 1; got 0"):
        SweepConfig(name="table2", seeds=0)
    with pytest.raises(InputError, match="table3"):
        SweepConfig(name="tabel3").sweep()
    assert SweepConfig(name="table3", seeds=2).sweep().seeds == (0, 1)
