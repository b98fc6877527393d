"""A recovery prints, becomes a frame, goes to disk and back, and plots itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cases import latents, mixing

import identikit
from identikit.core.errors import InputError
from identikit.probing.recovery import Recovery


@pytest.fixture(scope="module")
def recovery() -> Recovery:
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, n=400)
    v = latents(generator, n=60)
    return identikit.score(
        z @ mixing(4, generator) + latents(generator, n=400),
        z,
        x=z.pow(3),
        head=v @ mixing(4, generator),
        class_vectors=v,
        controls={"noise": latents(generator, n=400)},
        ceiling=0.98,
        resamples=100,
    )


@pytest.fixture(scope="module")
def of_kinds() -> Recovery:
    generator = torch.Generator().manual_seed(0)
    h = latents(generator, n=400)
    factors = {
        "azimuth": torch.atan2(h[:, 0], h[:, 1]),
        "shape": np.array(["ball", "cone", "cube"])[(h[:, 2].round().clamp(-1, 1) + 1).int()],
        "lit": h[:, 3] > 0,
    }
    return identikit.score(
        h,
        factors,
        kinds={"azimuth": "circular:6.283"},
        head=latents(generator, n=3),
        resamples=100,
    )


def test_the_table_sets_predicted_beside_recovered(recovery: Recovery) -> None:
    text = str(recovery)
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("factor")).split()
    assert header[:4] == ["factor", "measure", "predicted", "recovered"]
    first = next(line for line in lines if line.startswith("z1 "))
    assert "0.980" in first
    assert str(recovery.factors[0].estimate) in first
    for words in ("Procrustes R²", "head rows", "rank of d_h", "4 of 4"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_table_splits_what_the_head_covers(of_kinds: Recovery) -> None:
    text = str(of_kinds)
    assert "row space" in text
    assert "complement" in text
    assert "Procrustes" not in text


def words(recovery: Recovery) -> str:
    """The printed table without the breaks of its cells."""
    return " ".join(str(recovery).split())


def test_what_is_no_better_than_chance_is_said(recovery: Recovery) -> None:
    swapped = replace(recovery, factors=recovery.controls["noise"])
    assert words(swapped).count("not shown") >= 3
    assert words(swapped).count("the interval reaches chance") >= 3
    assert "not shown" not in words(recovery)
    assert "no better than chance" not in words(swapped)  # an interval cannot show that


def test_the_mean_is_over_factors(recovery: Recovery) -> None:
    values = [score.estimate.value for score in recovery.factors]
    assert recovery.mean() == pytest.approx(sum(values) / 4)
    assert recovery.mean("x") == pytest.approx(0.6, abs=0.1)


def test_the_frame_has_a_row_per_factor_and_feature_set(recovery: Recovery) -> None:
    frame = recovery.to_frame()
    assert set(frame["features"]) == {"h", "h in the head row space", "x", "noise"}
    assert len(frame) == 16
    assert list(frame.columns[:4]) == ["factor", "kind", "features", "measure"]
    row = frame[(frame["factor"] == "z2") & (frame["features"] == "noise")].iloc[0]
    assert row["low"] <= row["value"] <= row["high"]


@pytest.mark.parametrize("which", ["recovery", "of_kinds"])
def test_it_comes_back_from_disk_unchanged(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recovery = request.getfixturevalue(which)
    recovery.save(tmp_path / "r.json")
    assert Recovery.load(tmp_path / "r.json") == recovery
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    plain = json.loads(json.dumps(recovery.to_dict(), allow_nan=False))
    assert Recovery.from_dict(plain) == recovery


def test_a_representation_that_does_not_vary_can_be_saved(tmp_path: Path) -> None:
    z = latents(torch.Generator().manual_seed(0), n=100)
    flat = identikit.score(np.ones((100, 3)), z, resamples=100)
    flat.save(tmp_path / "r.json")
    assert Recovery.load(tmp_path / "r.json") == flat
    assert "the features do not vary" in words(flat)


def test_places_that_cannot_be_written_or_read_are_refused(
    recovery: Recovery, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        recovery.save(tmp_path / "file" / "r.json")
    with pytest.raises(InputError, match="cannot read"):
        Recovery.load(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"factors": [')
    with pytest.raises(InputError, match="cannot read"):
        Recovery.load(tmp_path / "half.json")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="not a saved recovery: factors"):
        Recovery.load(tmp_path / "other.json")


@pytest.mark.parametrize("which", ["recovery", "of_kinds"])
def test_the_plot_shows_every_score(which: str, request: pytest.FixtureRequest) -> None:
    recovery = request.getfixturevalue(which)
    figure = recovery.plot()
    drawn = [bar.get_width() for bar in figure.static.axes[0].patches]
    wanted = [score.estimate.value for score in recovery.factors]
    assert drawn[: len(wanted)] == pytest.approx(wanted)
    for score in recovery.factors:
        assert f"{score.name}" in figure.alt
    marked = {text.get_text() for text in figure.static.legends[0].get_texts()}
    assert {"x itself" if name == "x" else name for name in recovery.controls} <= marked
