"""From two sets of files to how alike they are."""

from pathlib import Path
from typing import Any

from identikit.core.errors import unknown_name
from identikit.features.head import read_head
from identikit.features.paths import plain_name
from identikit.features.rows import KEYS, Rows, read_rows
from identikit.similarity.compare import compare
from identikit.similarity.comparison import Comparison
from identikit.studies.compare.config import CompareConfig


def compare_files(config: CompareConfig) -> Comparison:
    """Compare the features in two places.

    Raises:
        InputError: features that cannot be read or matched.
    """
    a, b = read_rows(config.a), read_rows(config.b)
    if config.groups is not None and config.groups not in a.columns:
        raise unknown_name(f"column of {config.a}", config.groups, a.columns)
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
        groups=None if config.groups is None else a.columns[config.groups],
        names=_names(config),
        seed=config.seed,
        train_share=config.train_share,
        shuffles=config.shuffles,
    )


def _head(rows: Rows, path: Path | None) -> tuple[Any, Any]:
    """W and the class of each of its rows, where they are known."""
    found = rows.head if path is None else read_head(path)
    return found.get("W"), found.get("head_class")


def _keys(rows: Rows) -> Any:
    return next((rows.columns[name] for name in KEYS if name in rows.columns), None)


def _names(config: CompareConfig) -> tuple[str, str]:
    """File names, with folders where these alone are the same."""
    a, b = config.a, config.b
    names = plain_name(a), plain_name(b)
    return names if names[0] != names[1] else (str(a), str(b))
