"""VICReg: its three terms, term by term and entry by entry."""

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.objectives.vicreg import VICReg
from identikit.objectives.views import interleaved


@pytest.mark.parametrize("weights", [(25, 25, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_the_terms_are_those_of_the_paper(weights: tuple[int, int, int]) -> None:
    first, second = torch.randn(2, 9, 3, generator=stream(0, "views"), dtype=torch.float64) * 0.9
    loss = VICReg(invariance=weights[0], variance=weights[1], covariance=weights[2]).loss(
        interleaved(first, second),
        torch.arange(9).repeat_interleave(2),
        generator=torch.Generator(),
    )
    moved = np.mean((first - second).numpy() ** 2)
    held = apart = 0.0
    for view in (first.numpy(), second.numpy()):
        held += np.mean([max(0, 1 - np.sqrt(np.var(c, ddof=1) + 1e-4)) for c in view.T])
        covariance = np.cov(view.T)
        apart += sum(covariance[i, j] ** 2 for i in range(3) for j in range(3) if i != j) / 3
    expected = weights[0] * moved + weights[1] * held + weights[2] * apart
    np.testing.assert_allclose(float(loss), expected, rtol=1e-12)


def test_equal_views_of_whitened_features_cost_nothing() -> None:
    h = torch.randn(64, 3, generator=stream(0, "h"), dtype=torch.float64)
    white = torch.linalg.qr(h - h.mean(0)).Q * 63**0.5
    target = torch.arange(64).repeat_interleave(2)
    loss = VICReg().loss(interleaved(white, white), target, generator=torch.Generator())
    assert abs(float(loss)) < 1e-12


def test_rows_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="VICReg needs positive pairs"):
        VICReg().loss(torch.zeros(4, 2), torch.arange(4), generator=torch.Generator())
    with pytest.raises(InputError, match="at least two pairs"):
        VICReg().loss(torch.zeros(2, 2), torch.zeros(2), generator=torch.Generator())
