"""From two sets of files, or two folders of layers, to how alike they are."""

from pathlib import Path
from typing import Any

from identikit.core.errors import InputError, unknown_name
from identikit.features.head import read_head
from identikit.features.layer_list import OnDisk, layer_folders
from identikit.features.paths import plain_name
from identikit.features.rows import Rows, read_rows
from identikit.similarity.compare import compare
from identikit.similarity.comparison import Comparison
from identikit.similarity.layer_comparison import LayerComparison
from identikit.similarity.layers import compare_layers
from identikit.studies.compare.config import CompareConfig, CompareLayersConfig


def compare_files(config: CompareConfig) -> Comparison:
    """Compare the features in two places.

    Raises:
        InputError: features that cannot be read or matched.
    """
    a, b = read_rows(config.a), read_rows(config.b)
    groups = _groups(a, config)
    W_a, class_a = _head(a, config.head_a)
    W_b, class_b = _head(b, config.head_b)
    return compare(
        a.h,
        b.h,
        head_a=W_a,
        head_b=W_b,
        head_class_a=class_a,
        head_class_b=class_b,
        keys_a=_keys(a),
        keys_b=_keys(b),
        groups=groups,
        names=_names(config),
        seed=config.seed,
        train_share=config.train_share,
        shuffles=5 if config.shuffles is None else config.shuffles,
    )


def compare_layer_folders(config: CompareLayersConfig) -> LayerComparison:
    """Compare each layer in one place with each in the other; one set of features is one layer.

    Raises:
        InputError: features that cannot be read or matched.
    """
    layers_a, a = _layers(config.a)
    layers_b, b = _layers(config.b)
    return compare_layers(
        layers_a,
        layers_b,
        keys_a=_keys(a),
        keys_b=_keys(b),
        groups=_groups(a, config),
        names=_names(config),
        seed=config.seed,
        train_share=config.train_share,
        shuffles=200 if config.shuffles is None else config.shuffles,
    )


def _layers(place: Path) -> tuple[OnDisk, Rows]:
    """Layers that are read when they are asked for, and the rows of the first one."""
    folders = layer_folders(place) or {plain_name(place): place}
    if not folders:
        raise InputError(f"{place} lists no layers. Extract them again.")
    first = read_rows(next(iter(folders.values())))
    keys = _keys(first)

    def load(name: str, path: Path) -> Any:
        other = read_rows(path)
        own = _keys(other)
        if (own is None) != (keys is None) or (
            own is not None and own.values.tolist() != keys.values.tolist()
        ):
            raise InputError(
                f"{name} in {place} has other samples than the first one, or in another order. "
                "Extract all layers again, together."
            )
        return other.h

    return OnDisk(folders, load), first


def _groups(rows: Rows, config: CompareConfig) -> Any:
    if config.groups is None:
        return None
    if config.groups not in rows.columns:
        raise unknown_name(f"column of {config.a}", config.groups, rows.columns)
    return rows.columns[config.groups]


def _head(rows: Rows, path: Path | None) -> tuple[Any, Any]:
    """W and the class of each of its rows, where they are known."""
    found = rows.head if path is None else read_head(path)
    return found.get("W"), found.get("head_class")


def _keys(rows: Rows) -> Any:
    name = rows.key()
    return None if name is None else rows.columns[name]


def _names(config: CompareConfig) -> tuple[str, str]:
    """File names, with folders where these alone are the same."""
    a, b = config.a, config.b
    names = plain_name(a), plain_name(b)
    return names if names[0] != names[1] else (str(a), str(b))
