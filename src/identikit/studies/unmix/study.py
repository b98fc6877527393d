"""How a representation is unmixed, and its components saved and drawn."""

from typing import Any

import numpy as np
import torch

from identikit.core.errors import unknown_name
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.features.head import read_head
from identikit.features.load import load_features
from identikit.features.rows import KEYS, read_rows
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
    h, factors, groups, notes = _read(config)
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
    names = _keys(config)
    result = UnmixResult(
        unmixing=found, extremes=_extremes(y, names) if len(names) == len(y) else (), notes=notes
    )
    return result, arrays


def _read(config: UnmixConfig) -> tuple[Any, Factors | None, Any, tuple[str, ...]]:
    """Features, factors where there are any, groups, and what was left out."""
    rows = read_rows(config.features, factors_apart=config.factors is not None)
    apart = {*KEYS, "group", config.groups, config.key}
    if config.factors is None and not rows.columns.keys() - apart:
        if config.groups is None:
            return rows.h, None, None, rows.skipped
        if config.groups not in rows.columns:
            raise unknown_name("column of the features", config.groups, rows.columns)
        return rows.h, None, rows.columns[config.groups], rows.skipped
    loaded = load_features(
        config.features,
        factors=config.factors,
        key=config.key,
        only=config.only,
        kinds=config.kinds_by_name(),
        groups=config.groups,
    )
    rep = loaded.representation
    return rep.h, rep.factors, loaded.groups, loaded.notes


def _keys(config: UnmixConfig) -> list[str]:
    """Names of the samples in the files' order, if they have any."""
    columns = read_rows(config.features, factors_apart=config.factors is not None).columns
    name = next((k for k in (config.key, *KEYS) if k in columns), None)
    return [] if name is None else [str(value) for value in columns[name].values]


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
