"""A run as one file: what is in it, what is wrong with it, and the way back."""

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import constants
from tests.cli.test_cli import features
from tests.commands import refused
from tests.runs.hub_server import Hub, serving
from tests.runs.jobs import SHORT
from tests.runs.listed import finding, make

from identikit import cli
from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Spread
from identikit.core.files import file_digest
from identikit.core.finding import Quantity
from identikit.runs.bundle import config_of, export, input_at, inputs_of, opened
from identikit.runs.store import Run
from identikit.runs.study import run_study
from identikit.runs.verify import Agreement, _compared, verify
from identikit.studies.simulation.study import SIMULATE

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_study(SIMULATE, SHORT.config, root=tmp_path_factory.mktemp("runs")).run


@pytest.fixture(scope="module")
def bundle(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "run.zip"
    export(trained, path)
    return path


def test_a_bundle_holds_the_run_its_findings_and_where_they_come_from(
    trained: Run, bundle: Path
) -> None:
    with opened(bundle) as (folder, contents):
        again = Run.load(folder / "run")
        assert (again.config, again.result) == (trained.config, trained.result)
        np.testing.assert_equal(again.arrays(), trained.arrays())
        assert (folder / "checkpoint" / "state.pt").exists()
        said = json.loads((folder / "findings.json").read_text())
        assert said["findings"] == trained.result["findings"]
        assert json.loads((folder / "provenance.json").read_text()) == trained.origin
        environment = json.loads((folder / "environment.json").read_text())
        assert {"identikit", "torch", "numpy"} <= {*environment["packages"]}
        assert contents.inputs == ()
        for name, digest in contents.sha256.items():
            assert file_digest(folder / name) == digest
    assert config_of(trained) == SHORT.config


def test_the_cards_say_what_the_run_says(trained: Run, bundle: Path) -> None:
    with opened(bundle) as (folder, _):
        data, model = ((folder / name).read_text() for name in ("README.md", "MODEL_CARD.md"))
    assert yaml.safe_load(data.split("---")[1])["tags"][0] == "identikit"
    for card in (data, model):
        assert trained.origin["command"] in card
        assert trained.outcome.findings[0].quantity in card
    for name in ("world.dim", "encoder.width"):
        assert re.escape(name).replace("\\.", ".") in data
    assert "world.dim" not in model
    assert "no personal data" in model


def test_words_in_cards_are_words(tmp_path: Path) -> None:
    export(make(tmp_path, sentence="<script> | [x](y) `z`\n# head"), tmp_path / "a.zip")
    with opened(tmp_path / "a.zip") as (folder, _):
        card = (folder / "README.md").read_text()
    assert r"\<script\> \| \[x\](y) \`z\`\\n\# head" in card
    assert not (tmp_path / "MODEL_CARD.md").exists()


def test_what_is_not_finished_or_not_of_today_is_not_exported(tmp_path: Path) -> None:
    for options, message in (
        ({"status": "interrupted"}, "is not finished: interrupted"),
        ({"version": 1, "seed": 1}, "made by an older version"),
    ):
        with pytest.raises(InputError, match=message):
            export(make(tmp_path, **options), tmp_path / "a.zip")
    (tmp_path / "a.zip").write_text("mine")
    with pytest.raises(InputError, match="is never written over"):
        export(make(tmp_path, seed=2), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_text() == "mine"


def rewritten(bundle: Path, out: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update({"run/result.json": b"{}"}), "run/result.json is not as it was"),
        (lambda m: m.pop("findings.json"), "findings.json is not as it was"),
        (lambda m: m.update({"more": b""}), "more is not as it was"),
        (lambda m: m.update({"../out": b""}), "members of strange names"),
        (lambda m: m.update({"/out": b""}), "members of strange names"),
        (lambda m: m.pop("bundle.json"), "is not a whole bundle"),
        (lambda m: m.update({"bundle.json": b"[" * 99_999}), "is not a whole bundle"),
        (lambda m: m.update({"bundle.json": b'{"form": 2}'}), "another form"),
        (lambda m: m.update({"bundle.json": b'{"form": 1}'}), "not a saved contents: sha256"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_told(
    bundle: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], Any], message: str
) -> None:
    spoilt = rewritten(bundle, tmp_path / "spoilt.zip", change)
    with pytest.raises(InputError, match=message), opened(spoilt):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"spoilt.zip"}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x00" * 99])
def test_noise_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match="is not a whole bundle"), opened(tmp_path / "a.zip"):
        pass
    with pytest.raises(InputError, match="cannot read"), opened(tmp_path / "none.zip"):
        pass


@pytest.mark.parametrize("path", ["", "/", "none.zip"])
def test_no_file_at_all_ends_in_a_sentence(path: str, capsys: Said) -> None:
    assert "error: cannot read" in refused(capsys, "verify", path)


def test_a_bundle_that_expands_without_end_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", b" " * 10)
        archive.filelist[0].file_size = 2**40  # as its directory would say
    with pytest.raises(InputError, match="expands to"), opened(tmp_path / "a.zip"):
        pass


def test_run_again_here_every_number_agrees_to_the_last_digit(bundle: Path, tmp_path: Path) -> None:
    found = verify(bundle, place=tmp_path / "again")
    assert found.agrees
    assert found.study == "simulate"
    assert found.count(Agreement.LAST_DIGIT) == len(found.numbers) > 5
    assert found.versions == {}


@pytest.mark.parametrize(
    ("there", "here", "agreement"),
    [
        (Estimate(0.9, 0.8, 1.0), Estimate(0.9, 0.8, 1.0), Agreement.LAST_DIGIT),
        (Estimate(0.9, 0.8, 1.0), Estimate(0.81, 0.7, 0.9), Agreement.INTERVAL),
        (Estimate(0.9, 0.8, 1.0), Estimate(0.79, 0.7, 0.9), Agreement.NOT),
        (Spread(0.9, 0.1, 4), Spread(1.05, 0.1, 4), Agreement.INTERVAL),
        (Spread(0.9, 0.1, 4), Spread(1.07, 0.1, 4), Agreement.NOT),
        (Spread(0.9, None, 1), Spread(0.95, None, 1), Agreement.NOT),
        (3, 3, Agreement.LAST_DIGIT),
        (7.3689833, 7.3689834, Agreement.ROUNDED),
        (7.36898, 7.36899, Agreement.NOT),
        (0.0, 1e-13, Agreement.ROUNDED),
        (None, None, Agreement.LAST_DIGIT),
        (None, 1.0, Agreement.NOT),
    ],
)
def test_how_numbers_agree(
    there: Quantity | None, here: Quantity | None, agreement: Agreement
) -> None:
    pair = [(finding("a", value),) for value in (there, here)]
    (number,) = _compared(*pair)
    assert (number.name, number.agreement) == ("a (R²), recovered", agreement)


def test_a_finding_that_is_missing_does_not_agree() -> None:
    one = finding("a", 1.0)
    found = [*_compared((one, replace(one, quantity="b")), (one,))]
    assert [n.agreement for n in found] == [Agreement.LAST_DIGIT, Agreement.NOT]


@pytest.fixture
def probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> Path:
    """The bundle of a probe of f.npz, in whose folder we are."""
    monkeypatch.chdir(tmp_path)
    features(Path("f.npz"))
    cli.main(["probe", "f.npz", "--resamples", "100", "--json"])
    name = Path(json.loads(capsys.readouterr().out)["run"]).name
    cli.main(["export", name, "--out", "probe.zip", "--json"])
    assert json.loads(capsys.readouterr().out)["bundle"] == "probe.zip"
    return Path("probe.zip")


def test_inputs_are_known_by_their_digests(probed: Path, capsys: Said) -> None:
    with opened(probed) as (_, contents):
        assert contents.inputs == (input_at(Path("f.npz")),)
        assert contents.inputs[0].sha256 == file_digest(Path("f.npz"))
    cli.main(["verify", "probe.zip", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["agrees"]
    assert {number["agreement"] for number in found["numbers"]} == {"to the last digit"}
    assert not list(Path().glob(".*.verify"))
    features(Path("f.npz"), size=np.zeros(300))
    assert "f.npz is not what probe.zip was made of" in refused(capsys, "verify", "probe.zip")
    Path("f.npz").unlink()
    assert "was made of f.npz, which is not here" in refused(capsys, "verify", "probe.zip")


def test_inputs_that_have_changed_since_the_run_are_not_exported(
    probed: Path, capsys: Said
) -> None:
    features(Path("f.npz"), size=np.zeros(300))
    said = refused(capsys, "export", next(p.name for p in Path("runs").glob("probe*")))
    assert "has changed since" in said


def test_folders_patterns_and_named_files_are_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.npz", "b.npz", "folder/x/c", "twin.npy"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    names = {"sha256": "0", "features": ["*.npz", "folder"], "controls": ["twin=twin.npy"], "n": 3}
    found = {one.path: one for one in inputs_of(names)}
    assert {*found} == {"a.npz", "b.npz", "folder", "twin.npy"}
    before = found["folder"]
    Path("folder/x/c").rename("folder/x/d")
    after = input_at(Path("folder"))
    assert before.bytes == after.bytes
    assert before.sha256 != after.sha256
    assert inputs_of({"features": "a.npz"}) == ()


def test_what_does_not_agree_ends_in_one(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    export(trained, Path("a.zip"))
    other = make(tmp_path, recovered=0.25)
    monkeypatch.setattr("identikit.runs.verify.run_study", lambda *_, **__: FakeDone(other))
    with pytest.raises(SystemExit) as stop:
        cli.main(["verify", "a.zip"])
    assert stop.value.code == 1
    words = " ".join(capsys.readouterr().out.split())
    assert re.search(r"0 to the last digit, 0 within its interval, 0 to 6 digits, \d+ not", words)
    assert "identikit: " in words  # whose version differs


class FakeDone:
    def __init__(self, run: Run) -> None:
        self.run = run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    with serving() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", "hf_right")
        yield server


def test_a_bundle_goes_to_the_hub_as_a_data_set_with_its_card(
    trained: Run, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("export", str(trained.path), "--out", "a.zip", "--to", "hub")
    assert "go together" in refused(capsys, *words)
    cli.main([*words, "--repository", "me/run", "--private", "--json"])
    assert json.loads(capsys.readouterr().out)["repository"].endswith("/datasets/me/run")
    (made,) = hub.made
    assert (made["name"], made["type"]) == ("run", "dataset")
    assert made.get("visibility") == "private" or made["private"] is True  # as its version says it
    with opened(Path("a.zip")) as (folder, contents):
        assert {*hub.files} == {"a.zip", "bundle.json", *contents.sha256}
        assert hub.files["README.md"] == (folder / "README.md").read_bytes()
    assert hub.files["a.zip"] == Path("a.zip").read_bytes()


def test_a_hub_that_refuses_or_is_not_there_is_told_and_the_bundle_kept(
    trained: Run, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    words = ("export", str(trained.path), "--to", "hub", "--repository", "me/run", "--out")
    assert "the hub did not take a.zip as me/run" in refused(capsys, *words, "a.zip")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "the bundle is kept" in refused(capsys, *words, "b.zip")
    assert Path("a.zip").exists()
    assert Path("b.zip").exists()
    assert hub.files == {}
