"""Extraction: the numbers, what is on disk, kills, controls, refusals."""

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.studies.extract.models import SIDE, Net, Sounds, hears, prepare, rows_in

from identikit.core.errors import InputError
from identikit.features.load import load_features
from identikit.features.shards import read_keys, read_manifest, read_shard
from identikit.studies.extract import one_pass
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.run import Needs, extract

Image = pytest.importorskip("PIL.Image")
REPOSITORY = Path(__file__).parents[3]
MODELS = "tests.studies.extract.models"
COUNT = 23


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for k in range(COUNT):
        path = folder / f"class{k % 3}" / f"{k:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture
def config(images: Path, tmp_path: Path) -> ExtractConfig:
    """23 images in shards of 8 and batches of 3, by a trained network of the user's."""
    return ExtractConfig(
        model=f"{MODELS}:net",
        images=images,
        out=tmp_path / "features",
        checkpoint=checkpoint(tmp_path),
        batch_size=3,
        shard_size=8,
        workers=0,
        device="cpu",
    )


def checkpoint(folder: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Net()
    with torch.no_grad():
        network.norm.get_buffer("running_mean").fill_(0.2)
    torch.save(network.state_dict(), folder / "net.pt")
    return folder / "net.pt"


def rows_of(folder: Path) -> tuple[np.ndarray[Any, Any], list[str]]:
    manifest = read_manifest(folder)
    h = np.concatenate([read_shard(folder / shard.file) for shard in manifest.shards])
    assert h.shape == (manifest.n, manifest.dim)
    assert [shard.rows for shard in manifest.shards] == [
        len(read_shard(folder / shard.file)) for shard in manifest.shards
    ]
    return h, read_keys(folder)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def changed(config: ExtractConfig, **options: Any) -> ExtractConfig:
    return dataclasses.replace(config, **options)


def test_features_are_those_of_each_image_under_its_key(
    config: ExtractConfig, images: Path
) -> None:
    told: list[tuple[int, int]] = []
    found = extract(config, on_progress=lambda done, total: told.append((done, total)))
    h, keys = rows_of(config.out)
    assert keys == sorted(p.relative_to(images).as_posix() for p in images.glob("*/*"))
    network = Net().eval()
    network.load_state_dict(torch.load(config.out.parent / "net.pt", weights_only=True))
    for row, key in zip(h, keys, strict=True):
        x = prepare(Image.open(images / key))[None]
        wanted = network.norm(network.conv(x)).relu().mean(dim=(2, 3))[0]
        torch.testing.assert_close(torch.from_numpy(row), wanted)
    (layer,) = found.layers
    assert (found.n, found.made, found.skipped) == (COUNT, COUNT, 0)
    assert (layer.name, layer.dim, layer.head) == ("fc:input", 6, True)
    assert 0 < found.busy <= 1
    assert (told[0], told[-1]) == ((0, COUNT), (COUNT, COUNT))
    head = load_file(config.out / "head.safetensors")
    assert torch.equal(head["W"], network.fc.weight)
    assert torch.equal(head["b"], network.fc.bias)


def test_the_manifest_says_how_the_features_were_made(config: ExtractConfig) -> None:
    extract(config)
    manifest = read_manifest(config.out)
    settings = manifest.settings
    assert (settings["layer"], settings["pool"]) == ("fc:input", "auto")
    assert (settings["pretrained"], settings["seed"]) == (False, None)
    assert settings["checkpoint"].endswith("net.pt")
    assert "at 0x" not in settings["transform"]
    assert settings["precision"] == "float32"
    assert [shard.rows for shard in manifest.shards] == [8, 8, 7]
    assert manifest.controls == {}
    assert manifest.head == "head.safetensors"
    assert {"torch", "identikit"} <= set(manifest.versions)


@pytest.mark.parametrize("options", [{"workers": 2}, {"dtype": "float16"}, {"layer": "conv"}])
def test_options_change_what_they_should(config: ExtractConfig, options: dict[str, Any]) -> None:
    extract(config)
    extract(changed(config, out=config.out.with_name("other"), **options))
    mine, _ = rows_of(config.out)
    other, _ = rows_of(config.out.with_name("other"))
    if "workers" in options:
        assert np.array_equal(mine, other)
    elif "dtype" in options:
        assert np.array_equal(mine.astype(np.float16), other)
    else:
        assert not np.allclose(mine, other)
        assert read_manifest(config.out.with_name("other")).head is None


def test_half_precision_is_close_and_said(config: ExtractConfig) -> None:
    extract(config)
    extract(changed(config, out=config.out.with_name("half"), precision="bfloat16"))
    (mine, _), (half, _) = rows_of(config.out), rows_of(config.out.with_name("half"))
    assert not np.array_equal(mine, half)
    np.testing.assert_allclose(mine, half, atol=0.02)
    assert read_manifest(config.out.with_name("half")).settings["precision"] == "bfloat16"


def test_after_a_kill_the_same_command_ends_with_the_same_bits(config: ExtractConfig) -> None:
    config = changed(
        config, model=f"{MODELS}:slow", pixels=4, untrained_twin=True, checkpoint=config.checkpoint
    )
    words = [f"{key}={value!r}" for key, value in dataclasses.asdict(config).items()]
    script = (
        "from pathlib import Path, PosixPath, WindowsPath\n"
        "from identikit.studies.extract.config import ExtractConfig\n"
        "from identikit.studies.extract.run import extract\n"
        f"extract(ExtractConfig({', '.join(words)}))"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY) as process:
        deadline = time.monotonic() + 120
        folders = (config.out, config.out / "untrained", config.out / "pixels")
        while not all((folder / "shard-00000.safetensors").exists() for folder in folders):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert not (config.out / "shard-00002.safetensors").exists()
    with pytest.raises(InputError, match="not finished"):
        read_manifest(config.out)
    (config.out / ".shard-00002.safetensors.1.tmp").write_bytes(b"half a shard")
    found = extract(config)
    assert 0 < found.made < COUNT
    whole = changed(config, out=config.out.with_name("undisturbed"))
    assert extract(whole).made == COUNT
    assert contents(config.out) == contents(whole.out)


@pytest.mark.parametrize("harm", ["deleted", "cut short", "nonsense"])
def test_a_finished_folder_is_found_and_a_lost_shard_made_again(
    config: ExtractConfig, harm: str
) -> None:
    extract(config)
    before = contents(config.out)
    assert extract(config).made == 0
    shard = config.out / "shard-00001.safetensors"
    content = shard.read_bytes()
    shard.unlink()
    if harm != "deleted":
        shard.write_bytes(content[:-1] if harm == "cut short" else b"nonsense")
    assert extract(config).made == 8
    assert contents(config.out) == before


def test_controls_are_folders_of_the_same_rows(config: ExtractConfig, images: Path) -> None:
    extract(changed(config, untrained_twin=True, pixels=4))
    manifest = read_manifest(config.out)
    assert manifest.controls == {"untrained": "untrained", "pixels": "pixels"}
    (h, keys), (pixels, pixel_keys) = rows_of(config.out), rows_of(config.out / "pixels")
    twin, twin_keys = rows_of(config.out / "untrained")
    assert keys == pixel_keys == twin_keys
    x = prepare(Image.open(images / keys[5]))
    means = x.reshape(3, 4, SIDE // 4, 4, SIDE // 4).mean(dim=(2, 4)).flatten()
    torch.testing.assert_close(torch.from_numpy(pixels[5]), means)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Net().eval()
    everything = torch.stack([prepare(Image.open(images / key)) for key in keys])
    maps = network.conv(everything)  # what its batch norm would see in training
    scale = (maps.var(dim=(0, 2, 3), keepdim=True) + network.norm.eps).sqrt()
    wanted = ((maps - maps.mean(dim=(0, 2, 3), keepdim=True)) / scale).relu().mean(dim=(2, 3))
    torch.testing.assert_close(torch.from_numpy(twin), wanted, rtol=1e-4, atol=1e-5)
    assert h.shape == twin.shape
    own = read_manifest(config.out / "untrained")
    assert (own.head, own.controls, own.settings["seed"]) == (None, {}, 0)
    assert own.settings["batch_norm"] == "statistics of the samples"
    assert manifest.settings["batch_norm"] is None


def test_a_control_can_be_added_later(config: ExtractConfig) -> None:
    extract(config)
    before = contents(config.out)
    assert extract(changed(config, pixels=4)).made == COUNT
    assert read_manifest(config.out).controls == {"pixels": "pixels"}
    after = contents(config.out)
    assert all(after[name] == content for name, content in before.items() if "shard" in name)
    extract(config)
    assert read_manifest(config.out).controls == {"pixels": "pixels"}


def test_unreadable_images_stop_it_or_are_left_out(
    config: ExtractConfig, images: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "images"
    shutil.copytree(images, mine)
    bad = ["class0/00.png", "class1/04.png", "class2/23.png"]
    for key in bad:
        (mine / key).write_bytes(b"no image")
    config = changed(config, images=mine)
    with pytest.raises(InputError, match=r"class0/00\.png.*--skip-corrupt"):
        extract(config)
    found = extract(changed(config, skip_corrupt=True))
    h, keys = rows_of(config.out)
    assert (found.n, found.skipped) == (len(keys), 3) == (COUNT + 1 - 3, 3)
    assert sorted(read_manifest(config.out).skipped) == bad
    assert not set(bad) & set(keys)
    whole = changed(config, images=images, out=tmp_path / "whole")
    extract(whole)
    reference = dict(zip(*reversed(rows_of(whole.out)), strict=True))
    for row, key in zip(h, keys, strict=True):
        np.testing.assert_allclose(row, reference[key], rtol=1e-5)


def test_nothing_but_unreadable_images_is_refused(config: ExtractConfig, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="none of the 1 images"):
        extract(changed(config, images=tmp_path / "bad", skip_corrupt=True))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_chooses_the_images(config: ExtractConfig, tmp_path: Path, suffix: str) -> None:
    import pandas as pd

    keys = ["class1/01.png", "class0/03.png"]
    frame, table = pd.DataFrame({"file": keys, "size": [1.0, 2.0]}), tmp_path / f"table{suffix}"
    frame.to_csv(table) if suffix == ".csv" else frame.to_parquet(table)
    extract(changed(config, factors=table, key="file"))
    assert rows_of(config.out)[1] == sorted(keys)
    with pytest.raises(InputError, match="Did you mean 'file'"):
        extract(changed(config, factors=table, key="files"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "conv"}, "layer 'fc:input' then, 'conv' now"),
        ({"dtype": "float16"}, "dtype 'float32' then, 'float16' now"),
        ({"batch_size": 4}, "batch_size 3 then, 4 now"),
        ({"checkpoint": None, "untrained": True}, "seed None then, 0 now"),
    ],
)
def test_a_folder_of_other_settings_is_refused(
    config: ExtractConfig, options: dict[str, Any], words: str
) -> None:
    extract(config)
    before = contents(config.out)
    with pytest.raises(InputError, match="made otherwise") as error:
        extract(changed(config, **options))
    assert words in str(error.value)
    assert contents(config.out) == before


def test_other_images_are_other_settings(
    config: ExtractConfig, images: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "images"
    shutil.copytree(images, mine)
    extract(changed(config, images=mine))
    (mine / "class0" / "00.png").unlink()
    with pytest.raises(InputError, match="images_count 23 then, 22 now"):
        extract(changed(config, images=mine))


def test_a_folder_of_something_else_is_refused(config: ExtractConfig) -> None:
    config.out.mkdir()
    (config.out / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds no features"):
        extract(config)
    assert contents(config.out) == {"thesis.tex": b"mine"}


def test_a_try_that_made_no_shard_binds_nobody(config: ExtractConfig) -> None:
    with pytest.raises(InputError, match="float16 cannot"):
        extract(changed(config, model=f"{MODELS}:large", checkpoint=None, dtype="float16"))
    assert extract(config).made == COUNT


def test_a_full_disk_is_foreseen(
    config: ExtractConfig, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(images)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(InputError, match=r"has 0\.0 GB left.*float16"):
        extract(config)


def test_a_disk_that_fills_up_costs_one_shard(
    config: ExtractConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def full(source: Path, place: Path) -> None:
        if "shard-00001" in place.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, place)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(InputError, match=r"shard-00001.*No space left"):
            extract(config)
    assert sorted(p.name for p in config.out.iterdir()) == [
        *("manifest.json", "shard-00000.safetensors")
    ]
    assert extract(config).made == COUNT - 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint": None, "untrained": True, "untrained_twin": True}, "untrained-twin"),
        ({"untrained": True}, "contradict"),
        ({"batch_size": 0}, "--batch-size must be at least 1; got 0"),
        ({"workers": -1}, "--workers must be at least 0"),
        ({"pixels": 9}, "--pixels must be at most 8"),
        ({"layer": "cnv"}, "Did you mean 'conv'"),
        ({"pool": "cls", "layer": "conv"}, "no class token"),
        ({"images": Path("/nowhere")}, "/nowhere is not a folder"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_written(
    config: ExtractConfig, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        extract(changed(config, **options))
    assert not config.out.exists()


def test_several_layers_are_folders_of_their_own_made_in_one_pass(
    config: ExtractConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    forward = Net.forward

    def counted(self: Net, x: torch.Tensor) -> torch.Tensor:
        passes.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(Net, "forward", counted)
    needs: list[Needs] = []
    wanted = ["conv", "fc:input", "norm"]
    several = changed(config, layers=("norm", "fc:input", "conv"), untrained_twin=True, pixels=4)
    found = extract(several, on_needs=needs.append)
    together = len(passes)
    assert [(layer.name, layer.folder.name) for layer in found.layers] == [
        *(("conv", "conv"), ("norm", "norm"), ("fc:input", "fc_input"))
    ]
    assert [layer.head for layer in found.layers] == [False, False, True]
    dims = 3 * 2 * 6 + 3 * 16
    assert (needs[0].layers, needs[0].dims, needs[0].samples) == (3, dims, COUNT)
    assert needs[0].disk_bytes == COUNT * dims * 4
    assert needs[0].memory_bytes == 8 * (dims + 2 * 48) * 4
    listed = json.loads((config.out / "layers.json").read_text())
    assert [(x["name"], x["folder"], x["index"]) for x in listed["layers"]] == [
        *(("conv", "conv", 0), ("norm", "norm", 1), ("fc:input", "fc_input", 2))
    ]
    for name in wanted:
        folder = config.out / name.replace(":", "_")
        alone = changed(
            config, layer=name, out=config.out.with_name(f"one-{folder.name}"), untrained_twin=True
        )
        passes.clear()
        extract(alone)
        assert together == len(passes)
        for part in (Path(), Path("untrained")):
            one, many = rows_of(alone.out / part), rows_of(folder / part)
            assert np.array_equal(one[0], many[0])
            assert one[1] == many[1]
        manifest = read_manifest(folder)
        assert manifest.controls == {"untrained": "untrained", "pixels": "pixels"}
        assert (folder / "pixels" / "shard-00000.safetensors").samefile(
            config.out / "pixels" / "shard-00000.safetensors"
        )
        assert (manifest.settings["layer"], manifest.settings["layer_count"]) == (name, 5)
        assert rows_of(folder / "pixels")[0].shape == (COUNT, 48)


def test_a_layer_is_probed_with_its_controls(config: ExtractConfig, tmp_path: Path) -> None:
    config = changed(config, layers=("norm",), untrained_twin=True, pixels=2)
    extract(config)
    keys = read_keys(config.out / "norm")
    rows = "".join(f"{key},{len(key) * k}\n" for k, key in enumerate(keys))
    (tmp_path / "table.csv").write_text("key,size\n" + rows)
    found = load_features(config.out / "norm", factors=tmp_path / "table.csv", key="key")
    assert {name: value.shape for name, value in found.controls.items()} == {
        "untrained": (COUNT, 6)
    }
    assert found.representation.x is not None
    assert found.representation.x.shape == (COUNT, 12)


def test_layers_are_gone_on_with_one_by_one(config: ExtractConfig) -> None:
    config = changed(config, layers=("conv", "fc:input"), pixels=2)
    extract(config)
    before = contents(config.out)
    (config.out / "conv" / "shard-00001.safetensors").unlink()
    assert extract(config).made == 8
    assert contents(config.out) == before
    assert extract(changed(config, layers=("norm", "conv"))).made == COUNT
    after = contents(config.out)
    assert {name for name, content in before.items() if after[name] != content} == {"layers.json"}
    listed = json.loads(after["layers.json"])["layers"]
    assert [layer["name"] for layer in listed] == ["conv", "norm", "fc:input"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"layers": ("all",)}, ["conv", "norm", "fc:input", "fc"]),  # fc is the output
        ({"every": 2}, ["norm", "fc"]),
        ({"layers": ("conv", "fc*"), "every": 2}, ["conv", "fc"]),
        ({"layers": ("*",), "pool": "flatten"}, ["conv", "norm", "fc:input", "fc", "output"]),
    ],
)
def test_layers_are_chosen(
    config: ExtractConfig, options: dict[str, Any], names: list[str]
) -> None:
    assert [layer.name for layer in extract(changed(config, **options)).layers] == names


def test_a_folder_of_one_layer_takes_no_others(config: ExtractConfig) -> None:
    extract(config)
    with pytest.raises(InputError, match=r"holds no list of layers \(layers\.json\)"):
        extract(changed(config, layers=("conv",)))
    several = changed(config, layers=("conv",), out=config.out.with_name("several"))
    extract(several)
    with pytest.raises(InputError, match="holds no features"):
        extract(changed(several, layers=()))


def test_too_little_memory_is_foreseen(
    config: ExtractConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_pass, "_free_memory", lambda device: 100)
    with pytest.raises(InputError, match=r"of memory, and 0\.0 GB are free.*--shard-size"):
        extract(config)


def test_features_that_depend_on_what_went_before_are_not_written(config: ExtractConfig) -> None:
    config = changed(config, model=f"{MODELS}:remembers")
    with pytest.raises(InputError, match=r"what the model saw before: .*'fc:input' differ by"):
        extract(config)
    assert not list(config.out.glob("shard-*"))


def test_a_model_that_loses_the_row_of_a_single_image_is_refused(config: ExtractConfig) -> None:
    """23 images in batches of 11 end in a batch of one."""
    with pytest.raises(InputError, match="for a batch of 1 it does not return"):
        extract(changed(config, model=f"{MODELS}:squeezes", layer="output", batch_size=11))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_fails_on_an_image_names_it(
    config: ExtractConfig, images: Path, tmp_path: Path, workers: int
) -> None:
    shutil.copytree(images, tmp_path / "images")
    Image.new("RGB", (5, 4), "red").save(tmp_path / "images" / "red.png")
    with pytest.raises(InputError, match=r"^red\.png .* 5 x 4 pixels: IndexError: no red\.$"):
        extract(
            changed(config, model=f"{MODELS}:fails", images=tmp_path / "images", workers=workers)
        )


def data(config: ExtractConfig, model: str, data: str, **options: Any) -> ExtractConfig:
    return changed(
        config, model=f"{MODELS}:{model}", images=None, data=data, checkpoint=None, **options
    )


def test_any_data_set_is_read(config: ExtractConfig, tmp_path: Path) -> None:
    sounds = data(config, "hears", f"{MODELS}:Sounds", layers=("conv", "fc:input"))
    extract(sounds)
    network, x = hears(), torch.stack([Sounds()[k][0] for k in range(7)])
    (conv, keys), (h, _) = rows_of(config.out / "conv"), rows_of(config.out / "fc_input")
    assert keys == list(Sounds.keys)
    with torch.no_grad():
        maps = network.conv(x)
    torch.testing.assert_close(torch.from_numpy(conv), maps.mean(dim=2))
    torch.testing.assert_close(torch.from_numpy(h), maps.relu().mean(dim=2))
    assert read_manifest(config.out / "conv").settings["data"] == f"{MODELS}:Sounds"
    (tmp_path / "some.csv").write_text("key,periods\nwave 4,5\nwave 1,2\n")
    extract(changed(sounds, out=tmp_path / "some", factors=tmp_path / "some.csv", layers=()))
    some, keys = rows_of(tmp_path / "some")
    assert keys == ["wave 1", "wave 4"]
    np.testing.assert_allclose(some, h[[1, 4]], rtol=1e-5)


def test_rows_of_a_table_are_data_too(config: ExtractConfig) -> None:
    extract(data(config, "rows_in", f"{MODELS}:Table"))
    h, keys = rows_of(config.out)
    assert keys == ["0", "1", "2", "3", "4"]
    x = torch.arange(4.0) * torch.arange(5.0)[:, None]
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(h), rows_in()[:2](x))


def test_missing_values_that_no_feature_sees_are_no_chance(config: ExtractConfig) -> None:
    extract(data(config, "four", f"{MODELS}:Holes"))
    h, _ = rows_of(config.out)
    extract(data(config, "rows_in", f"{MODELS}:Table", out=config.out.with_name("plain")))
    assert np.array_equal(h, rows_of(config.out.with_name("plain"))[0])


def test_a_model_may_take_bytes(config: ExtractConfig) -> None:
    extract(config)
    extract(
        changed(config, model=f"{MODELS}:bytes_in", out=config.out.with_name("bytes"), pixels=4)
    )
    np.testing.assert_allclose(
        rows_of(config.out)[0], rows_of(config.out.with_name("bytes"))[0], atol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": f"{MODELS}:Draws"}, "something else for the same item each time"),
        ({"data": "json:JSONDecoder"}, "that is not empty; it returned JSONDecoder"),
        ({"data": f"{MODELS}:Uneven"}, r"^3 cannot be prepared: it has shape \(5,\)"),
        ({"data": f"{MODELS}:Fails"}, r"^4 cannot be prepared: the data set .* KeyError: 4"),
        ({"data": f"{MODELS}:NoLength"}, r"NoLength fails: NotImplementedError: endless \(line"),
        ({"data": f"{MODELS}:Twice"}, r"got 5 \(4 different\) for 5 items"),
        ({"data": f"{MODELS}:Choice"}, "an item holds left, right; name what the model takes 'x'"),
        ({"data": "Table"}, "--data is module:function of your own; got 'Table'"),
        ({"data": None}, "or --sentences TABLE; got none of them"),
        ({"pixels": 4}, r"--pixels must be of images; .* gets samples of shape \(4,\)"),
        ({"model": f"{MODELS}:net"}, r"net fails on a batch of shape \(3, 4\) \(float32\) as the"),
    ],
)
def test_data_that_cannot_be_is_refused(
    config: ExtractConfig, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        extract(changed(data(config, "rows_in", f"{MODELS}:Table"), **options))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_it_is_the_same_up_to_half_precision(config: ExtractConfig) -> None:
    extract(config)
    found = extract(changed(config, out=config.out.with_name("cuda"), device="cuda", workers=2))
    (mine, _), (other, _) = rows_of(config.out), rows_of(config.out.with_name("cuda"))
    np.testing.assert_allclose(mine, other, atol=0.02)
    assert 0 < found.busy <= 1
