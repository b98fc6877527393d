"""InfoMEC and DCI of components against factors, beside the same of others; y (n, k), z (n, m)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.disentanglement.dci import dci
from identikit.disentanglement.infomec import infomec

BINS = 20
"""Levels of equal mass that InfoM and InfoC cut factors into."""
MOST_ROWS = 10_000


def axis_scores(
    components: Mapping[str, Float[Tensor, "n _"]], z: Float[Tensor, "n m"], *, seed: int
) -> tuple[dict[str, dict[str, float]], tuple[str, ...]]:
    """The scores of each of several sets of components, and why there are none.

    DCI is that of a Lasso: components are promised to be linear in the factors.

    Args:
        components: By what they are called; of rows that they were not fitted to.
        z: Factors of these rows.
        seed: Of the rows taken, where there are many, and of their splits.
    """
    rows = torch.randperm(len(z), generator=stream(seed, "axis rows"))[:MOST_ROWS]
    try:
        found = {name: _scores(y[rows], z[rows], seed) for name, y in components.items()}
    except InputError as error:
        return {}, (f"no InfoMEC and DCI: {error}".removesuffix("."),)
    return found, ()


def _scores(y: Tensor, z: Tensor, seed: int) -> dict[str, float]:
    information = infomec(y, z, generator=stream(seed, "InfoMEC"), factor_bins=BINS)
    importance = dci(y, z, generator=stream(seed, "DCI"), variant="lasso")
    return {
        "InfoM": information.modularity,
        "InfoE": information.explicitness,
        "InfoC": information.compactness,
        "DCI disentanglement": importance.disentanglement,
        "DCI completeness": importance.completeness,
        "DCI informativeness": importance.informativeness,
    }
