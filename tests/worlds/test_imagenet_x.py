"""The annotations as the package ships them, and validation images as they lie on disks."""

import importlib.metadata
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from identikit.core.errors import InputError
from identikit.worlds import imagenet_x
from identikit.worlds.imagenet_images import find_validation_images
from identikit.worlds.imagenet_x import FACTORS, file_name_of, load_imagenet_x, number_of

PACKAGE = importlib.metadata.distribution("imagenet-x")


def published(name: str) -> Path:
    return Path(str(PACKAGE.locate_file(f"imagenet_x/annotations/{name}")))


@pytest.fixture(scope="module")
def multi() -> imagenet_x.ImageNetX:
    return load_imagenet_x("multi")


def test_annotations_are_those_that_pandas_reads(multi: imagenet_x.ImageNetX) -> None:
    frame = pd.read_json(published("imagenet_x_val_multi_factor.jsonl"), lines=True)
    prototypes = pd.read_csv(published("prototypical_paths.csv"))
    frame = frame[~frame["file_name"].isin(prototypes["file_name"])].sort_values("file_name")
    assert len(multi) == len(frame) == 46_110
    assert [file_name_of(k) for k in multi.number.tolist()] == frame["file_name"].tolist()
    assert multi.object_class.tolist() == frame["class"].tolist()
    assert torch.equal(multi.present, torch.as_tensor(frame[list(FACTORS)].to_numpy() == 1))


def test_top_names_one_factor_where_multi_names_several(multi: imagenet_x.ImageNetX) -> None:
    top = load_imagenet_x("top")
    assert torch.equal(top.number, multi.number)
    assert torch.bincount(top.present.sum(dim=1)).tolist() == [2, 46_108]
    assert not (top.present & ~multi.present).any()
    rarest = {"multi": multi.present.sum(dim=0).min(), "top": top.present.sum(dim=0).min()}
    assert rarest == {"multi": 94, "top": 40}


def test_targets_are_the_papers_seventeen_and_animals(multi: imagenet_x.ImageNetX) -> None:
    targets = multi.targets()
    assert list(targets) == ["class", *FACTORS, "animal"]
    assert targets["class"].sum() == 22_991  # above 497.69
    labels = published("imagenet_labels.txt").read_text().splitlines()
    names = [line.partition(",")[2] for line in labels]
    assert (names[0], names[397], names[398]) == ("tench", "puffer", "abacus")
    assert torch.equal(targets["animal"], multi.object_class <= 397)


def test_factors_leave_out_what_does_not_vary(multi: imagenet_x.ImageNetX) -> None:
    few = multi.only(multi.number[multi.present[:, FACTORS.index("brighter")]][:5])
    assert len(few) == 5
    assert "brighter" not in few.factors()


def test_numbers_and_names_go_both_ways() -> None:
    assert number_of(file_name_of(293)) == 293 == number_of("ILSVRC2012_val_00000293.JPEG")


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(imagenet_x, "distribution", absent)
    with pytest.raises(InputError, match=r'pip install "identikit\[imagenet-x\]"'):
        load_imagenet_x()


class Elsewhere:
    """The package, its files in another folder."""

    def __init__(self, folder: Path, version: str = "0.0.7") -> None:
        self.folder, self.version = folder, version

    def locate_file(self, path: str) -> Path:
        return self.folder / Path(path).name


def test_files_that_were_changed_or_are_of_another_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in imagenet_x._FILES:
        shutil.copy(published(name), tmp_path)
    monkeypatch.setattr(imagenet_x, "distribution", lambda _: Elsewhere(tmp_path))
    assert len(load_imagenet_x()) == 46_110
    changed = tmp_path / "imagenet_x_val_multi_factor.jsonl"
    changed.write_bytes(changed.read_bytes().replace(b'"pose":1', b'"pose":0', 1))
    with pytest.raises(InputError, match="not as published"):
        load_imagenet_x()
    changed.unlink()
    with pytest.raises(InputError, match="missing"):
        load_imagenet_x()
    monkeypatch.setattr(imagenet_x, "distribution", lambda _: Elsewhere(tmp_path, "0.1"))
    with pytest.raises(InputError, match=r"0\.1 is installed"):
        load_imagenet_x()


WANTED = torch.tensor([7, 293, 2138])


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "layout",
    [
        "ILSVRC2012_val_{:08d}.JPEG",
        "n01440764/ILSVRC2012_val_{:08d}.JPEG",
        "val/ILSVRC2012_val_{:08d}_n01440764.JPEG",
        "ilsvrc2012_val_{:08d}.jpg",
    ],
)
def test_images_are_found_in_the_usual_layouts(tmp_path: Path, layout: str) -> None:
    put(tmp_path, "readme.txt", *(layout.format(number) for number in (2138, 7, 293, 50)))
    found = find_validation_images(tmp_path, WANTED)
    assert list(found.paths) == [7, 293, 2138]
    assert found.paths[293] == tmp_path / layout.format(293)
    assert found.missing == ()
    assert found.share == 1


def test_missing_images_are_counted_and_may_be_done_without(tmp_path: Path) -> None:
    put(tmp_path, file_name_of(293))
    with pytest.raises(InputError, match=r"lacks 2 of 3 images \(ILSVRC2012_val_00000007.JPEG, "):
        find_validation_images(tmp_path, WANTED)
    found = find_validation_images(tmp_path, WANTED, partial=True)
    assert found.numbers.tolist() == [293]
    assert found.missing == (7, 2138)
    assert found.share == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "0 other files"),
        (("cat.png",), "such as cat.png"),
        (("n01440764/n01440764_10026.JPEG",), "training images"),
        (("ILSVRC2012_test_00000001.JPEG",), "test images"),
        (("val/n01440764/ILSVRC2012_val_00000293.JPEG",), "val may"),
        ((file_name_of(1),), "1 validation images, but none of those wanted"),
    ],
)
def test_a_wrong_folder_is_told_apart(tmp_path: Path, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        find_validation_images(put(tmp_path, *names), WANTED, partial=True)


def test_no_folder_and_an_image_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        find_validation_images(tmp_path / "nowhere", WANTED)
    put(tmp_path, file_name_of(293), f"n01440764/{file_name_of(293)}")
    with pytest.raises(InputError, match="image 293 twice"):
        find_validation_images(tmp_path, WANTED)
