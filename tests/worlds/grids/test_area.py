"""Reduction by area."""

import pytest
import torch

from identikit.worlds.grids.area import shrunk


@pytest.mark.parametrize(("full", "side"), [(16, 8), (12, 8), (10, 7), (6, 6)])
def test_a_pixel_is_the_mean_over_its_square(full: int, side: int) -> None:
    images = torch.randint(
        0, 256, (3, full, full, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    fine = images.double().repeat_interleave(side, 1).repeat_interleave(side, 2)
    expected = torch.nn.functional.avg_pool2d(fine.permute(0, 3, 1, 2), full).permute(0, 2, 3, 1)
    assert (shrunk(images, side).double() - expected).abs().max() < 0.501  # rounded


def test_flat_images_stay_as_they_are() -> None:
    for grey in (0, 1, 127, 255):
        assert (shrunk(torch.full((1, 96, 96, 1), grey, dtype=torch.uint8), 64) == grey).all()
