"""The numbers behind a recovery: scores with their intervals, what they compare with, a status.

Frozen, made of plain numbers and strings only, so that they go to JSON and back unchanged.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from identikit.core.estimate import Estimate, Scores, format_number
from identikit.core.factors import Kind

if TYPE_CHECKING:
    pass

OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorScore:
    """How well one factor is read out of one set of features, on held-out samples."""

    name: str
    kind: Kind
    measure: str
    """R², circular R², Spearman, balanced accuracy or AUC."""
    estimate: Estimate
    """With the interval given the fitted map: held-out samples, or groups, drawn anew."""
    over_training: Estimate | None = None
    """With the interval over training rows too, for the score of maps fitted as this one."""
    chance: float
    """What features that know nothing of the factor are expected to reach."""
    p_value: float | None = None
    """Share of permutations of the held-out factor under which the same linear probe scores as
    well or better, itself counted."""
    p_holm: float | None = None
    """Corrected for the number of factors: if all below 0.05 are taken for real, the chance
    that any is not is at most 0.05 (Holm)."""
    p_fdr: float | None = None
    """The same for the expected share of wrong ones (Benjamini and Hochberg)."""
    least_p_value: float | None = None
    """The smallest `p_value` that could have come out: 1 where nothing may be shuffled."""
    least_p_holm: float | None = None
    """The smallest `p_holm` that could have come out: above 0.05 the test can find nothing."""
    effective_n: int | None = None
    """Held-out groups (or samples) that decide the score: of the rarest level, for classes; else
    as many as heavy tails and rare values leave (`statistics.intervals.effective`)."""
    above: Mapping[str, Estimate] = field(default_factory=dict)
    """The score less that of each control, paired over the same held-out samples."""
    same_items: Estimate | None = None
    """The score on other samples of the items fitted on, where a factor can be memorised."""
    control_task: Estimate | None = None
    """The same for random values of the items, mean over draws: what is memorised, not read."""
    selectivity: Estimate | None = None
    """The score less that of the control task."""
    extras: Mapping[str, float] = field(default_factory=dict)
    """Further held-out numbers; errors of circular factors in the factor's own unit."""
    chances: Mapping[str, float] = field(default_factory=dict)
    """Of the extras whose chance level is known, what it is for these held-out samples."""
    row_space: Estimate | None = None
    """From the part of h inside the head's row space: what theory speaks of."""
    complement: Estimate | None = None
    """From the part of h outside it: inductive bias, not guaranteed."""
    status: str = OK
    """`ok`, or why the number needs care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapScores:
    """How nearly h is an affine, linear or orthogonal image of z, on held-out points."""

    names: tuple[str, ...]
    """The columns of z, in the order of `per_factor`."""
    affine: Scores
    """R² of least squares with intercept."""
    linear: Scores
    """R² of least squares without intercept."""
    procrustes: Scores
    """R² of the best scaled rotation, no shift."""
    mcc_weak: Scores
    """Correlation of each factor with its affine prediction."""
    mcc_strong: Scores
    """Correlation of each factor with the one column of h assigned to it."""
    isometry_error: Estimate | None
    """Mean |s - mean s| / mean s over the singular values s of the affine map from z to h,
    0 for a scaled isometry; None where h does not vary, points are too few or factors more than
    64."""
    map_condition_number: float | None
    """Largest over smallest of these singular values; None where some are zero."""
    rank: int
    """Directions of h above the relative cut-off, of the training points."""
    condition_number: float | None
    """Of the standardised training h, over the directions kept; None for rank 0."""
    coefficient: tuple[tuple[float, ...], ...]
    """The fitted affine map, d_h rows of d_z (of the last fold, where there are several)."""
    intercept: tuple[float, ...]
    n_train: int
    """Independent points that fitted the map: samples, or classes for a head."""
    n_test: int
    status: str = OK
    """`ok`, or why the numbers need care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryScores:
    """The numbers of a `Recovery`."""

    factors: tuple[FactorScore, ...]
    latents: MapScores | None = None
    """From h to all factors at once, where all are continuous."""
    head: MapScores | None = None
    """From head rows to class vectors, split by class."""
    controls: Mapping[str, tuple[FactorScore, ...]] = field(default_factory=dict)
    """The same linear probes of other features; `x` is the identity baseline."""
    ceiling: float | None = None
    """The R² that theory allows (mean over factors), where it is known."""
    objective: str | None = None
    """What the ceiling is the optimum of; None where it was given as a number alone."""
    n_train: int
    n_test: int
    dim: int
    """Dimensions of h."""
    rank: int | None = None
    """Directions in which the training part of h varies, above the relative cut-off."""
    condition_number: float | None = None
    """Of its columns at equal norm, over these directions; None where there are none."""
    status: str = OK
    """`ok`, or how many of the dimensions are dead, duplicated or beyond precision."""

    @property
    def prediction(self) -> str | None:
        """Whose optimum the ceiling is, in words; None without a ceiling."""
        if self.ceiling is None:
            return None
        whose = self.objective or "an objective that was not named"
        return f"the optimum of {whose} has R² {format_number(self.ceiling)}"

    def mean(self, control: str | None = None) -> float:
        """Mean over the factors of their scores, for h or for the control of that name."""
        scores = self.factors if control is None else self.controls[control]
        return sum(score.estimate.value for score in scores) / len(scores)

    def to_frame(self) -> pd.DataFrame:
        """One row per factor and features: h, its parts in and off the head row space, controls."""
        rows: list[dict[str, object]] = []
        for features, scores in {"h": self.factors, **self.controls}.items():
            for score in scores:
                parts = {
                    features: score.estimate,
                    f"{features}, interval over training rows too": score.over_training,
                    f"{features} in the head row space": score.row_space,
                    f"{features} in its complement": score.complement,
                }
                rows += [
                    {
                        "factor": score.name,
                        "kind": str(score.kind),
                        "features": part,
                        "measure": score.measure,
                        **asdict(estimate),
                        "chance": score.chance,
                        "p_holm": score.p_holm if part == features else None,
                        "status": score.status,
                    }
                    for part, estimate in parts.items()
                    if estimate is not None
                ]
        return pd.DataFrame(rows)
