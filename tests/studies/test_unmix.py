"""`identikit unmix` on files: with and without factors, the page, the command line, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused

from identikit import cli

RNG = np.random.default_rng(0)
Z = RNG.uniform(-1, 1, size=(400, 2))
KEYS = np.array([f"{k:03d}" for k in range(400)])
QUICK = ["--starts", "2", "--resamples", "3"]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    h = Z @ RNG.normal(size=(2, 3))
    np.save("h.npy", h)
    np.savez("named.npz", h=h, key=KEYS)
    np.save("W.npy", np.eye(3))
    lines = [f"{key},{a},{b}" for key, (a, b) in zip(KEYS, Z, strict=True)]
    Path("z.csv").write_text("\n".join(["key,size,angle", *lines[::-1]]) + "\n")


@pytest.mark.drawn
def test_the_page_has_a_card_for_each_component(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["unmix", "named.npz", "--factors", "z.csv", "--key", "key", *QUICK, "--out", "out"])
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 2 components are determined" in said
    page = Path("out/report.html").read_text()
    for words in ("Which components can be named?", "A card for each component", "largest"):
        assert words in page
    names = {path.stem for path in Path("out/figures").glob("*.png")}
    assert {"factors", "matrix", "over-0", "over-1"} <= names
    cli.main(["unmix", "named.npz", "--factors", "z.csv", "--key", "key", *QUICK, "--json"])
    found = json.loads(capsys.readouterr().out)
    top = found["extremes"][0][0]
    order = np.argsort(np.load("h.npy") @ np.array(found["unmixing"]["weights"])[:, 0])
    assert top == [KEYS[k] for k in order[::-1][:5]]
    cli.main(["report", "out"])


def test_features_alone_and_the_part_of_a_head(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["unmix", "h.npy", *QUICK, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [f["quantity"] for f in found["findings"]] == ["determined components"]
    assert found["extremes"] == []
    cli.main(["unmix", "h.npy", *QUICK, "--head", "W.npy", "--components", "2", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["unmixing"]["row_space"] is True


def test_what_cannot_be_unmixed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["h.npy", "--components", "9"], "9 components were asked for"),
        (["none.npy"], "cannot read"),
        (["h.npy", "--groups", "object"], "object"),
        ([], "no features are given"),
    ):
        assert said in refused(capsys, "unmix", *words)
