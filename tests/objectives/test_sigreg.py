"""SIGReg: its statistic against an integral, a closed form and its mean for normal samples."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.objectives.sigreg import SIGReg, epps_pulley
from identikit.objectives.views import interleaved


def normal(n: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, columns, generator=stream(seed, "normal"), dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_the_statistic_is_the_integral(scale: float) -> None:
    s = scale * normal(40, 1) + 0.2

    def gap(t: float) -> float:
        empirical = np.exp(1j * t * s[:, 0].numpy()).mean()
        return float(abs(empirical - math.exp(-(t**2) / 2)) ** 2 * math.exp(-(t**2) / 2))

    np.testing.assert_allclose(epps_pulley(s), [40 * quad(gap, -3, 3)[0]], rtol=0.01)


def test_the_statistic_is_nearly_the_closed_form_of_the_whole_line() -> None:
    s = normal(50, 1)[:, 0] * 1.5
    n = len(s)
    of_pairs = torch.exp(-((s[:, None] - s) ** 2) / 2).sum() / n
    of_each = 2 * (2 * math.pi / 2) ** 0.5 * torch.exp(-(s**2) / 4).sum()
    whole = (2 * math.pi) ** 0.5 * of_pairs - of_each + n * (2 * math.pi / 3) ** 0.5
    np.testing.assert_allclose(epps_pulley(s[:, None]), [whole], rtol=0.03)


def test_for_normal_samples_it_has_the_mean_that_theory_gives() -> None:
    expected = quad(lambda t: (1 - math.exp(-(t**2))) * math.exp(-(t**2) / 2), -3, 3)[0]
    got = epps_pulley(normal(100, 1000))
    error = float(got.std()) / 1000**0.5
    assert float(got.mean()) == pytest.approx(expected, abs=4 * error + 0.01)
    assert epps_pulley(torch.sign(normal(100, 50))).min() > got.mean()  # two points are not normal


def test_the_loss_is_the_distance_of_views_and_the_statistic_of_each() -> None:
    first, second = normal(30, 1), normal(30, 1, seed=1)
    loss = SIGReg(weight=0.2).loss(
        interleaved(first, second),
        torch.arange(30).repeat_interleave(2),
        generator=stream(0, "slices"),
    )  # every direction of a line is the line
    statistic = (epps_pulley(first) + epps_pulley(second)) / 2
    centre = (first + second) / 2
    moved = ((first - centre) ** 2 + (second - centre) ** 2).mean() / 2
    torch.testing.assert_close(loss, 0.8 * moved + 0.2 * statistic[0], rtol=1e-12, atol=0)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match=r"weight is a share in \(0, 1\); got 1"):
        SIGReg(weight=1.0)
    with pytest.raises(InputError, match="slices must be at least 1"):
        SIGReg(slices=0)
    with pytest.raises(InputError, match="SIGReg needs positive pairs"):
        SIGReg().loss(torch.zeros(4, 2), torch.arange(4), generator=torch.Generator())
