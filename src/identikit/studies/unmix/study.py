"""How a representation is unmixed, and its components saved and drawn."""

from typing import Any

import numpy as np
import torch

from identikit.core.errors import unknown_name
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.features.head import read_head
from identikit.features.load import load_features
from identikit.features.rows import GROUP, KEYS, read_rows
from identikit.runs.study import Arrays, Context, Study
from identikit.studies.unmix.config import UnmixConfig
from identikit.studies.unmix.page import unmix_page
from identikit.studies.unmix.result import UnmixResult
from identikit.unmixing.unmix import unmix

DRAWN = 1000
"""Samples that figures are made of."""
EXTREMES = 5
"""Samples at either end of a component that its card names."""


def _compute(config: UnmixConfig, context: Context) -> tuple[UnmixResult, Arrays]:
    h, factors, groups, keys, notes = _read(config)
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
        for own in found.factors:
            arrays[f"factor {own.name}"] = factors[own.name].values[some].double().numpy()
    extremes = () if keys is None else _extremes(y, [str(key) for key in keys])
    return UnmixResult(unmixing=found, extremes=extremes, notes=notes), arrays


def _read(config: UnmixConfig) -> tuple[Any, Factors | None, Any, Any, tuple[str, ...]]:
    """Features, factors where there are any, groups, names, and what was left out."""
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
    return rep.h, rep.factors, loaded.groups, loaded.keys, loaded.notes


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
