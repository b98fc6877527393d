"""Runs are listed as they lie in their folders, whatever an index says of them."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runs.listed import config, make

from identikit.core.errors import InputError
from identikit.core.files import locked
from identikit.runs import records as module
from identikit.runs.labels import set_name, set_tags
from identikit.runs.records import INDEX_FILE, Record, chosen, one_of, ordered, records
from identikit.runs.registry import entry_of
from identikit.runs.store import Draft, Run, RunStore, remove


def only(root: Path) -> Record:
    (record,) = records(root)
    return record


def test_a_record_says_what_the_run_says(tmp_path: Path) -> None:
    run = make(tmp_path, kappa=50)
    record = only(tmp_path)
    assert (record.study, record.version) == ("simulate", entry_of("simulate").version)
    assert record.folder == run.path.name
    assert record.folder == f"simulate-{record.label}-{record.short}"
    assert record.label == config().label
    assert (record.state, record.word) == ("finished", "As predicted")
    assert record.headline == "Recovered nearly all."
    assert record.size == sum(f.stat().st_size for f in run.path.iterdir())
    values = record.values()
    assert values["world.kappa"] == 50
    assert (values["latents"], values["rows"], values["excess_loss"]) == (0.9, 0.5, 0.5)


def test_what_the_index_holds_is_what_is_read(tmp_path: Path) -> None:
    for seed in range(3):
        make(tmp_path, seed=seed)
    first = records(tmp_path)
    assert (tmp_path / INDEX_FILE).exists()
    assert records(tmp_path) == first


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    read: list[Path] = []
    load = Run.load.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Run], path: Path) -> Run:
        read.append(path)
        run: Run = load(cls, path)
        return run

    monkeypatch.setattr(Run, "load", classmethod(counted))
    return read


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make(tmp_path, seed=seed) for seed in range(3)]
    read = count_reads(monkeypatch)
    records(tmp_path)
    assert len(read) == 3
    records(tmp_path)
    assert len(read) == 3
    set_name(runs[1].path, "mine")
    assert [record.name for record in records(tmp_path)].count("mine") == 1
    assert read[3:] == [runs[1].path]


@pytest.mark.parametrize("version", [None, 1])
@pytest.mark.parametrize("name", ["config.json", "result.json", "arrays.safetensors"])
def test_damage_is_seen_though_the_folder_keeps_its_time(
    tmp_path: Path, name: str, version: int | None
) -> None:
    run = make(tmp_path, version=version)
    assert only(tmp_path).state == ("other version" if version else "finished")
    times = run.path.stat()
    with (run.path / name).open("ab") as file:
        file.write(b" ")
    os.utime(run.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    record = only(tmp_path)
    assert (record.state, record.orphaned) == ("damaged", True)
    said = f"{run.path} holds a damaged run: {name} is not as it was written. "
    assert record.detail == said + "Its command makes it anew."


def test_a_run_that_is_gone_is_not_listed(tmp_path: Path) -> None:
    run, kept = make(tmp_path, seed=0), make(tmp_path, seed=1)
    records(tmp_path)
    remove(run.path)
    assert only(tmp_path).folder == kept.path.name


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("[", "{"),
        lambda text: text.replace("runs 3", "runs 0"),
        lambda text: text.replace("2026", "2025"),
        lambda text: "\x00" * 50,
    ],
)
def test_a_spoilt_index_changes_nothing(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    make(tmp_path, seed=0), make(tmp_path, seed=1)
    first = records(tmp_path)
    index = tmp_path / INDEX_FILE
    index.write_text(spoil(index.read_text()))
    assert records(tmp_path) == first
    assert index.read_text().startswith("identikit runs 3 ")


def test_a_place_that_cannot_be_written_to_is_listed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)

    def refuse(path: Path, content: bytes) -> None:
        raise InputError(f"{path} cannot be written")

    monkeypatch.setattr(module, "write_atomically", refuse)
    assert only(tmp_path).state == "finished"
    assert not (tmp_path / INDEX_FILE).exists()


def test_states(tmp_path: Path) -> None:
    make(tmp_path, seed=0)
    make(tmp_path, seed=1, status="interrupted")
    make(tmp_path, seed=2, status="incomplete")
    make(tmp_path, seed=3, version=1)
    store = RunStore(tmp_path, command="simulate", version=entry_of("simulate").version)
    drafts = {}
    for seed in (4, 5):
        with store.draft(config(seed=seed)) as draft:
            assert isinstance(draft, Draft)
            (draft.folder / "progress.json").write_text('{"done": 12, "total": 1000}')
            drafts[seed] = draft.target
    with locked(drafts[5]):
        found = {record.values()["seed"]: record for record in records(tmp_path)}
    states = ("finished", "interrupted", "incomplete", "other version", "stopped", "running")
    assert tuple(found[seed].state for seed in range(6)) == states
    assert found[4].detail == found[5].detail == "12 of 1,000"
    assert found[3].detail == f"made by version 1 of simulate; this is {store.version}"
    assert [seed for seed in range(6) if found[seed].orphaned] == [3]
    assert [seed for seed in range(6) if found[seed].partial] == [4]


def test_another_version_is_told_though_the_index_was_made_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    assert only(tmp_path).state == "finished"
    monkeypatch.setattr(module, "STUDIES", {})
    assert only(tmp_path).detail.endswith("there is no such study here")


def test_other_folders_and_files_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "file").write_text("")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / ".hidden").mkdir()
    for name in ("project", "project-0123456789", ".project.partial"):  # which rm must not take
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"command": "build", "config": "all"}')
        (tmp_path / name / "result.json").write_text("{}")
    assert records(tmp_path) == []
    with pytest.raises(InputError, match=r"is not a folder\. Give the folder of your runs"):
        records(tmp_path / "none")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"command": 1}', '{"config": []}', "[" * 99_999])
def test_no_config_ends_the_list(tmp_path: Path, text: str) -> None:
    run = make(tmp_path)
    (run.path / "config.json").write_text(text)
    assert only(tmp_path).state == "damaged"


def test_links_out_of_a_run_are_not_followed(tmp_path: Path) -> None:
    run = make(tmp_path / "runs")
    (tmp_path / "secret").write_text('{"name": "secret", "tags": []}')
    (run.path / "labels.json").symlink_to(tmp_path / "secret")
    record = only(tmp_path / "runs")
    assert (record.state, record.name) == ("finished", "")


def test_runs_of_one_config_are_the_same_in_any_version(tmp_path: Path) -> None:
    make(tmp_path, version=1), make(tmp_path), make(tmp_path, seed=1)
    found = records(tmp_path)
    same = [record.same for record in found]
    assert sorted(same.count(one) for one in same) == [1, 2, 2]


def test_a_sweep_names_its_parts(tmp_path: Path) -> None:
    part = make(tmp_path, seed=1)
    make(tmp_path, rows=[{"runs": [{"path": part.path.name}]}, {"path": "../x-0123456789"}])
    parts = {record.parts for record in records(tmp_path)}
    assert parts == {(), (part.path.name,)}


def test_runs_are_chosen_and_sorted_by_what_they_are(tmp_path: Path) -> None:
    for seed, kappa in enumerate((10, 50, 50)):
        make(tmp_path, seed=seed, kappa=kappa, excess=1 / (1 + seed), started=f"2026-01-1{seed}")
    set_tags(make(tmp_path, seed=9, kappa=2).path, ("paper",), ())
    found = records(tmp_path)

    def seeds(some: list[Record]) -> list[int]:
        return [record.values()["seed"] for record in some]

    assert seeds(ordered(found, "started")) == [9, 0, 1, 2]
    assert seeds(chosen(ordered(found, "excess_loss"), where=["kappa=50"])) == [2, 1]
    assert seeds(chosen(found, where=["world.kappa=50", "seed=1"])) == [1]
    assert seeds(chosen(found, where=["objective=diet", "kappa=10.0"])) == [0]
    assert seeds(chosen(found, tag="paper")) == [9]
    assert len(chosen(found, study="simulate")) == 4
    assert chosen(found, study="probe") == []
    with pytest.raises(InputError, match="Did you mean 'probe'"):
        chosen(found, study="prob")
    with pytest.raises(InputError, match="Did you mean 'kappa'"):
        chosen(found, where=["kapa=50"])
    with pytest.raises(InputError, match="--where takes NAME=VALUE"):
        chosen(found, where=["kappa"])
    with pytest.raises(InputError, match="unknown value of these runs 'exces_loss'"):
        ordered(found, "exces_loss")


def test_a_run_goes_by_any_beginning_that_is_its_own(tmp_path: Path) -> None:
    run, other = make(tmp_path, seed=0), make(tmp_path, seed=1)
    set_name(other.path, "baseline")
    found = records(tmp_path)
    hashed = run.path.name.rpartition("-")[2]
    for words in (run.path.name, hashed, hashed[:6], str(run.path), f"{run.path}/"):
        assert one_of(found, words).folder == run.path.name
    for words in ("baseline", "base", other.path.name, other.path.name.rpartition("-")[2]):
        assert one_of(found, words).folder == other.path.name
    with pytest.raises(InputError, match="'simulate' may be any of 2 runs"):
        one_of(found, "simulate")
    with pytest.raises(InputError, match=r"unknown run 'baselin_'\. Did you mean 'baseline'"):
        one_of(found, "baselin_")


@pytest.mark.parametrize("name", ["a/b", "-x", ".x", " ", "a\nb"])
def test_names_are_no_paths_and_no_options(tmp_path: Path, name: str) -> None:
    run = make(tmp_path)
    with pytest.raises(InputError, match="words without slashes"):
        set_name(run.path, name)
    with pytest.raises(InputError, match="words without slashes"):
        set_tags(run.path, (name,), ())


def test_tags_come_and_go_and_the_name_stays(tmp_path: Path) -> None:
    run = make(tmp_path)
    set_name(run.path, "mine")
    assert set_tags(run.path, ("a", "b", "a"), ()) == ("a", "b")
    assert set_tags(run.path, ("c",), ("a",)) == ("b", "c")
    assert (only(tmp_path).name, only(tmp_path).tags) == ("mine", ("b", "c"))
    set_name(run.path, "")
    assert (only(tmp_path).name, only(tmp_path).tags) == ("", ("b", "c"))
    assert Run.load(run.path).result["status"] == "completed"


def test_what_is_being_written_is_not_removed(tmp_path: Path) -> None:
    run = make(tmp_path)
    with locked(run.path), pytest.raises(InputError, match="another process is writing"):
        remove(run.path)
    link = tmp_path / "link"
    link.symlink_to(run.path)
    with pytest.raises(InputError, match="is a link"):
        remove(link)
    assert json.loads((run.path / "config.json").read_text())["command"] == "simulate"
