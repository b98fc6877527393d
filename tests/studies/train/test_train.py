"""`identikit train`: runs on images that go on after a kill, and are representations."""

import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.encoders.adapters import load_model
from identikit.features.rows import read_rows
from identikit.probing.recovery import Recovery
from identikit.runs.study import Done, run_and_report, run_study
from identikit.studies.compare.config import CompareConfig
from identikit.studies.compare.run import compare_files
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.run import extract
from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.run import probe
from identikit.studies.train.batches import ImageBatches
from identikit.studies.train.config import TrainConfig
from identikit.studies.train.images import load_images
from identikit.studies.train.live import TrainingProgress
from identikit.studies.train.result import TrainResult
from identikit.studies.train.study import TRAIN
from identikit.training.fit import TrainingError
from identikit.worlds.augmentations import none, strong

PIL = pytest.importorskip("PIL.Image")


def config(photos: Path, **options: Any) -> TrainConfig:
    """Six steps of 16 images, as they are."""
    given: dict[str, Any] = {
        "images": photos,
        "size": 16,
        "dim": 4,
        "batch_size": 16,
        "steps": 6,
        "augment": "none",
    }
    return TrainConfig(**given | options).with_digest()


def with_table(photos: Path, **options: Any) -> TrainConfig:
    given = {"factors": photos.parent / "table.csv", "kinds": ("place=circular:360",)}
    return config(photos, **given | options)


def run(study_config: TrainConfig, root: Path, **options: Any) -> Done[TrainResult]:
    return run_study(TRAIN, study_config, root=root, **options)


def features(done: Done[TrainResult]) -> Tensor:
    return read_rows(done.run.path).h


# Numbers


def pixels(n: int = 10) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (n, 3, 8, 8), generator=generator).byte()


def batches(**options: Any) -> ImageBatches:
    given: dict[str, Any] = {
        "pixels": pixels(),
        "places": torch.arange(10),
        "label": torch.arange(10),
        "augment": lambda image: image.roll(int(torch.randint(8, ())), 1),
        "seed": 0,
        "batch_size": 4,
        "views": 1,
        "steps": 8,
        "workers": 0,
        "pin": False,
    }
    return ImageBatches(**given | options)


def test_every_epoch_sees_every_image_once_in_an_order_of_its_own() -> None:
    seen = torch.cat([batches().rows(step) for step in range(5)]).view(2, 10)
    assert [sorted(epoch) for epoch in seen.tolist()] == [list(range(10))] * 2
    assert seen[0].tolist() != seen[1].tolist()


def test_a_batch_is_a_function_of_its_step_and_leaves_the_global_generators_alone() -> None:
    before = torch.random.get_rng_state(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    one, other = batches(), batches()
    for step in (0, 1, 2):
        one.batch(step)
    for found, again in zip(one.batch(3), other.batch(3), strict=True):
        assert torch.equal(found, again)
    assert not torch.equal(one.batch(3)[0], batches(seed=1).batch(3)[0])
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert pickle.dumps(np.random.get_state()) == before[1]  # noqa: NPY002


def test_images_that_are_held_out_are_never_seen() -> None:
    places = torch.tensor([1, 2, 5, 7])
    held_out = batches(places=places, label=torch.arange(4), augment=lambda image: image)
    x, label = held_out.batch(0)
    assert torch.equal(x, pixels()[places[label]])
    assert sorted(label.tolist()) == [0, 1, 2, 3]


def test_two_views_of_an_image_follow_each_other_and_differ() -> None:
    x, label = batches(views=2, batch_size=8).batch(0)
    assert torch.equal(label[0::2], label[1::2])
    assert len(set(label.tolist())) == 4
    assert not torch.equal(x[0::2], x[1::2])


def test_batches_larger_than_the_set_hold_images_more_than_once() -> None:
    counts = torch.bincount(batches(batch_size=30).rows(1), minlength=10)
    assert counts.tolist() == [3] * 10


@pytest.mark.slow
def test_processes_ahead_change_nothing() -> None:
    here, ahead = batches(), batches(workers=2)
    for step in (0, 1, 2, 5, 3):
        for found, again in zip(here.batch(step), ahead.batch(step), strict=True):
            assert torch.equal(found, again)


@pytest.mark.parametrize(
    ("augment", "said"),
    [
        (lambda image: image.float(), "pixels of pixels"),
        (lambda image: image[:, :4], "pixels of pixels"),
        (lambda image: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_an_augmentation_that_makes_something_else_is_refused(augment: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        batches(augment=augment).batch(0)


def test_the_strong_augmentation_changes_images_and_keeps_their_shape() -> None:
    pytest.importorskip("torchvision")
    found = batches(augment=strong(8)).batch(0)[0]
    assert found.shape == (4, 3, 8, 8)
    assert not torch.equal(found, batches(augment=none(8)).batch(0)[0])


# Runs


def test_diet_learns_to_tell_images_apart(photos: Path, tmp_path: Path) -> None:
    long = config(photos, steps=60, rate=0.01, label_smoothing=0.0, weight_decay=0.0)
    result = run(long, tmp_path / "runs").result
    assert result.labels == result.images == 48
    assert result.floor == 0
    assert result.loss is not None
    assert result.loss < 0.3 * result.history[0]["loss"]
    assert result.covered == 4
    assert 0 < result.waited < 1


def test_much_waiting_for_images_says_what_helps(photos: Path, tmp_path: Path) -> None:
    result = run(config(photos, steps=2), tmp_path / "runs").result

    def said(**of: Any) -> list[str]:
        found = replace(result, **of).findings
        return [f.explained for f in found if f.quantity == "waiting for images"]

    assert said(waited=0.09, workers=0) == []
    assert "--workers 1." in said(waited=0.11, workers=0)[0]
    assert "--workers 6." in said(waited=0.11, workers=3)[0]


@pytest.mark.parametrize("objective", ["diet", "supervised", "infonce"])
def test_what_is_linearly_known_stands_beside_its_controls(
    objective: str, photos: Path, tmp_path: Path
) -> None:
    done = run_and_report(TRAIN, with_table(photos, objective=objective), root=tmp_path / "runs")
    recovery = done.result.recovery
    assert isinstance(recovery, Recovery)
    assert [score.name for score in recovery.factors] == ["colour", "place", "item"]
    assert set(recovery.controls) == {"pixels", "untrained"}
    assert {"r2", "colour", "place"} <= done.result.history[-1].keys()
    assert done.result.labels == {"diet": 48, "supervised": 2, "infonce": None}[objective]
    assert (done.run.path / "report.html").exists()
    assert not done.run.checkpoint.exists()


def test_factors_can_be_read_out_of_values_that_nothing_was_trained_on(
    photos: Path, tmp_path: Path
) -> None:
    done = run(with_table(photos, hold_out="item", only=("colour",)), tmp_path / "runs")
    result, recovery = done.result, done.result.recovery
    assert recovery is not None
    held_out = 48 - result.images  # of two of six items
    assert (result.labels, held_out) == (32, 16)
    assert (recovery.n_train, recovery.n_test) == (32, 16)
    assert "16 images that nothing was trained on" in result.notes[-1]
    assert len(features(done)) == 48


def test_groups_are_held_out_whole_and_the_page_says_so(photos: Path, tmp_path: Path) -> None:
    done = run(with_table(photos, groups="item", only=("colour",), steps=2), tmp_path / "runs")
    recovery = done.result.recovery
    assert recovery is not None
    assert recovery.n_test % 8 == 0  # eight images show an item
    assert done.result.notes[-1].endswith("not fitted on, of other values of item")


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize(
    ("objective", "augment"), [("diet", "strong"), ("infonce", "crop-flip"), ("supervised", "none")]
)
def test_a_run_that_was_killed_goes_on_to_the_same_numbers(
    objective: str, augment: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if augment != "none":
        pytest.importorskip("torchvision")
    monkeypatch.setattr("identikit.training.fit.SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("identikit.training.fit.TELL_EVERY_SECONDS", -1.0)
    asked = config(photos, objective=objective, augment=augment)
    whole = run(asked, tmp_path / "whole")

    def kill(progress: Any) -> None:
        if isinstance(progress, TrainingProgress) and progress.done == 4:
            raise KilledError

    with pytest.raises(KilledError):
        run(asked, tmp_path / "runs", tell=kill)
    told: list[int] = []

    def listen(progress: Any) -> None:
        if isinstance(progress, TrainingProgress):
            told.append(progress.done)

    again = run(asked, tmp_path / "runs", tell=listen)
    assert told == [4, 5, 6]  # step 3 was the last that was saved
    assert torch.equal(features(whole), features(again))
    losses = [[record["loss"] for record in done.result.history] for done in (whole, again)]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_kill_9_and_the_same_command_end_with_the_undisturbed_numbers(
    photos: Path, often_saved: Path, tmp_path: Path
) -> None:
    words = ["train", "--images", str(photos), "--size", "16", "--dim", "4", "--batch-size", "16"]
    words += ["--augment", "crop-flip", "--steps", "400"]
    command = [sys.executable, str(often_saved), *words, "--out"]
    subprocess.run([*command, "whole"], cwd=tmp_path, check=True, capture_output=True)
    begun = subprocess.Popen([*command, "killed"], cwd=tmp_path)
    state = tmp_path / ".killed.partial" / "checkpoint" / "state.pt"
    while begun.poll() is None and not state.exists():
        time.sleep(0.02)
    assert begun.poll() is None
    begun.kill()
    begun.wait()
    subprocess.run([*command, "killed"], cwd=tmp_path, check=True, capture_output=True)
    one, other = (tmp_path / name / "model.safetensors" for name in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()


def test_a_run_is_a_representation(photos: Path, tmp_path: Path) -> None:
    asked = with_table(photos, only=("colour",))
    one, other = (run(replace(asked, seed=k), tmp_path / "runs").run.path for k in (0, 1))
    table = photos.parent / "table.csv"
    found = probe(ProbeConfig(features=(one,), factors=table, key="key", only=("colour",)))
    assert set(found.recovery.controls) == {"x", "random projection", "untrained"}
    assert found.recovery.factors[0].row_space is not None
    assert compare_files(CompareConfig(a=one, b=other)).n_test > 0
    layers = extract(
        ExtractConfig(
            model=str(one), images=photos, out=tmp_path / "layers", layers=("all",), workers=0
        )
    )
    assert len(layers.layers) > 3
    again = extract(ExtractConfig(model=str(one), images=photos, out=tmp_path / "h", workers=0))
    assert again.layers[0].head
    torch.testing.assert_close(read_rows(tmp_path / "h").h, read_rows(one).h)


def test_an_untrained_twin_of_a_run_has_its_weights_before_the_first_step(
    photos: Path, tmp_path: Path
) -> None:
    path = str(run(config(photos), tmp_path / "runs").run.path)
    one, other = (load_model(path, pretrained=False, seed=k).network for k in (0, 1))
    trained = load_model(path, pretrained=True, seed=0).network
    name = "encoder.network.out.weight"
    assert torch.equal(one.state_dict()[name], other.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], trained.state_dict()[name])


def test_a_rendered_world_knows_its_factors(tmp_path: Path) -> None:
    asked = TrainConfig(
        world="sprites",
        limit=60,
        objective="supervised",
        classes="shape",
        steps=2,
        augment="none",
        batch_size=16,
        dim=4,
    )
    result = run(asked, tmp_path / "runs").result
    assert result.recovery is not None
    assert "shape" in {score.name for score in result.recovery.factors}
    assert result.images == 60


def test_groups_of_rows_are_found_without_classes_and_compared_with_them(
    photos: Path, tmp_path: Path
) -> None:
    result = run(with_table(photos, only=("colour",)), tmp_path / "runs").result
    groups = result.row_groups
    assert groups is not None
    assert set(groups.likeness) == {"colour"}
    assert result["groups of rows"].recovered == groups.count


# Bad input


def refused(photos: Path, said: str, **options: Any) -> None:
    with pytest.raises(InputError, match=said):
        run(config(photos, **options), photos.parent / "runs")


def test_one_image_is_refused(photos: Path) -> None:
    for path in sorted(photos.rglob("*.png"))[1:]:
        path.unlink()
    refused(photos, "there is 1 image")


def test_one_class_is_refused(photos: Path) -> None:
    for path in (photos / "red").iterdir():
        path.unlink()
    refused(photos, r"one class \(blue\)", objective="supervised")


def test_images_without_a_folder_have_no_class(photos: Path) -> None:
    (photos / "red" / "00.png").rename(photos / "loose.png")
    refused(photos, "loose.png lies in no folder", objective="supervised")


def test_corrupt_images_are_named_or_skipped(photos: Path) -> None:
    (photos / "red" / "02.png").write_bytes(b"no image")
    refused(photos, r"1 of 48 images cannot be read: red/02.png \(it is no image")
    result = run(config(photos, skip_corrupt=True), photos.parent / "runs").result
    assert result.images == 47
    assert list(result.unreadable) == ["red/02.png"]


def test_images_of_all_modes_are_trained_on_together(photos: Path) -> None:
    for number, mode in enumerate(("L", "RGBA", "P", "I;16", "1", "CMYK")):
        suffix = "jpg" if mode == "CMYK" else "png"
        PIL.new(mode, (20 + number, 16)).save(photos / "red" / f"mode{number}.{suffix}")
    assert run(config(photos), photos.parent / "runs").result.images == 54


def test_a_table_that_names_other_files_is_refused(photos: Path) -> None:
    (photos / "red" / "00.png").unlink()
    with pytest.raises(InputError, match=r"1 key \(red/00.png\) is not among the 47 images"):
        run(with_table(photos), photos.parent / "runs")


def test_other_images_than_training_was_begun_on_are_refused(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identikit.training.fit.TELL_EVERY_SECONDS", -1.0)
    monkeypatch.setattr("identikit.training.fit.SAVE_EVERY_SECONDS", 0.0)

    def kill(progress: Any) -> None:
        if isinstance(progress, TrainingProgress) and progress.done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        run(config(photos), tmp_path / "runs", out=tmp_path / "out", tell=kill)
    (photos / "red" / "00.png").unlink()
    with pytest.raises(InputError, match="47 images now, 48 then"):
        run(config(photos), tmp_path / "runs", out=tmp_path / "out")
    done = run(config(photos), tmp_path / "runs", out=tmp_path / "out", restart=True)
    assert done.result.images == 47


def test_a_loss_that_is_not_finite_names_its_step(photos: Path) -> None:
    with pytest.raises(TrainingError, match=r"loss is nan at step \d+ of 60.*rate 1e\+30") as error:
        run(config(photos, rate=1e30, optimizer="sgd", steps=60), photos.parent / "runs")
    assert "muon" not in str(error.value)
    assert "checkpoint" not in str(error.value)  # none was written before


def test_too_little_memory_says_what_would_fit(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError("tried to allocate 9 GiB")

    monkeypatch.setattr(ImageBatches, "rows", full)
    refused(photos, r"too little memory: .*9 GiB.*--negatives 4096")


def test_a_model_whose_output_is_no_vector_is_refused(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(photos.parent))
    (photos.parent / "maps_for_train.py").write_text(
        "from torch import nn\n\n\ndef maps():\n    return nn.Conv2d(3, 2, 3)\n"
    )
    refused(photos, r"one vector for each image, \(n, d_h\)", model="maps_for_train:maps")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": None}, "got none of them"),
        ({"world": "sprites"}, "--images and --world"),
        ({"augment": "stronger"}, "augment must be none, crop-flip, strong or module:function"),
        ({"objective": "infonce", "batch_size": 15}, "batch_size must be even"),
        ({"objective": "infonce", "negatives": 3}, "of a head, which infonce has not"),
        ({"negatives": 3, "label_smoothing": 0.1}, "negatives leaves most of them out"),
        ({"classes": "colour"}, "--classes is a column of --factors"),
        ({"hold_out": "item"}, "--hold-out is a column of --factors"),
        ({"seconds": 0.0}, "seconds must be positive"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"file": Path("x")}, "--file is that of a --world"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        TrainConfig(**{"images": tmp_path} | options)


def test_a_missing_package_is_named_with_its_extra(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.v2", "timm"):
        monkeypatch.setitem(sys.modules, name, None)
    refused(photos, r"augmentation strong needs .*identikit\[vision\]", augment="strong")
    refused(photos, r"timm needs .*identikit\[vision\]", model="timm:resnet18")


def test_images_can_be_found_again_in_the_order_of_their_keys(photos: Path, tmp_path: Path) -> None:
    images = load_images(config(photos), tmp_path / "pixels")
    assert list(images.keys) == sorted(images.keys)
    assert torch.equal(images.pixels, load_images(config(photos), tmp_path / "pixels").pixels)
    assert images.copies().tolist() == list(range(48))
