"""MIG: how far the most telling code of a factor is ahead of the next.

MIG = mean_j (I(c_(1); z_j) - I(c_(2); z_j)) / H(z_j). Chen et al. (NeurIPS 2018,
arXiv:1802.04942), section 4, with codes as points (their estimator asks for the encoder's
q(z|x)) and information by counting: `information.py` names the variants. Axis-aligned: a rotated
or a duplicated perfect code scores low by design.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from identikit.disentanglement.information import information
from identikit.disentanglement.table import as_table


@dataclass(frozen=True, slots=True, kw_only=True)
class MIG:
    """The mutual information gap."""

    score: float
    """Mean over factors, 0 to 1."""
    per_factor: Float[np.ndarray, " k"]
    """Gap between the two most telling codes, as a share of the factor's entropy."""
    share: Float[np.ndarray, "d k"]
    """Information of each code on each factor, as a share of the factor's entropy."""
    best_code: Int[np.ndarray, " k"]
    """The most telling code of each factor."""
    variant: str
    """How information was estimated."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks for factors on the axes of the code; a rotation destroys it."""


def mig(
    codes: Any, factors: Any, *, variant: str = "adjusted", factor_bins: int | None = None
) -> MIG:
    """The gap; with a single code, the next is taken to tell nothing.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k); each distinct value is a level.
        variant: How information is estimated.
        factor_bins: Cuts continuous factors into levels of equal mass.

    Raises:
        InputError: input that cannot be used.
    """
    table = as_table(codes, factors, factor_bins=factor_bins)
    share = information(table, variant=variant).share
    gap = top_gap(share)
    return MIG(
        score=float(gap.mean()),
        per_factor=gap,
        share=share,
        best_code=share.argmax(axis=0),
        variant=variant,
        status=table.numbers.status,
    )


def top_gap(scores: Float[np.ndarray, "d k"]) -> Float[np.ndarray, " k"]:
    """Largest less second largest of each column."""
    ordered = np.sort(np.concatenate([np.zeros((1, scores.shape[1])), scores]), axis=0)
    return np.asarray(ordered[-1] - ordered[-2])
