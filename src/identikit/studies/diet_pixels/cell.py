"""One training on photographs: the encoder, and what is in it beside pixels and its start."""

import shutil

from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.threads import processor_threads
from identikit.features.columns import as_column
from identikit.features.rows import read_rows
from identikit.features.table import match
from identikit.probing.default_measures import MEASURES
from identikit.runs.study import Arrays, Context
from identikit.studies.diet_pixels.config import CONDITIONS, REFERENCE, PhotographsConfig
from identikit.studies.diet_pixels.photographs import (
    Photographs,
    chance,
    load_photographs,
    read_out,
)
from identikit.studies.diet_pixels.result import PhotographsResult
from identikit.studies.train.images import TrainingImages
from identikit.studies.train.run import Training, pixels_of
from identikit.training.fit import Record


def compute(config: PhotographsConfig, context: Context) -> tuple[PhotographsResult, Arrays]:
    """Train, unless features are given, and read the factors out.

    Raises:
        InputError: a file or features that cannot be used.
        TrainingError: the loss is not finite.
    """
    with processor_threads(1):
        photographs = load_photographs(config.data, config.file, size=config.size)
        features, history = _features(config, photographs, context)
        scores = {
            name: read_out(h, photographs, config.held_out, seed=config.seed)
            for name, h in features.items()
        }
    factors = {name: photographs.factors[name] for name in photographs.read(config.held_out)}
    return PhotographsResult(
        status="completed" if features else "interrupted",
        scores=scores,
        measures={name: MEASURES[factor.kind].name for name, factor in factors.items()},
        chances={name: chance(factor) for name, factor in factors.items()},
        history=history,
    ), {}


def _features(
    config: PhotographsConfig, photographs: Photographs, context: Context
) -> tuple[dict[str, Tensor], tuple[Record, ...]]:
    """H and its controls, none after Ctrl-C; and how training went, if there was any."""
    if config.condition == REFERENCE:
        return _given(config, photographs), ()
    classes = CONDITIONS[config.condition].classes
    images = TrainingImages(
        pixels=photographs.pixels,
        keys=photographs.keys,
        classes=None if classes is None else photographs.factors[classes].values,
        factors=None,
        groups=None,
        unreadable={},
        trained=~photographs.held_out(config.held_out, seed=config.seed),
    )
    training = Training(config.training, images)
    checkpoint = context.draft.checkpoint
    fitted = training.fit(checkpoint, context.tell)
    if fitted.status == "interrupted":
        return {}, tuple(fitted.history)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return training.every_feature(), tuple(fitted.history)


def _given(config: PhotographsConfig, photographs: Photographs) -> dict[str, Tensor]:
    """Features that lie in a folder, in the order of the photographs, beside the pixels."""
    assert config.features is not None
    rows = read_rows(config.features)
    key = rows.key()
    if key is None:
        raise InputError(
            f"{config.features} does not say which image each row is of. Give a folder that "
            "identikit extract made."
        )
    place = match(as_column(photographs.keys), rows.columns[key], path=config.features)
    return {"h": rows.h[place.rows], "pixels": pixels_of(photographs.pixels)}
