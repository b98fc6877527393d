"""No score may depend on the order, the signs or the units of codes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.disentanglement.codes import generator, grid, noise, perfect

from identikit import disentanglement as classic

LEVELS = grid((4, 5), copies=20)
CODES = perfect(LEVELS) + 0.4 * noise(400, 2)
CODES = np.concatenate([CODES, noise(400, 1, seed=5)], axis=1)
SCORES: dict[str, Callable[[Any], float]] = {
    "dci": lambda c: classic.dci(c, LEVELS, generator=generator()).disentanglement,
    "lasso": lambda c: (
        classic.dci(c, LEVELS, generator=generator(), variant="lasso").disentanglement
    ),
    "mig": lambda c: classic.mig(c, LEVELS).score,
    "modularity": lambda c: classic.modularity(c, LEVELS).score,
    "explicitness": lambda c: classic.explicitness(c, LEVELS, generator=generator()).score,
    "sap": lambda c: classic.sap(c, LEVELS, generator=generator()).score,
    "sap, linear": lambda c: classic.sap(c, LEVELS, generator=generator(), variant="linear").score,
    "irs": lambda c: classic.irs(c, LEVELS, generator=generator()).score,
    "factor_vae": lambda c: classic.factor_vae(c, LEVELS, generator=generator(), votes=500).score,
    "beta_vae": lambda c: classic.beta_vae(c, LEVELS, generator=generator(), points=500).score,
}


@pytest.mark.parametrize("name", SCORES)
def test_order_signs_and_units_do_not_matter(name: str) -> None:
    units = np.full(3, 1e6) if name == "irs" else np.array([1e6, 1.0, 1e-6])  # which it weighs by
    moved = CODES[:, [2, 0, 1]] * [1, -1, 1] * units + 1e4 * units
    assert SCORES[name](moved) == pytest.approx(SCORES[name](CODES), abs=0.02)


@pytest.mark.parametrize("name", SCORES)
def test_a_permuted_perfect_code_is_perfect(name: str) -> None:
    most = 1 - (1 / 4 + 1 / 5) / 2 if name == "sap" else 1
    assert SCORES[name](perfect(LEVELS)[:, ::-1]) == pytest.approx(most, abs=0.01)
