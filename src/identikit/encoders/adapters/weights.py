"""Weights from a local file: safetensors, or what torch.save wrote, never unpickled."""

import hashlib
import io
import pickle
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from identikit.core.errors import InputError
from identikit.core.files import require_regular

_PREFIXES = ("module.", "_orig_mod.", "model.")
"""What data-parallel, compiled and Lightning modules put before every name."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, of the file or of the one dictionary of tensors within it.

    Raises:
        InputError: a file that is missing or damaged, holds pickled objects or no such dictionary.
    """
    content = _read(path)
    if _is_state(content):
        return content
    inner = {key: value for key, value in content.items() if _is_state(value)}
    if len(inner) != 1:
        held = ", ".join(repr(str(key)) for key in content) or "nothing"
        found = f"several sets of weights ({', '.join(inner)})" if inner else f"only {held}"
        raise InputError(
            f"{path} should hold the weights of one model and holds {found}. Save what is to be "
            "used with torch.save(model.state_dict(), path)."
        )
    return dict(next(iter(inner.values())))


def _is_state(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(entry, Tensor) for entry in value.values())
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        require_regular(path)
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read the checkpoint {path}: {reason}.") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not a file of weights, or holds pickled objects, which could run any code "
            "and are never opened. Save the weights alone: torch.save(model.state_dict(), path)."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"the checkpoint {path} is damaged or cut short: {error}.") from error
    return dict(content) if isinstance(content, Mapping) else {}


def load_weights(network: nn.Module, state: Mapping[str, Tensor], *, source: Path) -> None:
    """Put weights into a network; says what is missing, left over or misshapen.

    Raises:
        InputError: names or shapes that are not the network's.
    """
    wanted = network.state_dict()
    given = _without_prefix(state, wanted)
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}  # unused in eval
    missing = [name for name in wanted if name not in given and name not in counters]
    left = [name for name in given if name not in wanted]
    shapes = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in given and not is_lazy(value) and given[name].shape != value.shape
    ]
    wrong = [
        f"{len(names)} {words}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
        for words, names in (("missing", missing), ("unexpected", left), ("misshapen", shapes))
        if names
    ]
    if wrong:
        raise InputError(
            f"the weights in {source} are not those of this model; {'; '.join(wrong)}. Give the "
            "name of the model that they belong to."
        )
    network.load_state_dict(given, strict=False)


def other_rows(network: nn.Module, state: Mapping[str, Tensor]) -> int | None:
    """How many classes weights have that fit a network but for the rows of its classifier."""
    wanted = network.state_dict()
    given = _without_prefix(state, wanted)
    rows = {
        len(value)
        for name, value in given.items()
        if name in wanted
        and not is_lazy(wanted[name])
        and value.ndim == wanted[name].ndim > 1
        and len(value) != len(wanted[name])
        and value.shape[1:] == wanted[name].shape[1:]
    }
    return rows.pop() if len(rows) == 1 else None


def _without_prefix(state: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """Without what a wrapper put before every name."""
    given = dict(state)
    for prefix in _PREFIXES:
        before = [name.startswith(prefix) for name in given]
        if all(before) and not any(name.startswith(prefix) for name in wanted):
            given = {name.removeprefix(prefix): value for name, value in given.items()}
    return given


def weights_digest(network: nn.Module) -> str:
    """SHA-256 of all weights and buffers, with their names."""
    sha = hashlib.sha256()
    for name, value in network.state_dict().items():
        sha.update(name.encode())
        sha.update(_content(value))
    return sha.hexdigest()


def tensor_digests(network: nn.Module, *, saved: bool) -> dict[str, str]:
    """SHA-256 by name of the weights and buffers that are saved, or of the other buffers."""
    state = network.state_dict()
    others = {name: value for name, value in network.named_buffers() if name not in state}
    named = state if saved else others
    return {name: hashlib.sha256(_content(value)).hexdigest() for name, value in named.items()}


def _content(value: object) -> Any:
    """The bytes of a tensor, or of what else a module may keep beside its tensors."""
    if isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized:
        plain = value.detach().cpu().contiguous().reshape(-1)
        return plain.view(torch.uint8).numpy()
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()
