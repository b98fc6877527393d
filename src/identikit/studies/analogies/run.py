"""From files to analogies: of factors over samples, or of pairs and questions over words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from identikit.core.errors import InputError, unknown_name
from identikit.core.files import read_regular
from identikit.features.columns import require_labels
from identikit.features.head import read_head
from identikit.features.layer_controls import layer_controls
from identikit.features.layer_list import OnDisk, layer_paths
from identikit.features.load import load_features
from identikit.features.rows import KEYS, Rows, read_rows
from identikit.features.table import read_table
from identikit.probing.analogy_result import Analogies
from identikit.probing.analogy_scores import Words, analogies
from identikit.studies.analogies.config import AnalogiesConfig


def ask(config: AnalogiesConfig) -> Analogies:
    """Ask the vectors.

    Raises:
        InputError: files that cannot be used, or that do not fit each other.
    """
    options: dict[str, Any] = {
        "count": config.count,
        "seed": config.seed,
        "resamples": config.resamples,
    }
    return _factors(config, options) if config.factors is not None else _words(config, options)


def _factors(config: AnalogiesConfig, options: dict[str, Any]) -> Analogies:
    layers = layer_paths(config.vectors)
    first = config.vectors if layers is None else next(iter(layers.values()))
    shared, own = layer_controls(config.control_paths(), layers or {})
    loaded = load_features(
        first,
        factors=config.factors,
        key=config.key,
        only=config.only,
        kinds=config.kinds_by_name(),
        controls=shared,
    )
    rep = loaded.representation
    controls: dict[str, Any] = {} if rep.x is None else {"x": rep.x}
    controls |= {name: h for name, h in loaded.controls.items() if name not in own}
    controls |= {name: OnDisk(paths, loaded.same_samples) for name, paths in own.items()}
    h = rep.h if layers is None else OnDisk(layers, loaded.same_samples)
    return analogies(h, rep.factors, controls=controls, **options)


def _words(config: AnalogiesConfig, options: dict[str, Any]) -> Analogies:
    layers = layer_paths(config.vectors)
    first = config.vectors if layers is None else next(iter(layers.values()))
    rows = read_rows(first)
    words = _names(rows, config)

    def same_words(name: str, path: Path) -> Any:
        other = read_rows(path)
        if _names(other, config) != words:
            raise InputError(
                f"{name} has vectors of other words, or in another order, than the first. Make all "
                "of the same words in one order."
            )
        return other.h

    shared, own = layer_controls(config.control_paths(), layers or {})
    controls: dict[str, Any] = {
        name: same_words(f"control {name!r}", Path(path)) for name, path in shared.items()
    }
    controls |= {name: OnDisk(paths, same_words) for name, paths in own.items()}
    if config.pairs is not None:
        options["pairs"] = _only(read_pairs(config.pairs), config.only)
    else:
        assert config.questions is not None
        options["questions"] = _only(read_questions(config.questions), config.only)
    return analogies(
        rows.h if layers is None else OnDisk(layers, same_words),
        words=words,
        output=None if config.output is None else read_head(config.output)["W"],
        controls=controls,
        **options,
    )


def _names(rows: Rows, config: AnalogiesConfig) -> list[str]:
    known = (config.key,) if config.key else (*KEYS, "word", "words")
    name = next((k for k in known if k in rows.columns), None)
    if name is None:
        raise unknown_name("array of the words' names", config.key or "word", rows.columns)
    column = require_labels(rows.columns[name], name=name, n=len(rows.h))
    return [str(word) for word in column.values.tolist()]


def read_pairs(path: Path) -> Words:
    """The pairs of a table with the columns concept, a and b.

    Raises:
        InputError: a table that cannot be read, or lacks one of them.
    """
    columns = read_table(path, key=None, rows=None).columns
    for name in ("concept", "a", "b"):
        if name not in columns:
            raise unknown_name(f"column of {path}", name, columns)
    cells = {
        name: require_labels(columns[name], name=f"{name} of {path}", n=columns[name].shape[0])
        for name in ("concept", "a", "b")
    }
    frame = pd.DataFrame({name: np.asarray(c.values).astype(str) for name, c in cells.items()})
    return {
        str(concept): list(zip(own["a"], own["b"], strict=True))
        for concept, own in frame.groupby("concept", sort=False)
    }


def read_questions(path: Path) -> Words:
    """Questions in Google's format: four words in a line, below lines that begin with a colon.

    Raises:
        InputError: a file that cannot be read, or another number of words in a line.
    """
    try:
        text = read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as questions: {error}. Give UTF-8 text.") from None
    found: dict[str, list[tuple[str, ...]]] = {}
    section = path.stem
    for number, line in enumerate(text.splitlines(), 1):
        words = tuple(line.split())
        if line.startswith(":"):
            section = line[1:].strip()
        elif words:
            if len(words) != 4:
                raise InputError(
                    f"line {number} of {path} has {len(words)} words; a question has four: a is to "
                    "b as c to d."
                )
            found.setdefault(section, []).append(words)
    return found


def _only(concepts: Words, names: tuple[str, ...]) -> Mapping[str, Any]:
    for name in names:
        if name not in concepts:
            raise unknown_name("concept", name, concepts)
    return {name: concepts[name] for name in names} if names else concepts
