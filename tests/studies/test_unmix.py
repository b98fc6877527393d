"""`identikit unmix` on files: with and without factors, the page, the command line, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from tests.commands import refused

from identikit import cli

RNG = np.random.default_rng(0)
Z = RNG.uniform(-1, 1, size=(400, 2))
KEYS = np.array([f"{k:03d}" for k in range(400)])
QUICK = ["--starts", "2", "--resamples", "3"]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    h = Z @ RNG.normal(size=(2, 3)) + 0.01 * RNG.normal(size=(400, 3))
    np.save("h.npy", h)
    np.savez("named.npz", h=h, key=KEYS)
    np.save("W.npy", np.eye(3))
    lines = [f"{key},{a},{b}" for key, (a, b) in zip(KEYS, Z, strict=True)]
    Path("z.csv").write_text("\n".join(["key,size,angle", *lines[::-1]]) + "\n")
    shades = np.array(["black", "grey", "white"])[np.digitize(Z[:, 0], (-0.4, 0.4))]
    lines = [f"{key},{shade}" for key, shade in zip(KEYS, shades, strict=True)]
    Path("shades.csv").write_text("\n".join(["key,shade", *lines]) + "\n")


@pytest.mark.drawn
def test_the_page_has_a_card_for_each_component(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["unmix", "named.npz", "--factors", "z.csv", "--key", "key", *QUICK, "--out", "out"])
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 2 components are determined" in said
    page = Path("out/report.html").read_text()
    for words in ("Which components can be named?", "Each component", "largest"):
        assert words in page
    assert page.count("<article>") == 2
    assert "<img src" not in page.split('class="deck"')[1].split("<table")[0]
    names = {path.stem for path in Path("out/figures").glob("*.png")}
    assert {"factors", "matrix", "over-0", "over-1"} <= names
    cli.main(["unmix", "named.npz", "--factors", "z.csv", "--key", "key", *QUICK, "--json"])
    found = json.loads(capsys.readouterr().out)
    top = found["extremes"][0][0]
    order = np.argsort(np.load("h.npy") @ np.array(found["unmixing"]["weights"])[:, 0])
    assert top == [KEYS[k] for k in order[::-1][:5]]
    cli.main(["report", "out"])


@pytest.mark.drawn
def test_cards_show_the_images_at_either_end_and_trends_over_levels() -> None:
    Path("images").mkdir()
    for key, (size, _) in zip(KEYS, Z, strict=True):
        Image.new("RGB", (9, 6), (int(127 + 120 * size),) * 3).save(f"images/{key}", "png")
    asked = ["--factors", "shades.csv", "--key", "key", "--images", "images", "--out", "shades"]
    cli.main(["unmix", "named.npz", *asked, "--components", "3", *QUICK])
    deck = Path("shades/report.html").read_text().split('class="deck"')[1].split("<table")[0]
    assert deck.count("<img src") == deck.count("data:image/jpeg") == 3 * 2 * 5
    assert "shade: white" in deck
    assert deck.count("<polyline") == 3 * 3
    images = load_file("shades/arrays.safetensors")["images"]
    assert images.shape[1:] == (64, 64, 3)
    assert images.std(axis=(1, 2, 3)).max() == 0  # each is one shade


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
        (["h.npy", "--images", "images"], "no images without names of samples"),
        (["named.npz", "--images", "nowhere"], "cannot read the image nowhere/"),
    ):
        assert said in refused(capsys, "unmix", *words)
