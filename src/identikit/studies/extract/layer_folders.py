"""The folders that the layers of one model go to, and the list of them (`features.layer_list`)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from identikit.core.errors import InputError
from identikit.core.files import is_free, write_json
from identikit.encoders.adapters import Layer
from identikit.features.layer_list import FORMAT, LAYERS_FILE, read_layer_list
from identikit.studies.extract.outputs import Output

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
    found = read_layer_list(folder)
    if found is not None:
        return found
    raise InputError(
        f"{folder} exists and holds no list of layers ({LAYERS_FILE}). Give --out another folder."
    )
