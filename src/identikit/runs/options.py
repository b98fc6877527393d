"""What the options of several studies share: NAME=VALUE, and the device."""

from collections.abc import Iterable
from typing import Literal

from identikit.core.errors import InputError


def named_values(entries: Iterable[str], rule: str) -> list[tuple[str, str]]:
    """Name and value of each NAME=VALUE.

    Args:
        entries: As they were given.
        rule: What they must be, for the error.

    Raises:
        InputError: an entry that is not NAME=VALUE.
    """
    pairs = [entry.partition("=") for entry in entries]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise InputError(f"{rule}; got {name + sign + value!r}.")
    return [(name, value) for name, _, value in pairs]


def require_device(name: str) -> None:
    """See that a device is there.

    Raises:
        InputError: it is not.
    """
    if name == "cuda" and not _has_cuda():
        raise InputError("device cuda was asked for, but no CUDA device is at hand. Use cpu.")


def chosen_device(name: str) -> Literal["cpu", "cuda"]:
    """The device of a name; auto is cuda where there is a device, else cpu."""
    return "cuda" if name == "cuda" or (name == "auto" and _has_cuda()) else "cpu"


def _has_cuda() -> bool:
    import torch  # not above: options are read without it

    return torch.cuda.is_available()
