"""Sentences of a table to features and their controls, and what probing makes of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from tests.commands import refused
from tests.encoders.adapters import text_models
from tests.studies.extract.test_extract import changed, contents, rows_of

from identikit import cli
from identikit.core.errors import InputError
from identikit.encoders.adapters import Sentence, load_model
from identikit.encoders.config import Pool
from identikit.features.layer_list import LAYERS_FILE
from identikit.features.load import load_features
from identikit.features.shards import read_keys, read_manifest
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.run import extract

MODELS = "tests.encoders.adapters.text_models"
NOUNS = ("dog", "cat", "tree")


def frame() -> pd.DataFrame:
    """Twelve sentences: three nouns by number by length."""
    rows = [
        {
            "text": f"the {noun} {verb} {end}",
            "span": noun,
            "number": verb,
            "long": end != ".",
            "group": noun,
        }
        for noun in NOUNS
        for verb in ("sleeps", "sleep")
        for end in (".", "near the old a .")
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame().to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.fixture
def config(table: Path, tmp_path: Path) -> ExtractConfig:
    return ExtractConfig(
        model=f"{MODELS}:gpt2",
        sentences=table,
        out=tmp_path / "out",
        layers=("all",),
        batch_size=4,
        shard_size=8,
        device="cpu",
    )


def saved(config: ExtractConfig, **columns: Any) -> Path:
    """Another table with columns changed, added or (None) left out."""
    data = frame()
    for name, values in columns.items():
        data = data.drop(columns=name) if values is None else data.assign(**{name: values})
    path = config.out.parent / "other.csv"
    data.to_csv(path, index=False)
    return path


def test_every_level_and_its_controls_are_what_the_model_makes_of_each_sentence(
    config: ExtractConfig,
) -> None:
    found = extract(config)
    model = load_model(config.model, pretrained=True, seed=0)
    network: Any = model.network
    listed = json.loads((config.out / LAYERS_FILE).read_text())["layers"]
    assert [layer["name"] for layer in listed] == model.chosen(["all"])
    texts = frame().text
    tokens = [model.transform([Sentence(text)]) for text in texts]
    for layer in found.layers:
        h, keys = rows_of(layer.folder)
        wanted = torch.cat([model.tap(layer.name, pool="last")(x) for x in tokens])
        np.testing.assert_allclose(h, wanted, rtol=1e-4, atol=1e-5)
        assert keys == [str(k) for k in range(len(texts))]
        assert read_keys(layer.folder, "group") == frame().group.tolist()
        embedded = [network.transformer.wte(x[0, 0]) for x in tokens]
        bag, _ = rows_of(layer.folder / "bag_of_embeddings")
        last, _ = rows_of(layer.folder / "last_embedding")
        np.testing.assert_allclose(bag, torch.stack([e.mean(0) for e in embedded]), atol=1e-5)
        np.testing.assert_array_equal(last, torch.stack([e[-1] for e in embedded]))
    assert [layer.head for layer in found.layers] == [False, False, True]
    assert found.controls == ("bag_of_embeddings", "last_embedding")
    settings = read_manifest(found.layers[0].folder).settings
    assert (settings["pool"], settings["key"]) == ("last", None)
    assert settings["truncate"] is False


def test_probing_joins_by_row_and_holds_groups_out(config: ExtractConfig, table: Path) -> None:
    found = extract(changed(config, layers=(), pool="span", untrained_twin=False))
    (layer,) = found.layers
    assert not layer.head  # the head reads the last token, not the span
    loaded = load_features(config.out, factors=table)
    assert list(loaded.representation.factors) == ["number", "long"]
    assert set(loaded.controls) == {"bag_of_embeddings", "span_embedding"}
    assert loaded.groups is not None
    assert loaded.groups.tolist() == frame().group.tolist()
    assert loaded.texts is not None
    assert loaded.texts.tolist() == frame().text.tolist()
    assert "3 groups of the column `group`" in loaded.notes[0]
    own = load_features(config.out, factors=table, groups="number")
    assert own.groups is not None
    assert own.groups.tolist() == frame().number.tolist()
    assert own.notes == ()
    each = load_features(config.out, factors=table, groups="key").groups
    assert each is not None
    assert len(set(each.tolist())) == 12
    regrouped = load_features(config.out, factors=saved(config, group=list("aabbccddeeff")))
    assert regrouped.groups is not None
    assert regrouped.groups.tolist() == list("aabbccddeeff")
    ungrouped = load_features(config.out, factors=saved(config, group=None))
    assert ungrouped.groups is not None
    assert ungrouped.groups.tolist() == frame().group.tolist()
    shorter = saved(config, span=None)
    pd.read_csv(shorter).head(5).to_csv(shorter, index=False)
    with pytest.raises(InputError, match="7 of 12 samples have no row"):
        load_features(config.out, factors=shorter)


def test_keys_of_the_table_are_kept_and_known_to_the_probe(config: ExtractConfig) -> None:
    keys = [f"s{k}" for k in range(12)]
    table = saved(config, key=keys, group=None, long=None)
    extract(changed(config, layers=(), sentences=table))
    assert rows_of(config.out)[1] == keys
    shuffled = pd.read_csv(table).sample(frac=1, random_state=0)
    shuffled.to_csv(table, index=False)
    loaded = load_features(config.out, factors=table)
    assert loaded.groups is None
    (number,) = loaded.representation.factors.values()
    levels = [number.levels[int(code)] for code in number.values]
    assert levels == frame().number.tolist()


def test_a_command_that_was_stopped_ends_with_the_same_bytes(config: ExtractConfig) -> None:
    extract(config)
    whole = contents(config.out)
    for path in config.out.rglob("shard-00001*"):
        path.unlink()
    extract(config)
    assert contents(config.out) == whole


def test_sentences_that_are_too_long_are_counted_and_can_be_cut(config: ExtractConfig) -> None:
    texts = frame().text.tolist()
    texts[3], texts[7] = "a " * 21 + "dog", "a " * 30 + "cat"
    table = saved(config, text=texts, span=None)
    with pytest.raises(
        InputError, match=r"2 of 12 sentences .* longer than the 20 tokens .*3 with 22, 7 with 31"
    ):
        extract(changed(config, sentences=table))
    extract(changed(config, sentences=table, truncate=True, layers=()))
    h, _ = rows_of(config.out)
    model = load_model(config.model, pretrained=True, seed=0)
    cut = model.tap()(model.transform([Sentence("a " * 20)]))
    np.testing.assert_allclose(h[3], cut[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["a dog"] * 5 + [" "] + ["a cat"] * 6, "span": None}, "empty in 1 of 12 rows"),
        ({"text": None}, "unknown column of .* 'text'"),
        ({"key": ["a"] * 2 + list("bcdefghijk")}, "1 keys occur more than once"),
        ({"span": "horse"}, "'horse' is not in its sentence: 'the dog sleeps .' .row 0"),
        ({"text": "a dog near a dog", "span": "dog"}, "comes 2 times .* column span_start"),
        ({"span_start": 5}, "not in its sentence at character 5"),
        ({"span": None}, "no column span"),
    ],
)
def test_tables_that_cannot_be_used(
    config: ExtractConfig, columns: dict[str, Any], said: str
) -> None:
    table = saved(config, **columns)
    with pytest.raises(InputError, match=said):
        extract(changed(config, sentences=table, pool="span"))


def test_where_a_span_begins_says_which_is_meant(config: ExtractConfig) -> None:
    table = saved(config, text="a dog near the dog", span="dog", span_start=15, group=None)
    extract(changed(config, sentences=table, pool="span", layers=()))
    model = load_model(config.model, pretrained=True, seed=0)
    h, _ = rows_of(config.out)
    last = model.tap(pool="last")(model.transform([Sentence("a dog near the dog")]))
    np.testing.assert_allclose(h[:1], last, rtol=1e-4, atol=1e-5)


def test_groups_of_one_sentence_are_remarked(config: ExtractConfig) -> None:
    table = saved(config, group=["a"] * 10 + ["b", "c"])
    found = extract(changed(config, sentences=table, layers=()))
    assert "2 of 3 groups have one sentence (b, c)" in found.remarks[0]


@pytest.mark.parametrize(
    ("pool", "spans", "remarks"),
    [
        ("span", ["the dog", "dog", "dog", *["dog"] * 9], 1),
        ("span", ["dog"] * 12, 0),
        ("mean", ["the dog", "dog", "dog", *["dog"] * 9], 0),
    ],
)
def test_spans_of_a_group_that_differ_in_tokens_are_remarked(
    config: ExtractConfig, pool: Pool, spans: list[str], remarks: int
) -> None:
    table = saved(config, text="the dog sleeps", span=spans, group=["a"] * 6 + ["b"] * 6)
    found = extract(changed(config, sentences=table, layers=(), pool=pool))
    assert len(found.remarks) == remarks
    for remark in found.remarks:
        assert remark.startswith("in 1 of 2 groups (a) the spans split into different numbers")


@pytest.fixture
def images(tmp_path: Path) -> Callable[[str], list[str]]:
    """Words of a command for a model of text over images, or of images over sentences."""
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "images").mkdir()
    image.new("RGB", (8, 8)).save(tmp_path / "images" / "0.png")
    out = ["--out", str(tmp_path / "out"), "--device", "cpu", "--workers", "0"]
    return lambda kind: [
        f"--{kind}",
        str(tmp_path / ("images" * (kind == "images") or "table.csv")),
        *out,
    ]


def test_images_for_text_and_sentences_for_images_are_refused(
    table: Path, images: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "extract", f"{MODELS}:bert", *images("images"))
    assert "reads text, and neither images nor tensors. Give --sentences" in said
    said = refused(capsys, "extract", "tests.studies.extract.models:net", *images("sentences"))
    assert "holds sentences, and the model takes images" in said
    said = refused(
        capsys, "extract", f"{MODELS}:bert", *images("sentences"), "--factors", str(table)
    )
    assert "Drop --factors" in said


def test_a_probe_of_sentences_says_by_what_they_are_split(
    config: ExtractConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(config.out.parent)
    network, tokenizer = cast(Any, text_models.bert())
    network.save_pretrained("bert")
    tokenizer.save_pretrained("bert")
    saved(config, group=[f"pair {k // 2}" for k in range(12)])
    words = ["extract", "hf:bert", "--sentences", "other.csv", "--out", "h"]
    cli.main([*words, "--device", "cpu", "--untrained-twin"])
    assert "controls: untrained, bag_of_embeddings" in capsys.readouterr().out
    cli.main(["probe", "h", "--factors", "other.csv", "--resamples", "100", "--json"])
    notes = str(json.loads(capsys.readouterr().out))
    assert "held out together: 6 groups of the column `group`" in notes
