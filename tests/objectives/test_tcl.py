"""TCL: the cross-entropy of a linear layer with biases, least at the log-density differences."""

import pytest
import torch
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.objectives.tcl import TCL


def test_it_is_the_cross_entropy_of_a_linear_layer() -> None:
    objective = TCL(5, 3, generator=stream(0, "head"))
    with torch.no_grad():
        objective.bias.copy_(torch.linspace(-1, 1, 5))
    y = torch.randn(20, 3, generator=stream(0, "y"))
    segment = torch.randint(5, (20,), generator=stream(0, "segments"))
    expected = F.cross_entropy(F.linear(y, objective.weight, objective.bias), segment)
    torch.testing.assert_close(
        objective.loss(y, segment, generator=torch.Generator()), expected, rtol=1e-6, atol=0
    )
    assert objective.features(y) is y


def test_its_optimum_is_the_difference_of_log_densities_of_an_exponential_family() -> None:
    """Normal segments of their own mean and scale: h = (z, z²), order two."""
    segments = 6
    mean, scale = torch.randn(segments, dtype=torch.float64), torch.linspace(0.5, 2, segments)
    z = torch.linspace(-3, 3, 401, dtype=torch.float64)
    density = torch.distributions.Normal(mean, scale.double()).log_prob(z[:, None])
    share = density.exp() / density.exp().sum()  # of each (z, t); segments are equally long
    objective = TCL(segments, 2, generator=stream(0, "head")).double()
    precision = scale.double() ** -2
    with torch.no_grad():
        objective.weight.copy_(torch.stack([mean * precision, -precision / 2], dim=1))
        objective.bias.copy_(-(mean**2) * precision / 2 - scale.double().log())
    h = torch.stack([z, z**2], dim=1)
    population = -(share * objective.logits(h).log_softmax(1)).sum()
    for gradient in torch.autograd.grad(population, list(objective.parameters())):
        assert gradient.abs().max() < 1e-14
    torch.testing.assert_close(objective.logits(h).log_softmax(1), density.log_softmax(1))


def test_bad_segments_are_refused() -> None:
    with pytest.raises(InputError, match="at least two; got 1"):
        TCL(1, 2, generator=torch.Generator())
    objective = TCL(3, 2, generator=torch.Generator())
    with pytest.raises(InputError, match="from 0 to 2; got 1 to 3"):
        objective.loss(torch.zeros(2, 2), torch.tensor([1, 3]), generator=torch.Generator())
