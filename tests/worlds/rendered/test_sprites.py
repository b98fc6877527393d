"""Sprites are where and what their factors say, to the bit, on the grid and between its levels."""

from math import pi

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.rendered import distances
from identikit.worlds.rendered.sprites import RADIUS, Sprites

CENTRED = torch.arange(720) * 1024 + 16 * 32 + 16
"""Rows with every shape, scale and orientation in the middle."""
SHAPES = ("square", "ellipse", "heart")
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[NO_GPU, pytest.mark.gpu])]


def random_values(n: int, *, seed: int = 0) -> torch.Tensor:
    u = torch.rand(n, 5, generator=stream(seed, "values"), dtype=torch.float64)
    shape = torch.arange(n) % 3
    return torch.stack([shape, 0.5 + u[:, 1] / 2, 2 * pi * u[:, 2], u[:, 3], u[:, 4]], dim=1)


def random_rows(world: Sprites, n: int) -> torch.Tensor:
    return torch.randint(world.grid.size, (n,), generator=stream(0, "rows"))


def inside(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points are in a shape of circumradius 1; made of other parts than the distances."""
    found: np.ndarray
    if shape == "square":
        found = (np.abs(x) < np.sqrt(0.5)) & (np.abs(y) < np.sqrt(0.5))
        return found
    if shape == "ellipse":
        return x**2 + (y / distances.MINOR_AXIS) ** 2 < 1
    x, y = x * distances.HEART, (y + 1) * distances.HEART  # the tip is the origin
    side = np.sqrt(0.5)
    diamond = (np.abs((x + y) / 2**0.5 - side / 2) < side / 2) & (
        np.abs((y - x) / 2**0.5 - side / 2) < side / 2
    )
    lobes = ((np.abs(x) - 0.25) ** 2 + (y - 0.75) ** 2) < (side / 2) ** 2
    found = diamond | lobes
    return found


def slow(values: np.ndarray, side: int, *, points: int, off: float = 0.0) -> np.ndarray:
    """Share of points x points places in each pixel that are inside; `off` moves it in pixels."""
    shape, scale, angle, across, down = values
    at = (np.arange(side * points) + 0.5) / points
    x, y = np.meshgrid(at, at)
    x, y = off + x - side / 64 * (16.5 + 31 * across), off + side / 64 * (16.5 + 31 * down) - y
    radius = RADIUS * side * scale
    turned = (x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle))
    hit = inside(SHAPES[int(shape)], turned[0] / radius, turned[1] / radius)
    share: np.ndarray = hit.reshape(side, points, side, points).mean((1, 3))
    return share


@pytest.mark.parametrize("side", [21, 64])
def test_binary_pixels_are_white_where_their_middle_is_inside(side: int) -> None:
    values = random_values(60)
    images = Sprites(resolution=side).render(values)
    for image, row in zip(images, values.numpy(), strict=True):
        one, other = (slow(row, side, points=1, off=off) for off in (-1e-3, 1e-3))
        sure = one == other  # not within a thousandth of a pixel of the outline
        assert (~sure).sum() <= 1
        np.testing.assert_array_equal(image[0].numpy()[sure], 255 * one[sure])


def test_antialiased_pixels_are_the_share_inside() -> None:
    values = random_values(60)
    images = Sprites(antialiased=True).render(values)
    errors = [
        image[0].numpy() / 255 - slow(row, 64, points=8)
        for image, row in zip(images, values.numpy(), strict=True)
    ]
    assert np.abs(errors).max() < 0.3  # at corners; along edges a few percent
    assert np.sqrt(np.mean(np.square(errors))) < 0.005
    assert abs(np.sum(errors, axis=(1, 2))).max() < 4  # pixels of area, of 60 to 480


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_are_those_to_the_outline(shape: str) -> None:
    x = torch.linspace(-1.2, 1.2, 33, dtype=torch.float64)
    x, y = (part.ravel() for part in torch.meshgrid(x, x, indexing="xy"))
    signed = getattr(distances, shape)(x, y).numpy()
    np.testing.assert_array_equal(signed < 0, inside(shape, x.numpy(), y.numpy()))
    fine = np.linspace(-1.2, 1.2, 801)
    marked = inside(shape, *np.meshgrid(fine, fine))
    edge = (marked[1:, 1:] != marked[:-1, 1:]) | (marked[1:, 1:] != marked[1:, :-1])
    row, column = edge.nonzero()
    outline = np.stack([fine[column], fine[row]], axis=1)
    near = np.linalg.norm(np.stack([x, y], axis=1)[:, None] - outline, axis=2).min(1)
    close = near < 0.15 if shape == "ellipse" else np.full(len(near), True)
    tolerance = 0.03 if shape == "ellipse" else 0.008
    np.testing.assert_allclose(np.abs(signed)[close], near[close], atol=tolerance)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("side", [32, 64, 128])
def test_images_of_the_grid_are_those_of_its_values(
    side: int, antialiased: bool, device: str
) -> None:
    world = Sprites(resolution=side, antialiased=antialiased)
    rows = random_rows(world, 300).to(device)
    images = world.images(rows)
    assert images.shape == (300, 1, side, side)
    assert torch.equal(images, world.render(world.values(rows)))


def test_a_picture_depends_on_its_factors_alone() -> None:
    world, values = Sprites(antialiased=True), random_values(200)
    images = world.render(values)
    order = torch.randperm(200, generator=stream(0, "order"))
    assert torch.equal(world.render(values[order]), images[order])
    assert torch.equal(world.render(values.float()), images)
    assert torch.equal(torch.cat([world.render(row[None]) for row in values[:50]]), images[:50])


def test_the_first_orientation_is_the_last_and_no_other_two_pictures_are_alike() -> None:
    """Places move a picture by whole pixels, so it is enough to compare what is within its box."""
    masks = Sprites(antialiased=True).images(CENTRED)[:, 0]
    first, last = masks.view(18, 40, 64, 64)[:, [0, 39]].unbind(1)
    assert torch.equal(first, last)
    boxes = set()
    for mask in masks:
        row, column = mask.nonzero().T
        box = mask[row.min() : row.max() + 1, column.min() : column.max() + 1]
        boxes.add((tuple(box.shape), box.numpy().tobytes()))
    assert len(boxes) == 720 - 18


def test_in_black_and_white_only_near_symmetric_orientations_can_be_alike() -> None:
    """At 64 pixels 39 steps a turn leave two degrees to a quarter turn: too few for small ones."""
    kinds: dict[bytes, list[tuple[int, int, int]]] = {}
    for k, mask in enumerate(Sprites().images(CENTRED)):
        kinds.setdefault(mask.numpy().tobytes(), []).append((k // 240, k // 40 % 6, k % 40))
    assert len(kinds) == 669
    for (shape, scale, step), *others in kinds.values():
        for other in others:
            assert other[:2] == (shape, scale)
            symmetry = {0: 90, 1: 180, 2: 360}[shape]
            off = (other[2] - step) * 360 / 39 % symmetry
            assert min(off, symmetry - off) < 7


def test_a_place_further_moves_the_picture_by_a_pixel() -> None:
    world = Sprites()
    row = world.grid.rows(torch.tensor([[2, 3, 5, 7, 9], [2, 3, 5, 8, 9], [2, 3, 5, 7, 10]]))
    here, right, down = world.images(row)[:, 0]
    assert torch.equal(right, here.roll(1, 1))
    assert torch.equal(down, here.roll(1, 0))


@pytest.mark.parametrize(("shape", "turn"), [(0, pi / 2), (1, pi), (2, 2 * pi)])
def test_each_shape_looks_alike_after_its_own_turn_and_not_before(shape: int, turn: float) -> None:
    world = Sprites(antialiased=True)
    angles = torch.tensor([0.3, 0.3 + turn, 0.3 + turn / 2])
    values = torch.tensor([[shape, 0.9, 0, 0.5, 0.5]]).repeat(3, 1)
    values[:, 2] = angles
    same, turned, half = world.render(values).int()
    assert (same - turned).abs().max() <= 1
    assert (same - half).abs().sum() > 255 * 20


def test_orientation_is_counter_clockwise_and_the_heart_stands_on_its_tip() -> None:
    values = torch.tensor([[2, 1.0, 0.0, 0.5, 0.5], [2, 1.0, pi / 2, 0.5, 0.5]])
    upright, turned = Sprites(antialiased=True).render(values)[:, 0].int()
    wide = (upright > 0).sum(1)
    assert wide[40:].sum() < wide[:24].sum()  # narrow below
    assert (upright.rot90() - turned).abs().max() <= 1
    assert (upright - upright.flip(1)).abs().max() <= 1


def test_factors_are_those_of_dsprites() -> None:
    grid = Sprites().grid
    assert grid.sizes == (3, 6, 40, 32, 32)
    assert grid.size == 737_280
    assert grid.names == ("shape", "scale", "orientation", "x", "y")
    np.testing.assert_allclose(grid["scale"].values, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    np.testing.assert_allclose(grid["orientation"].values, 2 * pi / 39 * np.arange(40))
    np.testing.assert_allclose(grid["x"].values, np.arange(32) / 31)


def test_a_resolution_that_cannot_show_a_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"resolution must be at least 21 .* got 20"):
        Sprites(resolution=20)
    drawn = Sprites(resolution=21).images(torch.arange(3) * 6 * 40 * 1024 + 528)
    assert len({image.numpy().tobytes() for image in drawn}) == 3
    assert (drawn > 0).sum((1, 2, 3)).min() >= 7


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (0, 0.5, "shape must be a whole number from 0 to 2"),
        (0, 3.0, "shape must be a whole number"),
        (1, 0.4, "scale must be from 0.5 to 1"),
        (2, float("nan"), "orientation must be finite"),
        (3, 1.1, "x must be from 0 to 1"),
    ],
)
def test_values_that_cannot_be_drawn_are_refused(column: int, value: float, words: str) -> None:
    values = random_values(4)
    values[2, column] = value
    with pytest.raises(InputError, match=words):
        Sprites().render(values)


def test_values_have_a_column_for_each_factor() -> None:
    with pytest.raises(InputError, match="one column for each of shape, scale"):
        Sprites().render(random_values(4)[:, :4])
