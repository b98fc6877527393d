"""T-MEX: in how many entries does what codes are shown to measure differ from what they should?

W_ij = 1 if code i is meant to measure factor j. W^_ij = 1 if a test at level 0.05 rejects that code
i is independent of factor j given all other factors. T-MEX = sum_ij |W^_ij - W_ij|: 0 is best. Yao
et al. (NeurIPS 2025, arXiv:2505.17708), who leave the test open; ours is the one of their
demonstration, the generalised covariance measure with linear regressions (Shah & Peters, Annals of
Statistics 2020): for residuals r of code and s of factor on the other factors,
T = sqrt(n) mean(r s) / sd(r s), two-sided normal. Rows with rounding for residuals tell nothing.

Each entry is tested at its level, so a perfect code has 0.05 d (k - 1) wrong ones on average. A
factor that is a linear function of the others is shown of no code; a code that is a crooked
function of one factor is shown to measure those that depend on it in a crooked way, too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtr

from identikit.core.errors import InputError
from identikit.core.linalg import least_squares
from identikit.disentanglement.table import as_numbers

NOTHING = 1e-9
"""Of a column's size, below which its residuals are rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TMEX:
    """The number of wrong entries, and all of them."""

    errors: float
    """T-MEX itself: 0 is best."""
    score: float
    """1 less the wrong entries for each code: 1 is best, and it may be below 0."""
    p_value: Float[np.ndarray, "d k"]
    """Of code i being independent of factor j given the others."""
    measured: Bool[np.ndarray, "d k"]
    """What each code is shown to measure."""
    meant: Bool[np.ndarray, "d k"]
    """What each code is meant to measure."""
    variant: str
    """Which test, and where `meant` comes from: `given` or `assigned`."""
    status: str
    """`ok`, or why to read the score with care."""
    axis_aligned: bool = True
    """Asks for one factor in each code; a rotation destroys it."""


def tmex(codes: Any, factors: Any, *, meant: Any = None, level: float = 0.05) -> TMEX:
    """The count.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k), as numbers; k at least 2.
        meant: (d, k) of yes and no: which factors each code is meant to measure. By default one
            each: codes and factors are paired so that the fewest entries are wrong, and further
            codes are meant to measure one factor each, whichever they show.
        level: Of each test.

    Raises:
        InputError: input that cannot be used, or a single factor.
    """
    numbers = as_numbers(codes, factors)
    d, k = numbers.codes.shape[1], numbers.factors.shape[1]
    if k < 2:
        raise InputError("T-MEX tests each factor given the others; give two or more.")
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1; got {level}.")
    p = np.stack([_p_values(numbers.standardised(), numbers.factors, j) for j in range(k)], axis=1)
    measured = p < level
    if meant is None:
        wanted = _assigned(measured)
    else:
        wanted = np.asarray(meant)
        if wanted.shape != (d, k) or not np.isin(wanted, (0, 1)).all():
            raise InputError(
                f"meant must be yes or no for each of {d} codes and {k} factors; got shape "
                f"{wanted.shape}."
            )
        wanted = wanted.astype(bool)
    wrong = measured != wanted
    return TMEX(
        errors=float(wrong.sum()),
        score=1 - float(wrong.sum()) / d,
        p_value=p,
        measured=measured,
        meant=wanted,
        variant=f"linear covariance measure, {'assigned' if meant is None else 'given'}",
        status=numbers.status,
    )


def _p_values(
    codes: NDArray[np.float64], factors: NDArray[np.float64], j: int
) -> NDArray[np.float64]:
    """Of all codes and factor j, given the other factors."""
    z = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    both = torch.from_numpy(np.column_stack([codes, z[:, j]]))
    others = torch.from_numpy(np.delete(z, j, axis=1))
    fit = least_squares(others, both)
    residual = (both - others @ fit.coefficient - fit.intercept).numpy()
    residual *= residual.std(axis=0) > NOTHING
    product = residual[:, :-1] * residual[:, -1:]
    size = product.std(axis=0)
    t = np.divide(
        np.sqrt(len(z)) * product.mean(axis=0), size, out=np.zeros_like(size), where=size > 0
    )
    return np.asarray(2 * ndtr(-np.abs(t)))


def _assigned(measured: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One factor for each code: one to one first, then whichever a code is shown to measure."""
    meant = np.zeros_like(measured)
    meant[np.arange(len(measured)), measured.argmax(axis=1)] = True
    rows, columns = linear_sum_assignment(measured, maximize=True)
    meant[rows] = False
    meant[rows, columns] = True
    return meant
