"""What every score says of codes and factors, and the sizes and structures that it is asked of."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from identikit import disentanglement as classic
from identikit.core.factors import Factors
from identikit.core.linalg import least_squares, r2_score
from identikit.core.randomness import stream
from identikit.probing.componentwise import componentwise_mcc
from identikit.probing.score import score
from identikit.statistics.measures import correlations, matched
from identikit.studies.scores.config import ScoresConfig
from identikit.studies.scores.constructions import ENCODERS, STRUCTURES, Setting, UpTo

BINS = 20
"""Levels of equal mass, for the scores of levels."""
RESAMPLES = 100
"""As few as there may be: no interval is looked at."""
SCORES = {
    "R²": UpTo.LINEAR,
    "R², rows fitted to": UpTo.LINEAR,
    "MCC": UpTo.COMPONENTS,
    "MCC, rows assigned by": UpTo.COMPONENTS,
    "MCC of functions": UpTo.COMPONENTS,
    "DCI disentanglement": UpTo.COMPONENTS,
    "DCI completeness": UpTo.COMPONENTS,
    "DCI informativeness": UpTo.ANYTHING,
    "MIG": UpTo.COMPONENTS,
    "SAP": UpTo.COMPONENTS,
    "modularity": UpTo.COMPONENTS,
    "explicitness": UpTo.LINEAR,
    "InfoM": UpTo.COMPONENTS,
    "InfoE": UpTo.LINEAR,
    "InfoC": UpTo.COMPONENTS,
    "T-MEX": UpTo.COMPONENTS,
}
"""What each is read as asking: which share of the factors is identified up to that."""
SIZES = tuple((n, k, m) for k, m in ((5, 5), (5, 50), (25, 50)) for n in (50, 100, 1000))
"""Samples, factors and codes at which codes that know nothing are scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One construction with one seed, and what the scores say of it."""

    setting: Setting
    seed: int
    scores: dict[str, float]


def settings(config: ScoresConfig) -> Iterator[Setting]:
    """The grid, then the sizes."""
    for structure in STRUCTURES:
        for encoder in ENCODERS:
            if encoder != "padded":
                yield Setting(structure, encoder, config.samples, config.factors)
    if config.sizes:
        for n, k, m in SIZES:
            for encoder in ("nothing", "padded"):
                yield Setting("independent", encoder, n, k, m)


def measured(setting: Setting, seed: int) -> Cell:
    """Draw, and ask every score."""
    h, z = setting.draw(stream(seed, f"scores/{setting}"))
    return Cell(setting=setting, seed=seed, scores=scores_of(h, z, seed=seed))


def scores_of(h: Float[Tensor, "n m"], z: Float[Tensor, "n k"], *, seed: int) -> dict[str, float]:
    """All of them, each of which is 1 at its best; some may be below 0."""
    maps = score(h, Factors.from_latents(z), seed=seed, resamples=RESAMPLES).latents
    assert maps is not None
    fit = least_squares(h, z)
    missing = max(0, z.shape[1] - h.shape[1])  # a code of noise for a factor without one
    noise = torch.randn(len(z), missing, generator=stream(seed, "missing"), dtype=torch.float64)
    functions = componentwise_mcc(torch.cat([h, noise], dim=1), z, seed=seed, resamples=RESAMPLES)
    codes, factors = h.numpy(), z.numpy()

    def drawn(name: str) -> torch.Generator:
        return stream(seed, name)

    dci = classic.dci(codes, factors, generator=drawn("DCI"), variant="regression-trees")
    mec = classic.infomec(codes, factors, generator=drawn("InfoMEC"), factor_bins=BINS)
    plain = classic.explicitness(codes, factors, generator=drawn("explicitness"), factor_bins=BINS)
    found = (
        maps.affine.mean.value,
        r2_score(h @ fit.coefficient + fit.intercept, z).mean().item(),
        abs(maps.mcc_strong.mean.value),
        matched(correlations(h, z).abs()).sum().item() / z.shape[1],
        functions.mean.value,
        dci.disentanglement,
        dci.completeness,
        dci.informativeness,
        classic.mig(codes, factors, factor_bins=BINS).score,
        classic.sap(codes, factors, generator=drawn("SAP"), variant="linear").score,
        classic.modularity(codes, factors, factor_bins=BINS).score,
        2 * plain.score - 1,
        mec.modularity,
        mec.explicitness,
        mec.compactness,
        classic.tmex(codes, factors).score,
    )
    return dict(zip(SCORES, found, strict=True))
