"""The image worlds of a DisLib table by name: rendered ones, and data sets from their files."""

from collections.abc import Callable
from pathlib import Path

from identikit.core.errors import InputError, unknown_name
from identikit.worlds.grids.grid import Grid, ImageGrid
from identikit.worlds.grids.registry import DATA_SETS, load_grid
from identikit.worlds.rendered.rooms import Rooms
from identikit.worlds.rendered.sprites import Sprites

RENDERED: dict[str, Callable[[], ImageGrid]] = {"sprites": Sprites, "rooms": Rooms}
"""Worlds that need no file."""
CLASSIFIED = ("shape", "category", "car")
"""The factor that the paper classifies, under the name that it has in each data set."""


def image_grid(name: str, path: str = "") -> ImageGrid:
    """A world of images.

    Args:
        name: Of a rendered world or of a data set.
        path: The data set's original file, or its folder.

    Raises:
        InputError: no such world, a file for a rendered one, or one that cannot be read.
    """
    if path:
        return load_grid(name, Path(path))
    if name in RENDERED:
        return RENDERED[name]()
    if name in DATA_SETS:
        raise InputError(
            f"{name} is read from its file; give --data {name}=PATH in place of --worlds {name}."
        )
    raise unknown_name("world", name, [*RENDERED, *DATA_SETS])


def default_task(grid: Grid) -> str:
    """The factor that the paper classifies.

    Raises:
        InputError: the grid has none of that name.
    """
    for name in CLASSIFIED:
        if name in grid.names:
            return name
    raise InputError(
        f"tasks must name what is to be classified, one of {', '.join(grid.names)}; got none."
    )
