"""`identikit analogies` on vectors whose steps are known, from files of every form."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import identikit as ik
from identikit import cli
from identikit.core.files import write_json
from identikit.features.layer_list import FORMAT, LAYERS_FILE
from identikit.studies.analogies.config import AnalogiesConfig
from identikit.studies.analogies.run import ask, read_questions

RNG = np.random.default_rng(0)
GRID = np.array(list(itertools.product(range(3), range(4), range(5))))
KEYS = np.array([f"{i:02d}" for i in range(len(GRID))])
CODE = GRID @ RNG.normal(size=(3, 8))
NOISE = RNG.normal(size=CODE.shape)
WORDS = np.array([f"w{k}" for k in range(60)])


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, h in (("early", NOISE), ("late", CODE)):
        Path("model", name).mkdir(parents=True)
        np.save(f"model/{name}/h.npy", h)
        np.save(f"model/{name}/key.npy", KEYS)
    layers = [{"name": name, "folder": name} for name in ("early", "late")]
    write_json(Path("model") / LAYERS_FILE, {"format": FORMAT, "model": "m", "layers": layers})
    table = pd.DataFrame(GRID, columns=["shape", "size", "place"]).assign(key=KEYS)
    table.sample(frac=1, random_state=0).to_csv("table.csv", index=False)
    np.savez("noise.npz", h=NOISE, key=KEYS)
    h = RNG.normal(size=(60, 9))
    h[1:40:2] = h[0:40:2] + 2
    np.savez("words.npz", h=h, word=WORDS)
    pairs = [("tense", f"w{k}", f"w{k + 1}") for k in range(0, 40, 2)]
    pairs += [("none", f"w{k}", f"w{k + 10}") for k in range(40, 50)]
    pd.DataFrame(pairs, columns=["concept", "a", "b"]).to_csv("pairs.csv", index=False)
    Path("asked.txt").write_text(": tense\nw0 w1 w2 w3\nw4 w5 w6 w7\nw8 w9 w0 w1\nw0 w1 w2 lost\n")


def test_layers_over_a_grid_are_a_curve_beside_their_control(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["analogies", "model", "--factors", "table.csv", "--key", "key", "--resamples", "100"]
    cli.main([*words, "--controls", "noise=noise.npz", "--out", "out"])
    said = capsys.readouterr().out
    (row,) = (line for line in said.splitlines() if line.startswith("late"))
    assert row.count("1.00 ✓ (") == 3
    assert "In late, the last layer, as one step: 3 of 3 learned" in " ".join(said.split())
    page = Path("out/report.html").read_text()
    for part in ("an exact affine image", "nearest to b", "additivity of noise"):
        assert part in page.lower()
    assert Path("out/figures/layers.png").exists()
    cli.main(["report", "out"])
    cli.main([*words, "--json"])
    result = json.loads(capsys.readouterr().out[-1_000_000:].splitlines()[-1])
    assert [s["layer"] for s in result["analogies"]["scores"]] == ["early"] * 3 + ["late"] * 3


def test_pairs_and_questions_of_words_are_asked(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["analogies", "words.npz", "--pairs", "pairs.csv", "--resamples", "100"])
    said = " ".join(capsys.readouterr().out.split())
    assert "tense, causal product" in said
    assert "Linear identifiability implies nothing here" in said
    config = AnalogiesConfig(
        vectors=(Path("words.npz"),), questions=Path("asked.txt"), resamples=100
    )
    found = ask(config).scores[0]
    assert (found.name, found.questions, found.missing) == ("tense", 3, 1)
    assert found.offset.value == 1
    config = AnalogiesConfig(
        vectors=(Path("words.npz"),), pairs=Path("pairs.csv"), only=("none",), resamples=100
    )
    assert [score.name for score in ask(config).scores] == ["none", "none"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pairs": Path("table.csv")}, "unknown column of table.csv 'concept'"),
        ({"pairs": Path("pairs.csv"), "only": ("tens",)}, "unknown concept 'tens'. Did you mean"),
        ({"questions": Path("pairs.csv")}, "line 1 of pairs.csv has 1 words; a question has four"),
        ({"pairs": Path("pairs.csv"), "key": "term"}, "array of the words' names 'term'"),
        ({"pairs": Path("pairs.csv"), "controls": ("t=noise.npz",)}, "'t' has vectors of other"),
    ],
)
def test_files_that_do_not_fit_are_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ik.InputError, match=words):
        ask(AnalogiesConfig(vectors=(Path("words.npz"),), **options))


def test_one_thing_is_asked_at_a_time() -> None:
    twice: dict[str, Any] = {"factors": Path("t.csv"), "pairs": Path("p.csv")}
    for options in ({}, twice):
        with pytest.raises(ik.InputError, match="give --factors TABLE, --pairs TABLE or"):
            AnalogiesConfig(vectors=(Path("words.npz"),), **options)


def test_sections_of_googles_format_are_read() -> None:
    Path("q.txt").write_text(": a b\n1 2 3 4\n\n: c\n5 6 7 8\n")
    wanted = {"a b": [("1", "2", "3", "4")], "c": [("5", "6", "7", "8")]}
    assert read_questions(Path("q.txt")) == wanted
