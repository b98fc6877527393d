"""The linear classifier that was trained on features, from a file of its own."""

from pathlib import Path
from typing import Any

from identikit.core.errors import InputError
from identikit.features.paths import suffix_of
from identikit.features.read import read_array, read_file, require_format


def read_head(path: Path) -> dict[str, Any]:
    """The rows W of a linear classifier and what belongs to them.

    A matrix on its own (.npy) is W; so is the only matrix called `weight` or ending in `.weight`.

    Raises:
        InputError: a file that cannot be read or holds no such matrix.
    """
    require_format(path, (".npy", ".npz", ".safetensors"))
    if suffix_of(path) == ".npy":
        return {"W": read_array(path)}
    content = read_file(path)
    if "W" in content.head:
        return dict(content.head)
    found = content.columns
    weights = [n for n, c in found.items() if n.split(".")[-1] == "weight" and len(c.shape) == 2]
    if len(weights) == 1:
        return {"W": found[weights[0]]}
    raise InputError(
        f"{path} holds no head: it has {', '.join([*content.head, *found]) or 'nothing'}. Name the "
        "matrix (labels, d_h) W."
    )
