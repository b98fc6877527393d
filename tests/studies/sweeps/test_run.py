"""A sweep end to end on tiny worlds, in this process."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from identikit.core.errors import InputError
from identikit.core.finding import Verdict
from identikit.objectives.config import HeadConfig
from identikit.objectives.label_clustering import observations_needed
from identikit.report.page import render
from identikit.runs.jobs import JobOutcome
from identikit.runs.store import PAGE_FILE, Run
from identikit.runs.study import Done, Tell, run_and_report, run_study
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.study import SIMULATE
from identikit.studies.sweeps import config as config_module
from identikit.studies.sweeps.config import SweepConfig
from identikit.studies.sweeps.progress import SweepProgress, run_key
from identikit.studies.sweeps.records import FailedRun, RunRecord
from identikit.studies.sweeps.result import SweepResult
from identikit.studies.sweeps.study import SWEEP
from identikit.studies.sweeps.sweep import Axis, Claim, Printed, Published, Row, Sweep
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


CONFIG = SweepConfig(name="tiny")


def made(root: Path, *, tell: Tell | None = None, wait: bool = False) -> Done[SweepResult]:
    return run_and_report(
        SWEEP,
        CONFIG.with_digest(),
        root=root,
        open_executor=here,
        tell=tell or (lambda _: None),
        wait=wait,
    )


def oracle_of(done: Done[SweepResult]) -> RunRecord:
    oracle = done.result.rows[0].oracle
    assert isinstance(oracle, RunRecord)
    return oracle


@pytest.mark.drawn
def test_a_sweep_collects_the_runs_of_simulate_and_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = sweep_of(easy=TINY, wide=replace(TINY, world=replace(TINY.world, kappa=20.0)))
    easy, wide = tiny.rows
    easy = replace(easy, paper=Published(latents=Printed(0.375, 0.01)), beside=(("norm", 1.625),))
    claim = Claim(words="wider is better", pairs=(("easy", "wide"),))
    tiny = replace(tiny, rows=(easy, wide), claims=(claim,))
    monkeypatch.setattr(config_module, "sweep_named", lambda name: tiny)
    heard: list[str] = []
    done = made(tmp_path, tell=lambda board: heard.append(f"{board.done}: {board.words}"))
    assert not done.found
    assert heard[0] == "0: tiny: starting"
    told = {words.partition(": ")[2].partition(":")[0] for words in heard}
    assert {"easy, seed 0", "easy, seed 1", "wide, seed 0", "wide, seed 1"} < told
    assert [row.label for row in done.result.rows] == ["easy", "wide"]

    record = done.result.rows[0].runs[1]
    assert isinstance(record, RunRecord)
    alone = run_study(SIMULATE, replace(TINY, seed=1), root=tmp_path)
    assert alone.found
    assert (done.run.path.parent / record.path).samefile(alone.run.path)
    assert record.r2_latents == alone.result.r2_latents
    assert record.ceiling_procrustes_r2 == alone.result.prediction.ceiling.procrustes_r2
    page = (done.run.path / PAGE_FILE).read_text()
    assert "Tiny" in page
    assert {"easy", "wide", "The paper: wider is better"} == {
        f.quantity for f in done.result.findings
    }
    assert "The paper reports 0.375 ± 0.01" in page
    assert all(words in page for words in ("0.375 ± 0.01</td>", "1.625", "wider is better"))
    assert sorted(p.suffix for p in (done.run.path / "tables").iterdir()) == [".csv", ".md", ".tex"]

    heard.clear()
    again = made(tmp_path, tell=lambda board: heard.append(board.words))
    assert again.found
    assert again.result == done.result
    assert heard == []


def test_beside_tied_rows_stands_a_run_that_never_tied_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tied = replace(TINY, objective="diet", instances=60, head=HeadConfig(tied_rows=True))
    sweep = sweep_of(tied=tied, free=TINY)
    monkeypatch.setattr(config_module, "sweep_named", lambda name: sweep)
    done = made(tmp_path)
    first, free = done.result.rows
    assert isinstance(first.untied, RunRecord)
    assert not first.untied.head_rows_tied
    assert free.untied is None
    run_record = first.runs[0]
    assert isinstance(run_record, RunRecord)
    assert run_record.head_rows_tied
    assert run_record.observations == 60 * 128 + observations_needed(60)
    assert first.untied.observations == 60 * 128
    page = (done.run.path / PAGE_FILE).read_text()
    assert "head, untied" in page
    assert "their likeness is built in" in page


def test_a_failing_row_says_why_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = sweep_of(bad=DIVERGING, good=TINY)
    monkeypatch.setattr(config_module, "sweep_named", lambda name: sweep)
    heard: list[str] = []
    done = made(tmp_path, tell=lambda board: heard.append(board.words))
    assert done.run.unfinished  # so that the same command tries again
    assert done.result.failed == 2
    bad, good = done.result.findings
    assert (bad.recovered, bad.verdict) == (None, Verdict.UNDECIDED)
    assert "the loss is" in bad.explained
    assert good.recovered is not None
    assert any(words.startswith("bad, seed 0: failed: ") for words in heard)
    assert "the loss is" in render(SWEEP.page_of(done.run))
    made(tmp_path)  # and again


def test_damage_is_named_and_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(TINY, training=replace(TINY.training, steps=2))
    monkeypatch.setattr(config_module, "sweep_named", lambda name: sweep_of(short=short))
    done = made(tmp_path)
    runs = {path.parent for path in tmp_path.glob("simulate-*/result.json")}
    for folder in (done.run.path, min(runs)):
        (folder / "result.json").write_text("{}")
    with pytest.warns(match=r"holds a damaged run") as said:
        again = made(tmp_path)
    assert again.result.rows[0].runs == done.result.rows[0].runs
    assert sum(str(min(runs)) in str(warning.message) for warning in said) == 1


def test_a_row_below_its_ceiling_gets_an_oracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = replace(TINY, training=replace(TINY.training, steps=1))
    monkeypatch.setattr(config_module, "sweep_named", lambda name: sweep_of(lazy=lazy))
    totals: list[int] = []
    done = made(tmp_path, tell=lambda board: totals.append(board.total))
    told = Run.load(done.run.path.parent / oracle_of(done).path)
    assert told.config["objective"] == "oracle"
    assert totals == [2, 2, 2, 3]
    finding = done.result.findings[0]
    assert "same encoder" in finding.explained
    assert finding.verdict is Verdict.LESS
    assert done.result.headline.tone == "bad"


def test_oracles_know_nothing_of_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = replace(
        TINY,
        objective="diet",
        instances=12,
        representation_dim=3,
        world=replace(TINY.world, repeated_share=0.4),
        training=replace(TINY.training, steps=1),
    )
    monkeypatch.setattr(config_module, "sweep_named", lambda name: sweep_of(lazy=lazy))
    done = made(tmp_path)
    assert done.result.status == "completed"
    oracle_of(done)


def test_the_live_table_shows_rows_under_way_where_not_all_have_room() -> None:
    sweep = sweep_of(**{f"row{k}": TINY for k in range(9)})
    board = SweepProgress(sweep, {})
    record = FailedRun(seed=0, error="no memory")
    last = sweep.rows[-1]
    for key in (run_key(last, 0), "row0, seed 0", "row0, seed 1"):
        board.add(JobOutcome(key=key, run=None, error="no memory", found=True), record)
    console = Console(width=100, height=8, file=io.StringIO())
    console.print(board)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "row8" in shown  # 1 of 2 seeds
    assert "1/2" in shown
    assert "row0" in shown  # rows with runs come first
    assert "row7" not in shown


def test_a_study_that_another_writes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_module, "sweep_named", lambda name: sweep_of(easy=TINY))
    config = CONFIG.with_digest()
    held, leave, runs = threading.Event(), threading.Event(), []

    def hold() -> None:
        with SWEEP.store(tmp_path).draft(config, label="tiny"):
            held.set()
            leave.wait(60)

    def wait() -> None:
        runs.append(made(tmp_path, wait=True))

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    assert held.wait(60)
    with pytest.raises(InputError, match="another process is writing"):
        made(tmp_path)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(60)
    assert [done.result.status for done in runs] == ["completed"]


def test_words_do_not_make_another_study_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = sweep_of(easy=TINY)
    monkeypatch.setattr(config_module, "sweep_named", lambda name: tiny)
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
    with pytest.raises(InputError, match="first_seed must be at least 0; got -1"):
        SweepConfig(name="table3", first_seed=-1)
    assert SweepConfig(name="table3", seeds=2).sweep().seeds == (0, 1)
    assert SweepConfig(name="table3", seeds=2, first_seed=100).sweep().seeds == (100, 101)
    assert SweepConfig(name="table3", first_seed=100).sweep().seeds == (100, 101, 102, 103, 104)
