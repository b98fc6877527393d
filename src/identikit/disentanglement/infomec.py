"""InfoMEC: modularity, explicitness and compactness of codes, all by information.

For shares N (d, k) of the factors' entropy that codes tell of them, rows of inactive codes left
out, InfoM = mean over codes of (max_j N_ij / sum_j N_ij - 1/k) / (1 - 1/k), and InfoC the same over
factors, by columns and 1/d. InfoE = mean over factors of 1 - H_V(z | c) / H_V(z), H_V the least
log-loss of linear classifiers, which may be constants (predictive V-information, Xu et al.,
arXiv:2002.10689); for factors that are numbers that is R². Hsu et al. (NeurIPS 2023,
arXiv:2305.18378), section 5. Variants:

`adjusted`: N by `information.py`, corrected for chance; a code is inactive if it tells nothing of
any factor; InfoE of held-out rows, at least 0, which a constant reaches.
`nearest-neighbours`, the authors': N by Ross's estimate with ten neighbours (PLoS ONE 2014); a code
is inactive if its range is a twentieth of the widest or less; InfoE of the rows fitted to.

Classifiers are all but unpenalised. The authors weight levels alike in their fits, which is the
same where levels are as frequent; codes of few values, which they can treat as levels, are numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sklearn.feature_selection import mutual_info_classif

from identikit.core.errors import InputError, unknown_name
from identikit.core.linalg import least_squares, r2_score
from identikit.disentanglement.information import information
from identikit.disentanglement.logistic import fit_logistic, log_softmax
from identikit.disentanglement.table import OK, Table, as_table, split_rows

VARIANTS = ("adjusted", "nearest-neighbours")
NEIGHBOURS, NARROW = 10, 1 / 20
LOOSE = 100.0
"""Factor on codes in standard units, by whose square the penalty on weights shrinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoMEC:
    """The three scores, each at most 1, and what they were made from."""

    modularity: float
    """InfoM: 1 where each active code tells of one factor; 0 where none is active."""
    explicitness: float
    """InfoE: 1 where linear predictors leave nothing unknown of any factor."""
    compactness: float
    """InfoC: 1 where each factor is told of by one active code."""
    share: Float[np.ndarray, "d k"]
    """Information of each code on each factor, as a share of the factor's entropy."""
    active: Bool[np.ndarray, " d"]
    """Which codes count."""
    per_code: Float[np.ndarray, " d"]
    """Modularity of each code; 0 for those that do not count."""
    per_factor: Float[np.ndarray, " k"]
    """Compactness of each factor; 0 for one that no active code tells of."""
    explicitness_per_factor: Float[np.ndarray, " k"]
    """Share of the loss of constants that linear predictors save."""
    variant: str
    """How information was estimated, and on which rows explicitness."""
    status: str
    """`ok`, or why to read the scores with care."""
    axis_aligned: bool = True
    """InfoM and InfoC ask for factors on the axes of the code; a rotation destroys them."""


def infomec(
    codes: Any,
    factors: Any,
    *,
    generator: torch.Generator,
    variant: str = "adjusted",
    factor_bins: int | None = None,
    test_share: float = 1 / 3,
) -> InfoMEC:
    """Modularity, explicitness, compactness.

    Args:
        codes: (n, d), NumPy or torch.
        factors: (n, k), k at least 2; each distinct value is a level.
        generator: Splits the rows, or breaks ties between neighbours.
        variant: See the head of this module.
        factor_bins: Cuts continuous factors into levels of equal mass, for InfoM and InfoC; InfoE
            is then of their numbers.
        test_share: For `adjusted`, the share of rows that InfoE is of.

    Raises:
        InputError: input that cannot be used, or a single factor.
    """
    if variant not in VARIANTS:
        raise unknown_name("variant of InfoMEC", variant, VARIANTS)
    table = as_table(codes, factors, factor_bins=factor_bins)
    h, z = table.numbers.codes, table.numbers.factors
    k = z.shape[1]
    if k < 2:
        raise InputError("InfoMEC compares factors with each other; give two or more.")
    if variant == "adjusted":
        found = information(table, variant="adjusted")
        share, active = found.share, found.informative
        train, test = split_rows(len(h), share=test_share, generator=generator)
    else:
        share, ranges = _nearest_neighbours(table, generator), np.ptp(h, axis=0)
        active = ranges > NARROW * ranges.max()
        train = test = np.arange(len(h))
    numbers = factor_bins is not None
    saved = (_explained if numbers else _saved)(table, train, test)
    counted = np.where(active[:, None], share, 0.0)
    per_code, per_factor = _purity(counted, k), _purity(counted.T, int(active.sum()))
    inactive = int((~active).sum())
    return InfoMEC(
        modularity=float(per_code[active].mean()) if active.any() else 0.0,
        explicitness=float(saved.mean()),
        compactness=float(per_factor.mean()),
        share=share,
        active=active,
        per_code=per_code,
        per_factor=per_factor,
        explicitness_per_factor=saved,
        variant=variant,
        status=f"{inactive} of {len(active)} codes are inactive" if inactive else OK,
    )


def _purity(rows: NDArray[np.float64], among: int) -> NDArray[np.float64]:
    """(max / sum - 1 / among) / (1 - 1 / among) of each row; 0 for rows of zeros, 1 among one."""
    total = rows.sum(axis=1)
    top = np.divide(rows.max(axis=1), total, out=np.zeros_like(total), where=total > 0)
    alone = (top - 1 / among) / (1 - 1 / among) if among > 1 else np.ones_like(top)
    return np.where(total > 0, alone, 0.0)


def _nearest_neighbours(table: Table, generator: torch.Generator) -> NDArray[np.float64]:
    h = table.numbers.standardised()
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    share = np.empty((h.shape[1], table.levels.shape[1]))
    for j, levels in enumerate(table.levels.T):
        p = np.bincount(levels) / len(levels)
        nats = mutual_info_classif(
            h, levels, discrete_features=False, n_neighbors=NEIGHBOURS, random_state=seed
        )
        share[:, j] = nats / -(p @ np.log(p))
    return share


def _explained(
    table: Table, train: NDArray[np.int64], test: NDArray[np.int64]
) -> NDArray[np.float64]:
    """R² of least squares."""
    h, z = (torch.from_numpy(a) for a in (table.numbers.codes, table.numbers.factors))
    fit = least_squares(h[train], z[train])
    predicted = h[test] @ fit.coefficient + fit.intercept
    return np.asarray(np.maximum(r2_score(predicted, z[test]).numpy(), 0.0))


def _saved(table: Table, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - log-loss over that of constants, over rows whose levels were fitted to."""
    h = LOOSE * table.numbers.standardised()[:, table.numbers.alive]
    members = [levels[:, None] == np.unique(levels[train]) for levels in table.levels.T]
    counts = [each.shape[1] for each in members]
    shares = [each[train].mean(axis=0) for each in members]
    constant = np.log(np.concatenate(shares))[:, None] * np.ones(len(test))
    scores = constant
    if h.shape[1]:
        y = np.concatenate(members, axis=1)[train].astype(float)
        weight, start = fit_logistic(h[train], y, levels=counts, softmax=True)
        logits = torch.from_numpy(weight.T @ h[test].T + start[:, None])
        scores = log_softmax(logits, counts).numpy()
    ends = np.cumsum(counts)[:-1]
    losses = [
        [
            -(each[test].T * part).sum()
            for each, part in zip(members, np.split(of, ends), strict=True)
        ]
        for of in (scores, constant)
    ]
    known, unknown = np.array(losses)
    return np.asarray(np.maximum(1 - known / unknown, 0.0))
