"""Several layers of one model side by side: a folder of features each, and a list of them.

FOLDER/layers.json   `model`, and of every layer its `name`, `index` in the order of
computation, `folder` and `dim`; in that order
FOLDER/LAYER/        features of one layer, as of any single one (see `features.shards`)
FOLDER/pixels/       a control that all layers share
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from identikit.core.errors import InputError
from identikit.core.files import read_regular
from identikit.features.paths import listed, plain_name

LAYERS_FILE: Final = "layers.json"
FORMAT: Final = "identikit-layers"


def read_layer_list(folder: Path) -> dict[str, Any] | None:
    """The list in a folder, with its `model` and its `layers`; None where there is none."""
    try:
        found = json.loads(read_regular(folder / LAYERS_FILE))
        known = all({"name", "folder"} <= {*layer} for layer in found["layers"])
        if found["format"] == FORMAT and known:
            return {"model": str(found["model"]), "layers": found["layers"]}
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return None


def layer_folders(folder: Path) -> dict[str, Path] | None:
    """The folder of each layer by its name, in the order of computation; None without a list.

    Raises:
        InputError: a list that names other places than folders in this one.
    """
    found = read_layer_list(folder)
    if found is None:
        return None
    folders = {str(layer["name"]): folder / str(layer["folder"]) for layer in found["layers"]}
    for place in folders.values():
        if place.parent != folder or place.name in ("", ".."):
            raise InputError(
                f"{folder / LAYERS_FILE} names {place}, which is not in its folder. Extract again."
            )
    return folders


def layer_paths(features: Sequence[Path], *, each: bool = False) -> dict[str, Path] | None:
    """Where each of several layers is; None for one set of features, which may be in parts.

    Args:
        features: A folder with a list of layers; or several folders, a layer each.
        each: Whether every path is a layer, files too.

    Raises:
        InputError: two of one name, or a pattern that nothing fits.
    """
    if len(features) == 1 and (folders := layer_folders(features[0])) is not None:
        return folders
    paths = listed(features) if features else []
    if not each and (len(paths) < 2 or not all(path.is_dir() for path in paths)):
        return None
    names = [plain_name(path) for path in paths]
    if max(Counter(names).values()) > 1:  # as in one/h.npy two/h.npy
        names = [str(path) for path in paths]
    return dict(zip(names, paths, strict=True))


class OnDisk(Mapping[str, Any]):
    """Features by the name of their layer, read when they are asked for and not kept."""

    def __init__(self, paths: Mapping[str, Path], load: Callable[[str, Path], Any]) -> None:
        self.paths, self.load = paths, load

    def __getitem__(self, name: str) -> Any:
        return self.load(f"layer {name!r}", self.paths[name])

    def __contains__(self, name: object) -> bool:
        return name in self.paths

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)
