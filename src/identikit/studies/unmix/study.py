"""How a representation is unmixed, and its components saved and drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from identikit.core.errors import InputError, unknown_name
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.features.head import read_head
from identikit.features.load import load_features
from identikit.features.rows import GROUP, KEYS, read_rows
from identikit.runs.study import Arrays, Context, Study
from identikit.studies.unmix.config import UnmixConfig
from identikit.studies.unmix.page import unmix_page
from identikit.studies.unmix.result import UnmixResult
from identikit.unmixing.unmix import numbers, unmix

DRAWN = 1000
"""Samples that figures are made of."""
EXTREMES = 5
"""Samples at either end of a component that its card names."""
CARDS = 12
"""Components that have a card beside their row of the table."""
SIDE = 64
"""Pixels of an image on a card."""


def _compute(config: UnmixConfig, context: Context) -> tuple[UnmixResult, Arrays]:
    h, factors, groups, names, notes = _read(config)
    head = None if config.head is None else read_head(config.head)["W"]
    found = unmix(
        h,
        factors,
        head=head,
        components=config.components,
        codes=config.codes,
        groups=groups,
        seed=config.seed,
        train_share=config.train_share,
        starts=config.starts,
        resamples=config.resamples,
    )
    y = found.components_of(h)
    some = torch.randperm(len(y), generator=stream(config.seed, "drawn"))[:DRAWN].sort().values
    arrays = {"components": y[some.numpy()]}
    if factors is not None:
        for name, values in numbers(factors, len(y), room=len(found.components))[0].items():
            arrays[f"factor {name}"] = values[some].numpy()
    extremes = () if names is None else _extremes(y, [str(name) for name in names])
    order = sorted(range(len(found.components)), key=lambda j: not found.components[j].factor)
    carded = tuple(order[:CARDS])
    shown = [name for j in carded for end in extremes[j] for name in end] if extremes else []
    pictured = tuple(dict.fromkeys(shown)) if config.images else ()
    if config.images is not None:
        if names is None:
            raise InputError(f"{config.images}: no images without names of samples. Give --key.")
        arrays["images"] = np.stack([_thumbnail(config.images / name) for name in pictured])
    result = UnmixResult(
        unmixing=found, extremes=extremes, carded=carded, pictured=pictured, notes=notes
    )
    return result, arrays


def _thumbnail(path: Path) -> np.ndarray:
    """The middle square of an image, small."""
    from PIL import Image, ImageOps  # matplotlib brings it, and few ask for images

    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.fit(image.convert("RGB"), (SIDE, SIDE)))
    except OSError as error:
        raise InputError(
            f"cannot read the image {path}: {error}. --images takes the folder in which samples "
            "are named as the features name them."
        ) from error


def _read(config: UnmixConfig) -> tuple[Any, Factors | None, Any, Any, tuple[str, ...]]:
    """Features, factors where there are any, groups, names or texts, and what was left out."""
    if config.factors is None:
        rows = read_rows(config.features)
        columns, key = rows.columns, rows.key(config.key)
        if not columns.keys() - {*KEYS, GROUP, config.groups, config.key}:
            if config.groups is not None and config.groups not in columns:
                raise unknown_name("column of the features", config.groups, columns)
            groups = None if config.groups is None else columns[config.groups]
            names = None if key is None else columns[key].values
            return rows.h, None, groups, names, rows.skipped
    loaded = load_features(
        config.features,
        factors=config.factors,
        key=config.key,
        only=config.only,
        kinds=config.kinds_by_name(),
        groups=config.groups,
    )
    rep = loaded.representation
    names = loaded.keys if loaded.texts is None else loaded.texts
    return rep.h, rep.factors, loaded.groups, names, loaded.notes


def _extremes(y: np.ndarray, names: list[str]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Of each component the samples of its largest and of its smallest values."""
    order = y.argsort(axis=0)
    count = min(EXTREMES, len(y) // 2)
    return tuple(
        (
            tuple(names[i] for i in column[::-1][:count]),
            tuple(names[i] for i in column[:count]),
        )
        for column in order.T
    )


UNMIX = Study(name="unmix", result=UnmixResult, compute=_compute, page=unmix_page)
"""`identikit unmix`."""
