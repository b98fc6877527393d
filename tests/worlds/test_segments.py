"""Segments: independent normal components, of order one and two."""

import numpy as np
import pytest
import torch
from scipy import stats

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.segments import Segments


@pytest.mark.parametrize("order", [1, 2])
def test_samples_of_a_segment_have_its_means_and_scales(order: int) -> None:
    world = Segments(dim=2, segments=3, order=order)
    sample = world.sample(30_000, generator=stream(0, "z"))
    scales = []
    for t in range(3):
        own = sample.z[sample.label == t]
        torch.testing.assert_close(own.mean(0), world.class_vectors[t], atol=0.04, rtol=0)
        assert abs(np.corrcoef(own.T.numpy())[0, 1]) < 0.05
        scales.append(own.std(0))
    spread = torch.stack(scales).std(0).max()
    assert (spread > 0.05) == (order == 2)


def test_the_density_is_a_product_of_normals() -> None:
    world = Segments(dim=2, segments=4, order=2)
    z = world.sample(6, generator=stream(0, "z")).z
    scale = torch.linalg.diagonal(world.conditional.factor)  # type: ignore[attr-defined]
    each = stats.norm(world.class_vectors.numpy(), scale.numpy()).logpdf(z.numpy()[:, None])
    np.testing.assert_allclose(world.log_likelihood(z), each.sum(2), rtol=1e-6)


def test_another_order_is_refused() -> None:
    with pytest.raises(InputError, match="order must be 1 or 2; got 3"):
        Segments(dim=2, segments=3, order=3)
