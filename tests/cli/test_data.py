"""`identikit data` as a user meets it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.commands import refused
from tests.worlds.grids.originals import SMALL, WRITERS

from identikit import cli
from identikit.worlds.grids import registry


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IDENTIKIT_DATA", str(tmp_path / "data"))


def test_list_tells_every_factor_and_where_a_set_is_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cli.main(["data", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    azimuth = next(f for f in listed["cars3d"]["factors"] if f["name"] == "azimuth")
    assert azimuth["values"] == [15.0 * level for level in range(24)]
    assert azimuth["period"] == 360
    assert listed["dsprites"]["files"][0]["digest"] is None
    assert listed["smallnorb"]["path"] == str(tmp_path / "data" / "smallnorb")
    cli.main(["data", "list"])
    assert "480,000" in capsys.readouterr().out


def test_check_says_what_was_right_and_what_was_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = SMALL["mpi3d_toy"]
    monkeypatch.setitem(registry.DATA_SETS, "mpi3d_toy", data)
    path, _ = WRITERS["mpi3d_toy"](tmp_path, data)
    assert "is not mpi3d_toy.npz with md5:5588" in refused(capsys, "data", "check", str(path))
    unknown = replace(data, originals=(replace(data.originals[0], digest=None),))
    monkeypatch.setitem(registry.DATA_SETS, "mpi3d_toy", unknown)
    cli.main(["data", "check", str(path)])
    said = capsys.readouterr().out
    assert "no checksum is published" in said
    assert "288 images match the grid" in said
    cli.main(["data", "check", str(path), "--json"])
    assert json.loads(capsys.readouterr().out)["digests"] == {str(path): None}


def test_unknown_sets_actions_and_files_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean 'cars3d'" in refused(capsys, "data", "fetch", "cars")
    assert "unknown command 'fecth'. Did you mean 'fetch'" in refused(
        capsys, "data", "fecth", "cars3d"
    )
    assert "file name of any known set" in refused(capsys, "data", "check", "some.npz")
    assert "there is no such file" in refused(capsys, "data", "check", "3dshapes.h5")
