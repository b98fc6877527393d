"""Rooms against a slow tracer that knows only distances, and what their factors change."""

import colorsys
from math import radians

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.rendered import rays, rooms
from identikit.worlds.rendered.rooms import Rooms

SHAPES = ("cube", "cylinder", "sphere", "capsule")
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[NO_GPU, pytest.mark.gpu])]
LAMP = np.array(rooms.LAMP) / np.linalg.norm(rooms.LAMP)


def random_values(n: int, *, seed: int = 0) -> torch.Tensor:
    u = torch.rand(n, 6, generator=stream(seed, "values"), dtype=torch.float64)
    shape = torch.arange(n) % 4
    return torch.stack([*u.T[:3], 0.75 + u[:, 3] / 2, shape.double(), 60 * u[:, 5] - 30], dim=1)


def distance_to(shape: str, size: float, p: np.ndarray) -> np.ndarray:
    """Distance from points (..., 3) to the object, by its definition."""
    far: np.ndarray
    half, height = rooms.HALF_WIDTH[shape] * size, rooms.HEIGHT[shape] * size
    if shape in ("sphere", "capsule"):
        nearest = np.clip(p[..., 2], half, height - half)
        far = np.sqrt(p[..., 0] ** 2 + p[..., 1] ** 2 + (p[..., 2] - nearest) ** 2) - half
        return far
    up = np.abs(p[..., 2] - height / 2) - height / 2
    if shape == "cylinder":
        gaps = np.stack([np.hypot(p[..., 0], p[..., 1]) - half, up], axis=-1)
    else:
        gaps = np.concatenate([np.abs(p[..., :2]) - half, up[..., None]], axis=-1)
    far = np.linalg.norm(gaps.clip(0), axis=-1) + gaps.max(-1).clip(max=0)
    return far


def march(shape: str, size: float, start: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Length along unit vectors at which rays come to the object, or infinity: sphere tracing."""
    t = np.zeros(start.shape[:-1])
    for _ in range(300):
        on_its_way = t < 30
        step = distance_to(shape, size, start + np.where(on_its_way, t, 0)[..., None] * way)
        t = t + np.where(on_its_way, step, 0)
        if not (on_its_way & (step > 1e-7)).any():
            break
    return np.where(t < 30, t, np.inf)


def traced(values: np.ndarray, side: int) -> np.ndarray:
    """An image in the room's frame, ray by ray, four a pixel; (side, side, 3)."""
    hues, size, shape, azimuth = values[:3], values[3], SHAPES[int(values[4])], radians(values[5])
    sin, cos = np.sin(azimuth), np.cos(azimuth)
    eye = np.array([rooms.DISTANCE * sin, -rooms.DISTANCE * cos, rooms.EYE])
    at = (np.arange(2 * side) + 0.5) / (2 * side)
    u, v = np.meshgrid((at - 0.5) / rooms.FOCAL, (rooms.HORIZON - at) / rooms.FOCAL)
    ray = np.stack([u * cos - sin, u * sin + cos, v], axis=-1)
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    planes = [  # normal towards the room, offset, surface
        (np.array([0.0, 0, 1]), 0.0, 0),
        (np.array([0.0, -1, 0]), -rooms.BACK, 1),
        (np.array([1.0, 0, 0]), -rooms.SIDE, 1),
        (np.array([-1.0, 0, 0]), -rooms.SIDE, 1),
    ]
    best = np.full(u.shape, np.inf)
    surface, light = np.full(u.shape, 3), np.ones(u.shape)
    for normal, offset, which in planes:
        with np.errstate(divide="ignore"):
            t = (offset - eye @ normal) / (ray @ normal)
        t = np.where(t > 0, t, np.inf)
        nearer = t < best
        best, surface = np.where(nearer, t, best), np.where(nearer, which, surface)
        lamp = rays.LAMP * max(0.0, normal @ LAMP) if which == 0 else 0.0
        if which == 0:
            ground = eye + np.where(np.isfinite(t), t, 0)[..., None] * ray
            free = np.isinf(
                march(shape, size, ground + 1e-6 * normal, np.broadcast_to(LAMP, ray.shape))
            )
            lamp = lamp * free
        light = np.where(nearer, rays.AMBIENT - rays.HEAD * (ray @ normal) + lamp, light)
    beyond = (surface == 1) & ((eye + best[..., None] * ray)[..., 2] > rooms.WALL)
    surface, light = np.where(beyond, 3, surface), np.where(beyond, 1, light)
    t = march(shape, size, np.broadcast_to(eye, ray.shape), ray)
    met = t < best
    p = eye + np.where(met, t, 0)[..., None] * ray
    step = 1e-4 * np.eye(3)
    normal = np.stack(
        [distance_to(shape, size, p + e) - distance_to(shape, size, p - e) for e in step], axis=-1
    )
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    own = rays.AMBIENT - rays.HEAD * (ray * normal).sum(-1) + rays.LAMP * (normal @ LAMP).clip(0)
    surface, light = np.where(met, 2, surface), np.where(met, own, light)
    colours = [np.round([255 * c for c in colorsys.hsv_to_rgb(hue, 1, 1)]) for hue in hues]
    palette = np.array([*colours, rooms.SKY])
    fine = palette[surface] * light.clip(max=1)[..., None]
    image: np.ndarray = fine.reshape(side, 2, side, 2, 3).mean((1, 3))
    return image


@pytest.mark.parametrize("shape", range(4))
def test_images_are_those_of_a_slow_tracer(shape: int) -> None:
    values = random_values(16)[shape::4]
    images = Rooms(resolution=32).render(values).permute(0, 2, 3, 1).double().numpy()
    for image, row in zip(images, values.numpy(), strict=True):
        error = np.abs(image - traced(row, 32)).max(-1)
        assert (error > 1).mean() < 0.01  # rays that graze an edge fall on either side of it
        assert error[error > 1].sum() < 255


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("side", [32, 64])
def test_images_of_the_grid_are_those_of_its_values(side: int, device: str) -> None:
    world = Rooms(resolution=side)
    rows = torch.randint(world.grid.size, (200,), generator=stream(0, "rows")).to(device)
    images = world.images(rows)
    assert images.shape == (200, 3, side, side)
    assert torch.equal(images, world.render(world.values(rows)))


def test_a_picture_depends_on_its_factors_alone() -> None:
    world, values = Rooms(), random_values(80)
    images = world.render(values)
    order = torch.randperm(80, generator=stream(0, "order"))
    assert torch.equal(world.render(values[order]), images[order])
    assert torch.equal(world.render(values.float()), images)
    assert torch.equal(torch.cat([world.render(row[None]) for row in values[:20]]), images[:20])


def test_no_two_pictures_of_the_grid_are_alike() -> None:
    """Size, shape and azimuth under every fifth of the hues, and all hues of one such setting."""
    world, geometry = Rooms(), torch.arange(480)
    few = torch.arange(0, 1000, 125)[:, None] * 480 + geometry
    rows = torch.cat([few.ravel(), torch.arange(1000) * 480 + 217])
    images = world.images(rows.unique())
    assert len({image.numpy().tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("column", range(3))
def test_a_hue_colours_its_own_surface_and_comes_round(column: int) -> None:
    world, values = Rooms(), random_values(4)[2:3].repeat(3, 1)
    values[:, :3] = 0.5
    values[:, column] = torch.tensor([0.0, 1.0, 0.3])
    first, again, other = world.render(values).int()
    assert torch.equal(first, again)
    changed = (first != other).any(0)
    assert 0.05 < changed.float().mean() < 0.6
    row = changed.nonzero()[:, 0].double().mean()
    assert {0: row > 40, 1: 15 < row < 35, 2: 25 < row < 50}[column]


def test_left_and_right_mirror_each_other_but_for_the_lamp() -> None:
    world, values = Rooms(), random_values(8)
    other = values.clone()
    other[:, 5] *= -1
    sky = torch.tensor(rooms.SKY, dtype=torch.uint8)[:, None, None]
    one, two = ((world.render(v) == sky).all(1) for v in (values, other))
    assert torch.equal(one, two.flip(2))
    assert one.any()


def test_only_the_cube_turns_with_the_room() -> None:
    values = torch.tensor([[0.0, 0.2, 0.6, 1.0, shape, a] for shape in range(4) for a in (-25, 5)])
    world = Rooms()
    blue = torch.tensor([False, False, True])[None, :, None, None]
    images = world.render(values)
    seen = ((images > 60) == blue).all(1).view(4, 2, 64, 64)  # where the blue object is
    differs = (seen[:, 0] != seen[:, 1]).sum((1, 2))
    assert differs[0] > 30
    assert differs[1:].max() <= 8


def test_factors_are_those_of_shapes3d() -> None:
    grid = Rooms().grid
    assert grid.sizes == (10, 10, 10, 8, 4, 15)
    assert grid.size == 480_000
    assert grid.names == ("floor_hue", "wall_hue", "object_hue", "size", "shape", "azimuth")
    np.testing.assert_allclose(grid["wall_hue"].values, np.arange(10) / 10, atol=1e-12)
    np.testing.assert_allclose(grid["size"].values, np.linspace(0.75, 1.25, 8))
    np.testing.assert_allclose(grid["azimuth"].values, np.linspace(-30, 30, 15), atol=1e-12)


def test_a_resolution_that_cannot_show_an_object_is_refused() -> None:
    with pytest.raises(InputError, match=r"resolution must be at least 15 .* got 14"):
        Rooms(resolution=14)
    drawn = Rooms(resolution=15).images(torch.arange(4) * 15 + 7)
    assert len({image.numpy().tobytes() for image in drawn}) == 4


def test_an_azimuth_that_shows_no_room_is_refused() -> None:
    values = random_values(4)
    values[1, 5] = 31.0
    with pytest.raises(InputError, match="azimuth must be from -30 to 30 to be drawn; got 31"):
        Rooms().render(values)
