"""Checkpoints: one file of tensors and plain values, written whole or not at all."""

from pathlib import Path
from typing import Any

import torch

from identikit.core.errors import InputError
from identikit.core.files import require_regular, writing

FILE = "state.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the state into a folder, in place of an older one.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with writing(folder / FILE) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # what its archive makes of a disk that gets full
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def load(folder: Path, *, device: torch.device | str) -> dict[str, Any] | None:
    """The state in a folder, or None if there is none. Never runs code from the file.

    Raises:
        InputError: a file that is damaged or is no checkpoint.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        require_regular(path)
        mapped = torch.device(device).type == "cpu"  # so that it is not in memory twice
        state = torch.load(path, map_location=device, weights_only=True, mmap=mapped)
        if not isinstance(state, dict):
            raise TypeError(f"a {type(state).__name__}, not a dict")
    except Exception as error:  # what reading noise runs into can be of any kind
        raise InputError(
            f"the checkpoint {path} is damaged or is not one. Give --restart to begin without it."
        ) from error
    return state
