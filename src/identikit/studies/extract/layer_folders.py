"""Several layers of one model side by side: a folder of features each, and a list of them.

FOLDER/layers.json   `model`, and of every layer its `name`, `index` in the order of
computation, `folder` and `dim`; in that order
FOLDER/LAYER/        features of one layer, as of any single one (see `features.shards`)
FOLDER/pixels/       a control that all layers share
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from identikit.core.errors import InputError
from identikit.core.files import is_free, read_regular, write_json
from identikit.encoders.adapters import Layer
from identikit.studies.extract.outputs import Output

LAYERS_FILE: Final = "layers.json"
FORMAT: Final = "identikit-layers"
_LONGEST = 100


def folder_names(layers: Sequence[Layer], *, reserved: Sequence[str] = ()) -> list[str]:
    """The layers' names as names of folders, each once on every file system."""
    found: list[str] = []
    for layer in layers:
        name = re.sub(r"[^\w.-]+", "_", layer.name)[:_LONGEST]
        taken = {other.lower() for other in (*reserved, *found)}
        found.append(f"{name}_{layer.index}" if name.lower() in taken else name)
    return found


def open_layers(folder: Path, outputs: Sequence[Output]) -> None:
    """Write the list of layers, with those that are there already.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    mine = {
        output.folder.name: {
            "name": output.settings["layer"],
            "index": output.settings["layer_index"],
            "folder": output.folder.name,
            "dim": output.dim,
        }
        for output in outputs
    }
    model = outputs[0].settings["model"]
    if not is_free(folder):
        theirs = _there(folder)
        if theirs["model"] != model:
            raise InputError(
                f"{folder} holds layers of {theirs['model']}, not of {model}. Give --out another "
                "folder."
            )
        mine = {layer["folder"]: layer for layer in theirs["layers"]} | mine
    layers = sorted(mine.values(), key=lambda layer: (layer["index"], layer["name"]))
    write_json(folder / LAYERS_FILE, {"format": FORMAT, "model": model, "layers": layers})


def _there(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(folder / LAYERS_FILE))
        if found["format"] == FORMAT and all("folder" in layer for layer in found["layers"]):
            return {"model": str(found["model"]), "layers": found["layers"]}
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise InputError(
        f"{folder} exists and holds no list of layers ({LAYERS_FILE}). Give --out another folder."
    )
