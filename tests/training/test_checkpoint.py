"""Checkpoints: back as they were, replaced whole, and never a way to run code."""

import errno
import io
import os
import pickle
import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from identikit.core.errors import InputError
from identikit.training.checkpoint import FILE, load, save

STATE: dict[str, Any] = {
    "weights": {"layer": torch.arange(6.0).view(2, 3)},
    "step": 7,
    "history": [{"step": 5, "loss": 0.1}],
    "config": {"rate": 1e-3, "max_seconds": None, "optimizer": "muon"},
}


class Malicious:
    """Runs a command wherever it is unpickled by the ordinary means."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def damaged() -> dict[str, bytes]:
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    whole = buffer.getvalue()
    return {
        "empty": b"",
        "text": b"not a checkpoint\n",
        "truncated": whole[: len(whole) // 2],
        "missing its end": whole[:-10],
        "plain pickle": pickle.dumps({"step": 1}, protocol=2),
        "truncated pickle": pickle.dumps({"step": [1, 2, 3]}, protocol=2)[:-4],
    }


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save(tmp_path / "new" / "folder", STATE)
    back = load(tmp_path / "new" / "folder", device="cpu")
    assert back is not None
    assert torch.equal(back["weights"].pop("layer"), STATE["weights"]["layer"])
    assert back == STATE | {"weights": {}}


def test_a_folder_without_one_gives_none(tmp_path: Path) -> None:
    assert load(tmp_path, device="cpu") is None
    assert load(tmp_path / "missing", device="cpu") is None


def test_a_newer_state_replaces_the_older(tmp_path: Path) -> None:
    save(tmp_path, {"step": 1})
    save(tmp_path, {"step": 2})
    assert load(tmp_path, device="cpu") == {"step": 2}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_save_that_fails_leaves_the_older_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, {"step": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        save(tmp_path, {"step": 2})
    monkeypatch.undo()
    assert load(tmp_path, device="cpu") == {"step": 1}


@pytest.mark.parametrize("kind", damaged())
def test_damage_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / FILE).write_bytes(damaged()[kind])
    with pytest.raises(InputError, match=f"{FILE} is damaged .*Give --restart"):
        load(tmp_path, device="cpu")


def test_noise_is_refused(tmp_path: Path) -> None:
    noise = random.Random(0)
    for _ in range(100):
        (tmp_path / FILE).write_bytes(noise.randbytes(64))
        with pytest.raises(InputError, match="damaged"):
            load(tmp_path, device="cpu")


def test_a_file_with_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / FILE)
    with pytest.raises(InputError, match="is not one"):
        load(tmp_path, device="cpu")


@pytest.mark.parametrize("writer", ["torch", "torch legacy", "pickle"])
def test_objects_that_run_code_are_refused_and_not_run(tmp_path: Path, writer: str) -> None:
    state, path, target = {"step": Malicious(tmp_path / "ran")}, tmp_path / FILE, tmp_path / "ran"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(state, protocol=2))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(InputError, match="damaged"):
        load(tmp_path, device="cpu")
    assert not target.exists()
    if writer != "pickle":  # the file is as dangerous as it is meant to be
        torch.load(path, weights_only=False)
        assert target.exists()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(InputError, match="damaged or is not one"):
        load(tmp_path, device="cpu")


class Full(io.BytesIO):
    """A file on a disk that gets full."""

    def write(self, content: Any) -> int:
        if self.tell() > 600:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(content)


def test_a_disk_that_gets_full_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, {"step": 1})
    monkeypatch.setattr("identikit.core.files.replacing", lambda path: nullcontext(Full()))
    with pytest.raises(InputError, match=r"state\.pt cannot be written: No space left on device"):
        save(tmp_path, {"weights": torch.zeros(10_000)})
    assert load(tmp_path, device="cpu") == {"step": 1}
