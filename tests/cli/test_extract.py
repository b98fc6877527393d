"""`identikit layers` and `identikit extract` as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tests.commands import refused

from identikit import cli
from identikit.cli import layers
from identikit.features.shards import read_manifest

Image = pytest.importorskip("PIL.Image")
OPTIONS = ["--workers", "0", "--device", "cpu"]
OWN = """
from torch import nn

def tiny():
    return nn.Sequential(nn.AvgPool2d(32), nn.Flatten(), nn.Linear(147, 5))
"""


@pytest.fixture(autouse=True)
def folder_of_my_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_tiny.py").write_text(OWN)
    (tmp_path / "images").mkdir()
    for k in range(3):
        pixels = np.full((30, 40, 3), 50 * k, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{k}.png")


def test_layers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["layers", "my_tiny:tiny", "--json"])
    listed = json.loads(capsys.readouterr().out)["layers"]
    assert [(layer["name"], layer["dim"]) for layer in listed][:3] == [
        *(("2:input", 147), ("output", 5), ("0", 3))
    ]
    cli.main(["layers", "my_tiny:tiny"])
    assert "3 x 7 x 7" in capsys.readouterr().out


def test_a_narrow_terminal_breaks_no_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a_name_as_long_as_this_one_that_no_narrow_terminal_holds"
    Path("my_long.py").write_text(
        "from torch import nn\n"
        "def long():\n"
        "    model = nn.Sequential(nn.AvgPool2d(32), nn.Flatten())\n"
        f"    model.add_module({name!r}, nn.Linear(147, 5))\n"
        "    return model\n"
    )
    monkeypatch.setattr(layers, "OUT", Console(width=30))
    cli.main(["layers", "my_long:long"])
    assert name in [line.split()[0] for line in capsys.readouterr().out.splitlines()]


def test_extract_says_what_is_there_and_finds_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["extract", "my_tiny:tiny", "--images", "images", "--out", "out", *OPTIONS]
    cli.main([*words, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["made"]) == (3, 3)
    assert [(x["name"], x["dim"], x["head"]) for x in found["layers"]] == [("2:input", 147, True)]
    assert read_manifest(Path("out")).n == 3
    cli.main(words)
    out = capsys.readouterr().out
    assert "3 samples, 147 dimensions of 2:input: out" in out
    assert "nothing was missing" in out


def test_several_layers_say_what_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    Path("images", "4.avif").write_bytes(b"")
    words = ["extract", "my_tiny:tiny", "--images", "images", "--out", "out", *OPTIONS]
    cli.main([*words, "--layers", "0", "2:input"])
    said = capsys.readouterr()
    assert "2 layers, 150 dimensions in all: 0.0 MB on disk" in said.err
    assert "3 samples, 3 dimensions of 0: out/0" in said.out
    assert "files passed over, by the ending of their names: 1 .avif" in said.out


def test_errors_have_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["extract", "my_tiny:tiny", "--images", "nowhere", "--out", "out", *OPTIONS]
    assert "nowhere is not a folder" in refused(capsys, *words)
