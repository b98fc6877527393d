"""`identikit probe` of several layers: from folders of any form to one table, curves and a page."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import identikit as ik
from identikit import cli
from identikit.core.files import write_json
from identikit.features.layer_controls import layer_controls
from identikit.features.layer_list import FORMAT, LAYERS_FILE, layer_paths
from identikit.features.shards import (
    Manifest,
    describe_shard,
    shard_file,
    write_keys,
    write_manifest,
    write_shard,
)
from identikit.probing.layer_recovery import CHOSEN
from identikit.studies.probe.config import ProbeConfig, ProbeLayersConfig
from identikit.studies.probe.layers_run import probe_layers

N = 120
RNG = np.random.default_rng(0)
SIZE, NOISE = RNG.normal(size=N), RNG.normal(size=(4, N, 5))
NAMES = np.array([f"{i:03d}.png" for i in range(N)])


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers in folders of their own, one in another order; a list of them; a twin's too."""
    monkeypatch.chdir(tmp_path)
    strong, weak = NOISE[0].copy(), NOISE[1].copy()
    strong[:, 0] += 3 * SIZE
    weak[:, 0] += SIZE
    order = RNG.permutation(N)
    for model, first, second in (("model", weak, strong), ("twin", NOISE[2], NOISE[3])):
        for name, h, rows in (("a", first, np.arange(N)), ("b", second, order)):
            folder = Path(model) / f"layer_{name}"
            folder.mkdir(parents=True)
            np.save(folder / "h.npy", h[rows].astype(np.float32))
            np.save(folder / "key.npy", NAMES[rows])
        layers = [{"name": f"layer.{n}", "folder": f"layer_{n}"} for n in "ab"]
        write_json(Path(model) / LAYERS_FILE, {"format": FORMAT, "model": "m", "layers": layers})
    table = pd.DataFrame({"key": NAMES, "size": SIZE}).sample(frac=1, random_state=0)
    table.to_csv("table.csv", index=False)
    np.save("pixels.npy", NOISE[2])


def extracted(folder: Path, h: np.ndarray, **controls: np.ndarray) -> None:
    """What an extraction writes of one layer and its controls."""
    folder.mkdir(parents=True)
    write_shard(folder / shard_file(0), h.astype(np.float32))
    write_keys(folder, list(NAMES))
    for name, other in controls.items():
        extracted(folder / name, other)
    manifest = Manifest(
        finished=True,
        n=N,
        dim=h.shape[1],
        dtype="float32",
        shards=(describe_shard(folder / shard_file(0))[0],),
        controls={name: name for name in controls},
        head=None,
        settings={},
        versions={},
    )
    write_manifest(folder, manifest)


def test_a_control_that_is_the_same_beside_every_layer_is_read_once() -> None:
    for name, twin in (("a", NOISE[2]), ("b", NOISE[3])):
        extracted(Path("made") / name, NOISE[0], bag=NOISE[1], twin=twin, pixels=NOISE[1])
    layers = {name: Path("made") / name for name in "ab"}
    shared, own = layer_controls({}, layers)
    assert shared == {"bag": "made/a/bag"}
    assert own == {"twin": {"a": Path("made/a/twin"), "b": Path("made/b/twin")}}
    found = probe_layers(config("made/a", "made/b"))
    assert [c.name for c in found["size at b"].controls] == ["x", "bag", "twin"]


def config(*features: str, **more: Any) -> ProbeLayersConfig:
    options: dict[str, Any] = {"factors": Path("table.csv"), "key": "key", "resamples": 100}
    return ProbeLayersConfig(features=tuple(map(Path, features)), **options | more)


def test_layers_are_matched_by_key_and_stand_beside_the_twins_own() -> None:
    found = probe_layers(config("model", controls=("twin=twin", "pixels=pixels.npy")))
    assert list(found.scores) == ["layer.a", "layer.b"]
    assert found.scores["layer.b"]["size"] > 0.8 > found.scores["layer.a"]["size"] > 0.2
    assert [c.name for c in found["size at layer.b"].controls] == ["x", "twin"]
    assert found["size"].recovered == found["size at layer.b"].recovered
    for layer, noise in (("layer.a", NOISE[2]), ("layer.b", NOISE[3])):
        (twin,) = found.recovery.layers[layer].controls["twin"]
        alone = ik.score(noise.astype(np.float32), {"size": SIZE}, resamples=100)
        assert twin.estimate.value == pytest.approx(alone.factors[0].estimate.value)


def test_the_same_layers_are_found_in_any_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of layers, several folders, files: the numbers are those of the samples' names."""
    table = ["--factors", "table.csv", "--key", "key", "--resamples", "100", "--json"]
    results = []
    for words in (["model"], ["model/layer_a", "model/layer_b"]):
        cli.main(["probe", *words, *table])
        results.append(json.loads(capsys.readouterr().out))
    assert results[0]["study"] == "probe --layers"
    scores = [[layer["size"] for layer in result["scores"].values()] for result in results]
    assert scores[0] == scores[1]
    assert list(results[1]["scores"]) == ["layer_a", "layer_b"]
    np.savez("one.npz", h=NOISE[0], size=SIZE)
    np.savez("two.npz", h=NOISE[1], size=SIZE)
    cli.main(["probe", "--layers", "one.npz", "two.npz", "--resamples", "100"])
    said = capsys.readouterr().out
    assert "one" in said
    assert "two" in said
    cli.main(["probe", "one.npz", "two.npz", "--resamples", "100", "--json"])
    parts = json.loads(capsys.readouterr().out)
    assert parts["study"] == "probe"
    assert parts["recovery"]["n_train"] + parts["recovery"]["n_test"] == 2 * N


def test_the_page_and_the_terminal_show_every_layer(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["probe", "model", "--factors", "table.csv", "--key", "key", "--resamples", "100"]
    cli.main([*words, "--controls", "twin=twin", "--out", "out"])
    said = capsys.readouterr().out
    (row,) = (line for line in said.splitlines() if line.startswith("layer.b"))
    assert "✓ (" in row
    assert CHOSEN in " ".join(said.split())
    page = Path("out/report.html").read_text()
    for part in ("layer.a", "layer.b", "above twin", "p (Holm)"):
        assert part in page
    command = " ".join(re.findall(r"<span>(.*?)</span>", page))
    assert "identikit probe --layers model --factors table.csv" in command
    assert (Path("out/figures/layers.png")).exists()
    table = pd.read_csv("out/tables/every-layer-and-factor.csv")
    assert list(table["layer"]) == ["layer.a", "layer.b"]
    cli.main(["report", "out"])  # drawn again from what was saved


@pytest.mark.parametrize(
    ("features", "more", "words"),
    [
        (("model",), {"controls": ("t=model2",)}, "unknown layer of control 't' 'layer.c'"),
        (("model/layer_a", "short"), {}, r"layer 'short' lacks 20 of 120 samples, such as '100"),
        (("odd",), {}, r"names odd/\.\./model, which is not in its folder"),
    ],
)
def test_layers_that_do_not_fit_are_said(
    features: tuple[str, ...], more: dict[str, Any], words: str
) -> None:
    Path("model2").mkdir()
    Path("odd").mkdir()
    Path("short").mkdir()
    np.save("short/h.npy", NOISE[0][:100])
    np.save("short/key.npy", NAMES[:100])
    for place, folder in (("model2", "layer_c"), ("odd", "../model")):
        layers = [{"name": "layer.c", "folder": folder}]
        write_json(Path(place) / LAYERS_FILE, {"format": FORMAT, "model": "m", "layers": layers})
    with pytest.raises(ik.InputError, match=words):
        probe_layers(config(*features, **more))


def test_what_is_about_one_set_of_features_is_refused() -> None:
    with pytest.raises(ik.InputError, match="--head is about one set of features"):
        config("model", head=Path("head.npy"))
    with pytest.raises(ik.InputError, match="--classic is about one set of features"):
        config("model", classic=True)
    with pytest.raises(ik.InputError, match="give a ProbeLayersConfig"):
        ik.run(ProbeConfig(features=(Path("model"),), factors=Path("table.csv"), key="key"))


def test_parts_of_one_set_of_features_are_no_layers() -> None:
    assert layer_paths([Path("one.npy"), Path("two.npy")]) is None
    assert layer_paths([Path("model/layer_a")]) is None
    assert list(layer_paths([Path("a/h.npy"), Path("b/h.npy")], each=True) or ()) == [
        "a/h.npy",
        "b/h.npy",
    ]
