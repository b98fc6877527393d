"""From files to scores: h, beside the observations and a random projection of them."""

import re
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.factors import Factor, Kind
from identikit.core.memory_mapped import projected
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.features import load_features
from identikit.features.paths import plain_name
from identikit.probing.result import Recovery
from identikit.probing.score import score
from identikit.runs.store import Draft
from identikit.runs.study import Outcome, Study, Watch
from identikit.studies.probe.classic import ClassicScore, classic_scores
from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.page import probe_page

MOST_OBSERVED = 2048
"""Dimensions of observations, or samples of them, from which a random projection stands for
them: its statistics would take gigabytes otherwise."""
PROJECTION = "random projection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What came out, and what went in."""

    recovery: Recovery
    kinds: dict[str, str]
    """Of each factor, in words."""
    notes: tuple[str, ...]
    """What was left out, and what else a reader should know of the data."""
    classic: tuple[ClassicScore, ...] = ()


def probe(config: ProbeConfig) -> Probed:
    """Read every factor out of the features.

    Raises:
        InputError: files or factors that cannot be used.
    """
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
    )
    whole = rep.factors.complete()
    if config.classic and rep.factors.incomplete():
        notes = [*notes, "the classic scores are of the factors that every sample has a value of"]
    return Probed(
        recovery=recovery,
        kinds={name: _kind(f, name in kinds) for name, f in rep.factors.items()},
        notes=(*loaded.notes, *notes),
        classic=classic_scores(rep.h, whole, seed=config.seed) if config.classic and whole else (),
    )


def _observations(rep: Representation, *, seed: int) -> tuple[dict[str, Tensor], list[str]]:
    """Controls that need no training: the observations, and as many dimensions of them as h has."""
    if rep.x is None:
        return {}, []
    (n, wide), dim = rep.x.shape, rep.h.shape[1]
    x, notes = rep.x, []
    if min(n, wide) > MOST_OBSERVED:
        x = random_projection(rep.x, MOST_OBSERVED, generator=stream(seed, "observations"))
        notes = [f"x stands for {MOST_OBSERVED:,} random directions of its {wide:,} dimensions"]
    found = {"x": x}
    if dim < x.shape[1]:  # with more dimensions it would span what x spans
        generator = stream(seed, PROJECTION)
        found[PROJECTION] = random_projection(rep.x, dim, generator=generator)
    return found, notes


def random_projection(
    x: Float[Tensor, "n d"], dim: int, *, generator: torch.Generator
) -> Float[Tensor, "n dim"]:
    """Gaussian directions of x, which keep its distances on average."""
    axes = torch.randn(x.shape[1], dim, generator=generator) / dim**0.5
    return projected(x, axes.double(), dtype=torch.float32)


def _kind(factor: Factor, given: bool) -> str:
    words = str(factor.kind)
    if factor.period is not None:
        words += f", one turn is {factor.period:g}"
    if factor.kind in (Kind.CATEGORICAL, Kind.BINARY, Kind.ORDINAL):
        words += f", {len(factor.levels)} levels"
    return f"{words} ({'given' if given else 'inferred'})"


def probe_summary(probed: Probed) -> dict[str, Any]:
    """The numbers a script asks for, by name."""
    return {
        "status": "completed",
        "scores": {s.name: s.estimate.value for s in probed.recovery.factors},
        "kinds": probed.kinds,
        "notes": list(probed.notes),
        "classic": [asdict(each) for each in probed.classic],
        "recovery": probed.recovery.to_dict(),
    }


def _compute(config: ProbeConfig, draft: Draft, on_progress: Watch | None) -> Outcome:
    return probe_summary(probe(config)), {}


PROBE: Study[Any] = Study(
    command="probe",
    compute=_compute,
    page=probe_page,
    label=lambda config: "-".join(re.findall(r"[\w.]+", plain_name(config.features[0]))),
)
