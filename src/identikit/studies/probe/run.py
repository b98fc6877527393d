"""From files to scores: h, beside the observations and a random projection of them."""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Kind
from identikit.core.memory_mapped import projected
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.features.load import load_features
from identikit.probing.score import score
from identikit.studies.probe.classic import classic_scores
from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.result import ProbeStudyResult

MOST_OBSERVED = 2048
"""Dimensions of observations, or samples of them, from which a random projection stands for
them: its statistics would take gigabytes otherwise."""
PROJECTION = "random projection"


def probe(config: ProbeConfig) -> ProbeStudyResult:
    """Read every factor out of the features.

    Raises:
        InputError: files or factors that cannot be used.
    """
    if config.of_layers(each=False) is not None:
        raise InputError(
            f"{config.features[0]} holds layers, or is one of several: give a ProbeLayersConfig."
        )
    kinds = config.kinds_by_name()
    loaded = load_features(
        config.features,
        factors=config.factors,
        key=config.key,
        only=config.only,
        kinds=kinds,
        head=config.head,
        controls=config.control_paths(),
        items=config.items,
        groups=config.groups,
        partial=config.partial,
        skip_corrupt=config.skip_corrupt,
    )
    rep = loaded.representation
    observed, notes = _observations(rep, seed=config.seed)
    recovery = score(
        rep.h,
        rep.factors,
        head=rep.head,
        head_class=rep.head_class,
        class_vectors=rep.class_vectors,
        controls=observed | dict(loaded.controls),
        items=loaded.items,
        groups=loaded.groups,
        seed=config.seed,
        train_share=config.train_share,
        resamples=config.resamples,
        refits=config.refits,
    )
    whole = rep.factors.complete()
    if config.classic and rep.factors.incomplete():
        notes = [*notes, "the classic scores are of the factors that every sample has a value of"]
    return ProbeStudyResult.of(
        recovery,
        kinds={name: kind_in_words(f, name in kinds) for name, f in rep.factors.items()},
        notes=(*loaded.notes, *notes),
        classic=classic_scores(rep.h, whole, seed=config.seed) if config.classic and whole else (),
    )


def _observations(rep: Representation, *, seed: int) -> tuple[dict[str, Tensor], list[str]]:
    """Controls that need no training: the observations, and as many dimensions of them as h has."""
    if rep.x is None:
        return {}, []
    x, notes = observed(rep.x, seed=seed)
    found, dim = {"x": x}, rep.h.shape[1]
    if dim < x.shape[1]:  # with more dimensions it would span what x spans
        generator = stream(seed, PROJECTION)
        found[PROJECTION] = random_projection(rep.x, dim, generator=generator)
    return found, notes


def observed(x: Float[Tensor, "n d"], *, seed: int) -> tuple[Float[Tensor, "n _"], list[str]]:
    """The observations as a control, or as many random directions of them as are enough.

    Args:
        x: Flattened observations.
        seed: Of the directions.

    Returns:
        The control, and what to say of it.
    """
    n, wide = x.shape
    if min(n, wide) <= MOST_OBSERVED:
        return x, []
    some = random_projection(x, MOST_OBSERVED, generator=stream(seed, "observations"))
    return some, [f"x stands for {MOST_OBSERVED:,} random directions of its {wide:,} dimensions"]


def random_projection(
    x: Float[Tensor, "n d"], dim: int, *, generator: torch.Generator
) -> Float[Tensor, "n dim"]:
    """Gaussian directions of x, which keep its distances on average."""
    axes = torch.randn(x.shape[1], dim, generator=generator) / dim**0.5
    return projected(x, axes.double(), dtype=torch.float32)


def kind_in_words(factor: Factor, given: bool) -> str:
    """A factor's kind, with how many levels it has and whether somebody said so."""
    words = str(factor.kind)
    if factor.period is not None:
        words += f", one turn is {factor.period:g}"
    if factor.kind in (Kind.CATEGORICAL, Kind.BINARY, Kind.ORDINAL):
        words += f", {len(factor.levels)} levels"
    return f"{words} ({'given' if given else 'inferred'})"
