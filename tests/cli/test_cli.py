"""The command line as a user meets it: output, exit codes, and errors without a traceback."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused

from identikit import cli
from identikit.cli.commands import helps, reproducible

FAST = ["--instances", "200", "--classes", "20", "--dim", "3", "--steps", "40"]
FAST += ["--batch-size", "256", "--test-samples", "512"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def features(path: Path, **arrays: object) -> Path:
    generator = np.random.default_rng(0)
    h = generator.normal(size=(300, 4))
    np.savez(path, **{"h": h, "size": h[:, 0] + 0.1 * generator.normal(size=300), **arrays})  # type: ignore[arg-type]
    return path


def test_simulate_prints_one_json_object_and_finds_its_run_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main(["simulate", *FAST, "--json"])
    first = json.loads(capsys.readouterr().out)
    promised = {"r2_latents", "r2_head", "ceiling_r2", "bayes_loss", "excess_loss"}
    assert promised | {"identity_r2", "steps", "seconds", "run"} <= set(first)
    assert (Path(first["run"]) / "report.html").exists()
    cli.main(["simulate", *FAST, "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out) == first
    assert "made before" in captured.err


def test_the_saved_command_makes_the_same_run_and_tables_show_the_three_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main(["simulate", *FAST, "--unit-features", "--unit-rows", "--out", "first", "--json"])
    first = json.loads(capsys.readouterr().out)
    cli.main([*first["provenance"]["command"].split()[1:], "--out", "again"])
    out = capsys.readouterr().out
    assert "predicted" in out
    assert "recovered" in out
    assert "page: again/report.html" in out
    again = json.loads((Path("again") / "result.json").read_text())
    assert again["r2_latents"] == first["r2_latents"]


def test_report_draws_the_page_again(capsys: pytest.CaptureFixture[str]) -> None:
    path = features(Path("f.npz"))
    cli.main(["probe", str(path), "--out", "mine"])
    (Path("mine") / "report.html").unlink()
    cli.main(["report", "mine", "--json"])
    assert (Path("mine") / "report.html").exists()
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["run"] == "mine"


def test_theory_needs_no_training(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["theory", "--conditional", "laplace", "--dim", "3", "--classes", "20", "--json"])
    assert json.loads(capsys.readouterr().out)["ceiling"]["r2_latents"] < 0.99
    cli.main(["theory", "--dim", "3", "--classes", "20", "--instances", "40"])
    assert "recovery ceiling" in capsys.readouterr().out


def test_probe_reads_features_out(capsys: pytest.CaptureFixture[str]) -> None:
    angle = np.random.default_rng(1).uniform(0, 360, 300)
    path = features(Path("f.npz"), azimuth=angle, W=np.eye(4)[:3])
    cli.main(["probe", str(path), "--kinds", "azimuth=circular:360", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["scores"]["size"] > 0.9
    assert result["scores"]["azimuth"] < 0.1
    page = (Path(result["run"]) / "report.html").read_text()
    assert "the interval reaches chance" in page
    verdicts = {f["quantity"]: f["verdict"] for f in result["findings"]}
    assert verdicts == {"size": "present", "azimuth": "not shown"}
    assert result["headline"]["sentence"].startswith("1 of 2 present (size)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["simulte"], "unknown command 'simulte'. Did you mean 'simulate'?"),
        (["simulate", "--conditional", "vfm"], "Did you mean 'vmf'?"),
        (["simulate", "--kapa", "3"], "--kappa"),
        (["simulate", "--recipe", "papr"], "Did you mean 'paper'?"),
        (["simulate", "--kappa", "-1"], "kappa must be"),
        (["simulate", "--classes", "4"], "classes must be at least dim + 1 (6)"),
        (["simulate", "--steps", "0"], "steps must be at least 1"),
        (["simulate", "--dim", "five"], "five"),
        (["report", "nowhere"], "nowhere is not a folder"),
        (["probe", "nowhere.npz"], "cannot read nowhere.npz: No such file"),
        (["probe"], "identikit probe --help"),
        (["probe", "f.npz", "--kinds", "azimuth"], "kinds takes NAME=KIND"),
    ],
)
def test_mistakes_are_named(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    features(Path("f.npz"))
    assert message in refused(capsys, *words)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"PK\x03\x04 cut short", "f.npz"), (b"a,b\n1,2\n", "f.npz")],
)
def test_files_that_are_no_features_are_refused(
    capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    Path("f.npz").write_bytes(content)
    assert message in refused(capsys, "probe", "f.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"h": np.full((300, 4), np.nan)}, "NaN"),
        ({"size": np.ones(300)}, "constant"),
        ({"size": np.ones(7)}, "same number of rows"),
        ({"size": np.array([{}] * 300, dtype=object)}, "pickled"),
    ],
)
def test_features_that_cannot_be_used_are_refused(
    capsys: pytest.CaptureFixture[str], arrays: dict[str, object], message: str
) -> None:
    features(Path("f.npz"), **arrays)
    assert message in refused(capsys, "probe", "f.npz")


def test_fewer_samples_than_dimensions_are_a_normal_first_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    features(Path("f.npz"), h=np.random.default_rng(0).normal(size=(300, 301)))
    cli.main(["probe", "f.npz", "--json"])
    assert json.loads(capsys.readouterr().out)["recovery"]["dim"] == 301


def test_an_existing_folder_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/notes").write_text("kept")
    assert "mine already exists" in refused(capsys, "simulate", *FAST, "--out", "mine")
    assert [path.name for path in Path("mine").iterdir()] == ["notes"]


def test_damage_is_said_where_a_run_is_found_and_in_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    features(Path("f.npz"))
    cli.main(["probe", "f.npz"])
    (folder,) = Path("runs").iterdir()
    capsys.readouterr()
    whole = json.loads((folder / "result.json").read_text())
    del whole["headline"]
    (folder / "result.json").write_text(json.dumps(whole))
    assert "result.json is not as it was written" in refused(capsys, "report", str(folder))
    cli.main(["probe", "f.npz"])
    said = " ".join(capsys.readouterr().err.split())
    assert "result.json is not as it was written" in said
    assert f"It is kept as {folder}.damaged" in said
    assert {path.name for path in Path("runs").iterdir()} == {
        folder.name,
        f"{folder.name}.damaged",
    }
    cli.main(["probe", "f.npz"])
    assert "found: this run was made before" in capsys.readouterr().err


def test_a_checkpoint_that_cannot_be_used_need_not_be_deleted_by_hand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = Path(".mine.partial/checkpoint")
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.pt").write_bytes(b"of another version")
    words = ("simulate", *FAST, "--out", "mine")
    assert "Give --restart to begin without it" in refused(capsys, *words)
    cli.main([*words, "--restart", "--json"])
    assert json.loads(capsys.readouterr().out)["status"] == "completed"
    assert [path.name for path in Path().iterdir()] == ["mine"]


def test_an_unwritable_place_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("in the way")
    message = refused(capsys, "simulate", *FAST, "--out", "file/run")
    assert "the operating system refused" in message


def test_a_full_disk_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = features(Path("f.npz"))
    with monkeypatch.context() as patch:
        patch.setattr("identikit.runs.study.write_page", no_space)
        assert "No space left on device" in refused(capsys, "probe", str(path), "--out", "mine")
    assert not Path("mine").exists()
    cli.main(["probe", str(path), "--out", "mine", "--json"])
    assert json.loads(capsys.readouterr().out)["status"] == "completed"


def test_a_recipe_for_images_brings_a_world_of_images(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "--recipe", "pixels", "--objective", "supervised", "--dim", "2"]
    options = ["--steps", "2", "--test-samples", "64", "--out", "mine", "--json"]
    cli.main([*words, *options])
    assert json.loads(capsys.readouterr().out)["status"] == "completed"
    config = json.loads(Path("mine/config.json").read_text())
    assert '"sprites"' in json.dumps(config)


def test_studies_are_listed_with_their_cost(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["reproduce", "--list"])
    listed = capsys.readouterr().out
    assert "core-min" in listed
    assert "table2" in listed
    cli.main(["reproduce", "--list", "--json"])
    assert {"table2", "table3"} < {study["name"] for study in json.loads(capsys.readouterr().out)}
    cli.main(["reproduce"])  # no name: a newcomer wants to know which there are
    assert capsys.readouterr().out == listed


def test_an_unknown_study_or_executor_option_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "table3" in refused(capsys, "reproduce", "tabel3")
    assert "workers must be at least 1" in refused(capsys, "reproduce", "table3", "--workers", "0")
    assert "address belongs to the executor dask" in refused(
        capsys, "reproduce", "table3", "--address", "tcp://127.0.0.1:1"
    )
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", [*helps(), *(f"reproduce {name}" for name in reproducible())])
def test_every_command_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split(), "--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Example: identikit {command}" in shown
    assert helps().get(command, shown) in shown


@pytest.mark.parametrize("words", [["dislib", "--workers", "0"], ["--workers", "0", "dislib"]])
def test_the_order_of_options_does_not_matter(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert "workers must be at least 1" in refused(capsys, "reproduce", *words)


def test_a_value_is_not_taken_for_a_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown study 'tabel3'" in refused(capsys, "reproduce", "--out", "dislib", "tabel3")


def test_nothing_at_all_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert [name for name in helps() if f"\n  {name} " not in shown] == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--version"])
    assert capsys.readouterr().out == f"identikit {version('identikit')}\n"
