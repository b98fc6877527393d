"""Image folders: keys, refusals, and batches with what could not be read."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.batches import sample_batches
from identikit.worlds.image_folder import find_images

PIL = pytest.importorskip("PIL.Image")


def picture(path: Path, *, seed: int = 0, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    PIL.fromarray(pixels).convert(mode).save(path)


def to_tensor(image: Any) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("b/2.JPEG", "b/10.png", "a.jpg", "b/c/ü 1.webp", ".hidden.jpg", ".cache/x.jpg")
    for name in names:
        picture(tmp_path / "images" / name)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path / "images"


def test_keys_are_relative_paths_in_order(folder: Path) -> None:
    images = find_images(folder)
    assert images.keys == ("a.jpg", "b/10.png", "b/2.JPEG", "b/c/ü 1.webp")
    assert all((folder / key).is_file() for key in images.keys)
    assert len(images) == 4


def test_links_are_followed_inside_the_folder_and_never_in_circles(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "b" / "c")
    (folder / "b" / "up").symlink_to(folder)
    (folder / "z.png").symlink_to(folder / "a.jpg")
    assert [key for key in find_images(folder).keys if key[0] in "z"] == ["z.png"]
    assert len(find_images(folder)) == 5  # b/c is the folder that link is


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_links_that_leave_the_folder_are_followed_if_that_is_meant(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    picture(tmp_path / "images-2" / "z.png")  # its name begins as the folder's does
    target = tmp_path / "images-2"
    (folder / "link.png").symlink_to(target if kind == "folder" else target / "z.png")
    with pytest.raises(InputError, match=r"link\.png is a link .*, to .*images-2"):
        find_images(folder)
    assert len(find_images(folder, follow_links=True)) == 5
    (tmp_path / "whole").symlink_to(folder)
    with pytest.raises(InputError, match="leaves its folder"):
        find_images(tmp_path / "whole")
    (folder / "link.png").unlink()
    assert len(find_images(tmp_path / "whole")) == 4  # the folder itself may be a link


@pytest.mark.parametrize("key", ["../secret.png", "{}/secret.png", "b/../../secret.png"])
def test_keys_never_leave_the_folder(folder: Path, tmp_path: Path, key: str) -> None:
    picture(tmp_path / "secret.png")
    with pytest.raises(InputError, match="not among the 4 images"):
        find_images(folder, keys=[key.format(tmp_path), "a.jpg"])


def test_names_that_are_no_text_are_refused(folder: Path) -> None:
    picture(folder / "ok.png")
    (folder / "ok.png").rename(Path(os.fsdecode(bytes(folder) + b"/caf\xe9.png")))
    with pytest.raises(
        InputError, match=r"1 images .* not UTF-8, such as 'caf\\udce9\.png'"
    ) as bad:
        find_images(folder)
    str(bad.value).encode()


def test_a_table_chooses_and_the_digest_tells(folder: Path) -> None:
    some = find_images(folder, keys=["b/2.JPEG", "a.jpg"])
    assert some.keys == ("a.jpg", "b/2.JPEG")
    assert some.digest() == find_images(folder, keys=["a.jpg", "b/2.JPEG"]).digest()
    assert some.digest() != find_images(folder).digest()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["a.jpg", "b/3.jpg", "x", "y", "z"], r"4 keys \(b/3\.jpg, x, y, \.\.\.\) are not among"),
        (["a.jpg", "a.jpg", "b/10.png"], r"1 key \(a\.jpg\) is more than once"),
    ],
)
def test_keys_that_do_not_fit_are_counted_and_named(
    folder: Path, keys: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find_images(folder, keys=keys)


def test_what_is_no_folder_of_images_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        find_images(folder / "a.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        find_images(tmp_path / "empty")


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_the_images_and_name_the_unreadable(tmp_path: Path, workers: int) -> None:
    for k, mode in enumerate(("RGB", "L", "P", "RGB")):
        picture(tmp_path / f"{k}.png", seed=k, mode=mode)
    whole = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "4.png").write_bytes(b"not an image")
    (tmp_path / "5.png").write_bytes(b"")
    images = find_images(tmp_path)
    batches = list(
        sample_batches(images, [[2, 0], [1, 3, 4], [5]], transform=to_tensor, workers=workers)
    )
    wanted = [to_tensor(PIL.open(tmp_path / f"{k}.png").convert("RGB")) for k in range(3)]
    assert torch.equal(batches[0].x, torch.stack([wanted[2], wanted[0]]))
    assert torch.equal(batches[1].x, wanted[1][None])
    assert [set(batch.unreadable) for batch in batches] == [set(), {3, 4}, {5}]
    assert all(words for words in batches[1].unreadable.values())
    assert len(batches[2].x) == 0


def broken(image: Any) -> Tensor:
    raise KeyError("broken transform")


def own_size(image: Any) -> Tensor:
    return torch.zeros(3, *image.size)


def no_tensor(image: Any) -> Any:
    return image.size


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (broken, r"^a\.png cannot be prepared: .* 30 x 20 pixels: KeyError: 'broken transform'\.$"),
        (own_size, r"^b\.png cannot be prepared: it has shape \(3, 7, 5\).*others.*\(3, 30, 20\)"),
        (no_tensor, r"^a\.png cannot be prepared: the transform made tuple"),
    ],
)
def test_a_fault_of_the_transform_is_one_sentence_with_the_image(
    tmp_path: Path, workers: int, transform: Any, message: str
) -> None:
    picture(tmp_path / "a.png")
    PIL.new("RGB", (7, 5)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=message) as error:
        list(sample_batches(find_images(tmp_path), [[0, 1]], transform=transform, workers=workers))
    assert "workers" not in str(error.value)


def test_other_files_are_counted_by_their_ending(folder: Path) -> None:
    for name in ("x.avif", "b/y.AVIF", "b/README"):
        (folder / name).write_bytes(b"")
    picture(folder / "moving.gif")
    found = find_images(folder)
    assert "moving.gif" in found.keys
    assert found.passed_over == {"": 1, ".avif": 2, ".txt": 1}
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "x.avif").write_bytes(b"")
    with pytest.raises(InputError, match=r"other files: 1 \(1 \.avif\)"):
        find_images(folder.parent / "other")


def dies(image: Any) -> Tensor:
    import os

    os._exit(1)


def test_a_process_that_dies_is_explained(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match="fewer --workers"):
        list(sample_batches(find_images(tmp_path), [[0]], transform=dies, workers=1))


def test_processes_that_cannot_start_end_in_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", fail)
    with pytest.raises(InputError, match=r"cannot be started: .*no more processes.*0 needs none"):
        list(sample_batches(find_images(folder), [[0]], transform=to_tensor, workers=1))
