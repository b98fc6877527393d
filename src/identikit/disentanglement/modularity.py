"""Modularity: does each code speak of one factor alone?

For information m (d, k) and the largest entry M_i of row i,
modularity_i = 1 - sum_{j != argmax} m_ij² / (M_i² (k - 1)). Ridgeway & Mozer (NeurIPS 2018,
arXiv:1802.05312), section 3. The mean runs over codes that tell something of some factor: for a
silent code the formula is 0/0, and taken as 0 (disentanglement_lib's choice, here in the variant
`equal-width-20`) it would punish room to spare. Axis-aligned, but content with duplicated codes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from identikit.core.errors import InputError
from identikit.disentanglement.information import information
from identikit.disentanglement.table import OK, as_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Modularity:
    """Whether codes keep to one factor each."""

    score: float
    """Mean over informative codes, 0 to 1; 0 where no code is."""
    per_code: Float[np.ndarray, " d"]
    """0 for codes that tell nothing."""
    nats: Float[np.ndarray, "d k"]
    """Mutual information of each code with each factor."""
    variant: str
    """How information was estimated."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks for factors on the axes of the code; a rotation destroys it."""


def modularity(
    codes: Any, factors: Any, *, variant: str = "adjusted", factor_bins: int | None = None
) -> Modularity:
    """The mean over codes.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k), k at least 2; each distinct value is a level.
        variant: How information is estimated.
        factor_bins: Cuts continuous factors into levels of equal mass.

    Raises:
        InputError: input that cannot be used, or a single factor.
    """
    table = as_table(codes, factors, factor_bins=factor_bins)
    if table.levels.shape[1] < 2:
        raise InputError("modularity compares factors with each other; give two or more.")
    found = information(table, variant=variant)
    square = np.square(found.nats)
    top = square.max(axis=1)
    rest = (square.sum(axis=1) - top) / (square.shape[1] - 1)
    telling = found.informative
    per_code = np.where(telling, 1 - rest / np.where(top > 0, top, 1.0), 0.0)
    counted = per_code if variant == "equal-width-20" else per_code[telling]
    silent = int((~telling).sum())
    return Modularity(
        score=float(counted.mean()) if len(counted) else 0.0,
        per_code=per_code,
        nats=found.nats,
        variant=variant,
        status=f"{silent} of {len(telling)} codes tell nothing of any factor" if silent else OK,
    )
