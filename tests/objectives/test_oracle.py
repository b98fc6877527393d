"""The oracle's loss is the squared error, and least at the latents."""

import numpy as np
import torch

from identikit.objectives.oracle import LatentRegression


def test_it_is_the_squared_error_summed_over_dimensions() -> None:
    generator = torch.Generator()
    y, z = torch.randn(2, 50, 3, generator=generator)
    oracle = LatentRegression()
    expected = np.sum((y.numpy() - z.numpy()) ** 2, axis=1).mean()
    loss = float(oracle.loss(y, z, generator=generator))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert float(oracle.loss(z, z, generator=generator)) == 0
    assert not list(oracle.parameters())
    assert oracle.features(y) is y
