"""The linear classifier that was trained on features, from a file of its own."""

from pathlib import Path

from identikit.core.errors import InputError
from identikit.features.read import Columns, read_array, read_file, require_format

HEAD = ("W", "head_class", "class_vectors")
"""Names of arrays that are not about samples."""


def read_head(path: Path) -> Columns:
    """The rows W of a linear classifier and what belongs to them.

    A matrix on its own (.npy) is W; so is the only matrix called `weight` or ending in `.weight`.

    Raises:
        InputError: a file that cannot be read or holds no such matrix.
    """
    require_format(path, (".npy", ".npz", ".safetensors"))
    if path.suffix == ".npy":
        return {"W": read_array(path)}
    found = read_file(path).columns
    weights = [n for n, a in found.items() if n.split(".")[-1] == "weight" and a.ndim == 2]
    if "W" not in found and len(weights) == 1:
        return {"W": found[weights[0]]}
    if "W" not in found:
        raise InputError(
            f"{path} holds no head: it has {', '.join(found) or 'nothing'}. Name the matrix "
            "(labels, d_h) W."
        )
    return {name: found[name] for name in HEAD if name in found}
