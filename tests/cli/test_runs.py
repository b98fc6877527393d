"""`identikit runs` as a user gives it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.commands import refused
from tests.runs.listed import config, make

from identikit import cli
from identikit.core.files import locked
from identikit.runs.registry import entry_of
from identikit.runs.store import RunStore
from identikit.runs.study import _noting

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def root() -> Path:
    """Two runs and what a third one left behind."""
    root = Path("runs")
    make(root, kappa=10, excess=0.3, started="2026-01-01 12:00:00+00:00", sentence="One. " * 90)
    make(root, kappa=50, seed=1, excess=0.1, started="2026-01-02 12:00:00+00:00", version=1)
    store = RunStore(root, command="simulate", version=entry_of("simulate").version)
    with store.draft(config(seed=2)):
        pass
    return root


def said(capsys: Said, *words: str) -> str:
    cli.main(("runs", *words))
    return capsys.readouterr().out


def as_json(capsys: Said, *words: str) -> Any:
    return json.loads(said(capsys, *words, "--json"))


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def hashes(root: Path) -> Sequence[str]:
    return [name.removesuffix(".partial").rpartition("-")[2] for name in folders(root)]


def test_without_a_word_all_are_listed_the_newest_first(capsys: Said, root: Path) -> None:
    first, *lines = said(capsys).splitlines()
    assert first.split() == ["study", "world", "or", "model", "name", "started", "size", "state"]
    states = [line.split()[-1] for line in lines[:-1] if not line.startswith(" ")]
    assert states == ["stopped", "version", "finished"]
    assert lines[-1].startswith("3 runs, ")
    assert all(len(line) <= 100 for line in lines)
    assert said(capsys, "list") == said(capsys)


def test_json_has_everything(capsys: Said, root: Path) -> None:
    records = as_json(capsys)
    assert [record["state"] for record in records] == ["stopped", "other version", "finished"]
    assert records[2]["headline"] == "One. " * 90
    assert records[2]["options"]["world.kappa"] == 10
    assert {record["folder"] for record in records} == {*folders(root)}


def test_runs_are_filtered_and_sorted(capsys: Said, root: Path) -> None:
    excess = [r["numbers"].get("excess_loss") for r in as_json(capsys, "--sort", "excess_loss")]
    assert excess == [0.1, 0.3, None]
    (found,) = as_json(capsys, "--where", "kappa=50", "seed=1", "--study", "simulate")
    assert found["numbers"]["excess_loss"] == 0.1
    assert as_json(capsys, "--sort", "date", "--reverse") == as_json(capsys)


def test_mistakes_are_named(capsys: Said, root: Path) -> None:
    for words, says in {
        ("lst",): "Did you mean 'list'",
        ("--where", "kapa=1"): "Did you mean 'kappa'",
        ("--study", "simulat"): "Did you mean 'simulate'",
        ("--root", "nowhere"): "nowhere is not a folder",
        ("show", "nothing"): "unknown run 'nothing'",
        ("show", "simulate"): "may be any of",
        ("rm",): "which runs?",
        ("rm", "--older-than", "soon"): "30d, 12h, 5m",
        ("rm", "--older-than", "999999d"): "30d, 12h, 5m",
        ("name", hashes(root)[1], hashes(root)[2]): "Give another name",
        ("rm", "--partial"): "Give --yes",
        ("diff", hashes(root)[1], "nothing"): "unknown run",
        ("diff", *hashes(root)[:2]): "is not a run",
    }.items():
        assert says in refused(capsys, "runs", *words)
    assert len(folders(root)) == 3


def test_show_says_what_the_run_says_and_what_is_known_of_it(capsys: Said, root: Path) -> None:
    assert "As predicted One." in said(capsys, "show", hashes(root)[1])
    assert "state: other version: made by version 1" in said(capsys, "show", hashes(root)[2])
    stopped = said(capsys, "show", folders(root)[0])
    assert "state: stopped" in stopped
    assert as_json(capsys, "show", hashes(root)[1])["state"] == "finished"


def test_a_name_and_tags_are_kept_with_the_run(capsys: Said, root: Path) -> None:
    first, second = hashes(root)[1:]
    assert as_json(capsys, "name", first, "mine")["name"] == "mine"
    assert as_json(capsys, "tag", "mine", "a", "b")["tags"] == ["a", "b"]
    assert said(capsys, "tag", "mine", "--remove", "a").strip().endswith("tags: b")
    assert "mine [b]" in said(capsys, "--tag", "b")
    assert "Give another name" in refused(capsys, "runs", "name", second, "mine")
    assert said(capsys, "name", "mine", "").strip().endswith("name: none")
    assert "unknown run 'mine'" in refused(capsys, "runs", "show", "mine")


def test_diff_shows_options_and_findings_with_the_difference(capsys: Said, root: Path) -> None:
    words = said(capsys, "diff", *hashes(root)[1:])
    assert "world.kappa" in words
    assert "0.000 [" in words or "0.00 [" in words
    found = as_json(capsys, "diff", *hashes(root)[1:])
    assert found["config"]["world.kappa"] in ([10, 50], [50, 10])
    assert [each["name"] for each in found["findings"]] == ["latents", "rows"]
    assert found["findings"][0]["difference"]["value"] == 0
    same = said(capsys, "diff", hashes(root)[1], hashes(root)[1])
    assert "Both have the same config." in same


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--partial",), 2),
        (("--orphaned",), 2),
        (("--partial", "--orphaned"), 1),
        (("--older-than", "1d"), 1),
        (("--where", "kappa=10", "--older-than", "1d"), 2),
        (("--older-than", "9999d"), 3),
        (("--study", "simulate"), 0),
    ],
)
def test_what_goes_is_what_was_described(
    capsys: Said, root: Path, words: tuple[str, ...], left: int
) -> None:
    assert len(as_json(capsys, "rm", "--yes", *words)) == 3 - left
    assert len(folders(root)) == left


def test_nothing_goes_unless_the_answer_is_yes(
    capsys: Said, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for answer, left in {"": 3, "n": 3, "yes": 2}.items():
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        if left == 3:
            with pytest.raises(SystemExit) as stop:
                cli.main(("runs", "rm", hashes(root)[1]))
            assert stop.value.code == 1
            assert "nothing was deleted" in capsys.readouterr().err
        else:
            twice = (hashes(root)[1], folders(root)[1])
            assert "1 run, " in said(capsys, "rm", *twice)
        assert len(folders(root)) == left


def test_a_run_that_is_being_written_stays(capsys: Said, root: Path) -> None:
    draft = folders(root)[0]
    with locked(root / draft.removeprefix(".").removesuffix(".partial")):
        assert as_json(capsys, "rm", "--yes", "--study", "simulate", "--partial") == []
        assert "another process is writing" in refused(capsys, "runs", "rm", "--yes", draft)
    assert draft in folders(root)


def test_names_from_files_steer_nothing(capsys: Said) -> None:
    make(Path("runs"), sentence="red \x1b[31m end")
    assert "\x1b" not in said(capsys)
    assert "\\x1b[31m" in said(capsys)


class Standing:
    done, total = 3, 8


def test_how_far_a_run_is_is_noted_while_it_runs(capsys: Said, root: Path) -> None:
    told: list[object] = []
    tell = _noting(told.append, root / folders(root)[0] / "progress.json")
    tell(Standing())
    tell(Standing())
    assert len(told) == 2
    assert "stopped, 3 of 8" in said(capsys)
