"""Controls beside several layers: one for all, or one for each, such as a twin's same layer."""

from collections.abc import Mapping
from pathlib import Path

from identikit.core.errors import unknown_name
from identikit.features.layer_list import layer_folders
from identikit.features.load import OBSERVATIONS
from identikit.features.shards import MANIFEST_FILE, read_manifest


def layer_controls(
    given: Mapping[str, str], layers: Mapping[str, Path]
) -> tuple[dict[str, str], dict[str, dict[str, Path]]]:
    """Where controls of all layers are, and where those of each layer are.

    Args:
        given: Places by name; a folder of layers has one for each.
        layers: Where the layers are; what an extraction made with one stands beside it. The
            observations are the same for all.

    Raises:
        InputError: a control of layers that are not there.
    """
    shared: dict[str, str] = {}
    own: dict[str, dict[str, Path]] = {}
    for name, path in given.items():
        folders = layer_folders(Path(path))
        if folders is None:
            shared[name] = path
            continue
        for layer in folders:
            if layer not in layers:
                raise unknown_name(f"layer of control {name!r}", layer, layers)
        own[name] = folders
    made: dict[str, dict[str, Path]] = {}
    for layer, place in layers.items():
        if (place / MANIFEST_FILE).exists():
            for name, folder in read_manifest(place).controls.items():
                if name not in given and name not in OBSERVATIONS:
                    made.setdefault(name, {})[layer] = place / folder
    for name, places in made.items():
        shards = [read_manifest(place).shards for place in places.values()]
        if len(places) == len(layers) and shards.count(shards[0]) == len(shards):
            shared[name] = str(next(iter(places.values())))  # one control, beside every layer
        else:
            own[name] = places
    return shared, own
