"""`identikit compare` on files: matching, heads, the page, the command line, bad input."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.commands import refused

from identikit import cli
from identikit.core.errors import InputError
from identikit.core.files import write_json
from identikit.core.finding import Verdict
from identikit.features.layer_list import FORMAT, LAYERS_FILE
from identikit.report.page import Page
from identikit.runs.study import run_study
from identikit.studies.compare.config import CompareConfig
from identikit.studies.compare.run import compare_files
from identikit.studies.compare.study import COMPARE

Arrays = dict[str, Any]


def models(n: int = 300) -> tuple[Arrays, Arrays]:
    """Covered parts that are images of the same four factors, beside rests of their own."""
    generator = np.random.default_rng(0)
    z = generator.normal(size=(n, 4))
    found = []
    for dim in (7, 6):
        turn = np.linalg.qr(generator.normal(size=(dim, dim)))[0]
        mixed = z @ (np.eye(4) + 0.3 * generator.normal(size=(4, 4)))
        h = np.concatenate([mixed, generator.normal(size=(n, dim - 4))], axis=1) @ turn
        found.append({"h": h, "W": generator.normal(size=(10, 4)) @ turn[:4]})
    return found[0], found[1]


def written(folder: Path, a: Arrays, b: Arrays) -> CompareConfig:
    np.savez(folder / "a.npz", **a)
    np.savez(folder / "b.npz", **b)
    return CompareConfig(a=folder / "a.npz", b=folder / "b.npz", shuffles=1).with_digest()


def page_of(config: CompareConfig, folder: Path) -> Page:
    return COMPARE.page_of(run_study(COMPARE, config, root=folder).run)


def test_files_with_heads_make_a_page_that_says_what_must_agree(tmp_path: Path) -> None:
    page = page_of(written(tmp_path, *models()), tmp_path)
    assert page.headline.tone == "good"
    assert "the two are linear images of each other" in page.headline.sentence
    rows = {finding.quantity: finding for finding in page.findings}
    promised = rows["head row space: linear R², A → B"]
    assert promised.predicted == 1
    assert promised.verdict is Verdict.AS_PREDICTED
    assert promised.explained.startswith("As two optima")
    assert rows["complement: CKA"].predicted is None
    assert rows["complement: CKA"].verdict is Verdict.MEASURED
    assert "silent" in rows["complement: CKA"].explained
    assert [figure.name for figure in page.figures] == ["groups", "canonical", "singular-values"]
    assert [len(table.frame) for table in page.sections[-1].tables] == [11, 11, 11, 4]


def test_without_heads_theory_does_not_say_which_part_must_agree(tmp_path: Path) -> None:
    a, b = models()
    config = written(tmp_path, {"h": a["h"]}, {"h": b["h"]})
    page = page_of(config, tmp_path)
    assert (page.headline.word, page.headline.tone) == ("Measured", "neutral")
    assert all(finding.predicted is None for finding in page.findings)
    np.save(tmp_path / "a_head.npy", a["W"])
    np.savez(tmp_path / "b_head.npz", W=b["W"])
    config = replace(config, head_a=tmp_path / "a_head.npy", head_b=tmp_path / "b_head.npz")
    assert page_of(config.with_digest(), tmp_path).headline.tone == "good"


def test_what_falls_short_is_said(tmp_path: Path) -> None:
    a, b = models()
    b["h"] = b["h"] + 0.3 * np.random.default_rng(1).normal(size=b["h"].shape)
    page = page_of(written(tmp_path, a, b), tmp_path)
    assert page.headline.tone == "warning"
    assert "fall short" in page.headline.sentence
    assert page.findings[0].verdict is Verdict.LESS
    assert "less than two optima" in page.findings[0].explained


def test_rows_are_matched_by_key_and_held_out_by_group(tmp_path: Path) -> None:
    a, b = models()
    config = written(tmp_path, a, b)
    wanted = compare_files(config)
    names, order = np.array([f"{i:04d}.jpeg" for i in range(300)]), np.arange(300)[::-1]
    a |= {"key": names, "object": np.arange(300) // 3}
    written(tmp_path, a, {"h": b["h"][order], "W": b["W"], "key": names[order]})
    assert compare_files(config) == wanted
    grouped = compare_files(replace(config, groups="object"))
    assert grouped.n_test % 3 == 0
    with pytest.raises(InputError, match=r"unknown column.*'objekt'. Did you mean 'object'"):
        compare_files(replace(config, groups="objekt"))


def test_changed_files_are_another_run(tmp_path: Path) -> None:
    a, b = models()
    first = written(tmp_path, a, b)
    assert first == written(tmp_path, a, b)
    b["h"][0, 0] += 1
    assert written(tmp_path, a, b).sha256 != first.sha256


@pytest.mark.drawn
def test_the_command_prints_scores_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, *models())
    cli.main(["compare", "a.npz", "b.npz", "--json", "--out", "both"])
    found = json.loads(capsys.readouterr().out)
    assert found["scores"]["head row space"]["r2_ab"] > 0.99
    assert found["findings"][0]["verdict"] == "as predicted"
    cli.main(["report", "both"])
    assert "How alike" in (tmp_path / "both" / "report.html").read_text()


def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = models()
    written(tmp_path, a, {"h": b["h"][:200]})
    for words, said in (
        (["a.npz", "b.npz"], "same number of rows"),
        (["a.npz", "c.npz"], "cannot read"),
    ):
        assert said in refused(capsys, "compare", *(str(tmp_path / word) for word in words))


def layer_folder(folder: Path, layers: dict[str, Any], keys: Any) -> None:
    for name, h in layers.items():
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "h.npy", h)
        np.save(folder / name / "key.npy", keys)
    listed = [{"name": name, "folder": name} for name in layers]
    write_json(folder / LAYERS_FILE, {"format": FORMAT, "model": "m", "layers": listed})


@pytest.mark.drawn
def test_folders_of_layers_give_a_matrix_of_all_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a, b = models(80)
    rng, names = np.random.default_rng(2), np.array([f"{k:02d}" for k in range(80)])
    layer_folder(Path("one"), {"early": rng.normal(size=(80, 3)), "late": a["h"]}, names)
    layer_folder(Path("two"), {"late": b["h"][::-1]}, names[::-1])
    cli.main(["compare", "one", "two", "--shuffles", "19", "--json", "--out", "pairs"])
    found = json.loads(capsys.readouterr().out)
    scores = {own["measure"]: own for own in found["comparison"]["scores"]}
    assert [len(scores["cka"]["score"]), len(scores["cka"]["score"][0])] == [2, 1]
    assert scores["r2_ab"]["p"][1][0] == 0.05
    page = Path("pairs/report.html").read_text()
    for words in ("Every pair of layers", "most alike of 2 pairs", "mutual nearest neighbours"):
        assert words in page
    assert {path.stem for path in Path("pairs/figures").glob("*.png")} == {
        "r2_ab",
        "r2_ba",
        "cka",
        "knn",
    }
    np.savez("b.npz", h=b["h"], key=names)
    cli.main(["compare", "one", "b.npz", "--shuffles", "19"])
    assert "late" in capsys.readouterr().out
    for given, said in (
        (["one", "two", "--head-a", "b.npz"], "a head is about one set of features"),
        (["one", "two", "--shuffles", "3"], "at least 19"),
        (["one", "two", "--groups", "objekt"], "unknown column of one"),
    ):
        assert said in refused(capsys, "compare", *given)
    np.save("two/late/key.npy", names)
    layer_folder(Path("three"), {"early": a["h"]}, names)
    layer_folder(Path("three/x"), {"late": a["h"]}, names)
    layers = [{"name": n, "folder": f} for n, f in (("early", "early"), ("late", "late"))]
    (Path("three/x/late")).rename("three/late")
    np.save("three/late/key.npy", names[::-1])
    write_json(Path("three") / LAYERS_FILE, {"format": FORMAT, "model": "m", "layers": layers})
    assert "other samples than the first one" in refused(capsys, "compare", "three", "two")
