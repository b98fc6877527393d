"""Table 4 as printed beside lines of the table."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from identikit.core.estimate import Spread
from identikit.core.factors import Kind
from identikit.studies.paper.dislib.in_print import _ROWS, missed_in_pixels, printed
from identikit.worlds.grids.registry import DATA_SETS


@dataclass
class Line:
    """What is looked at of one."""

    world: str
    encoder: str
    factor: str
    r: Spread


def test_values_are_of_factors_of_the_grids_that_are_no_circles() -> None:
    for world, row in _ROWS.items():
        kinds = {factor.name: factor.kind for factor in DATA_SETS[world].grid.axes}
        assert set(row) <= set(kinds)
        assert all(kinds[name] is not Kind.CIRCULAR for name in row)
        assert all(len(cells.split(" / ")) == 3 for cells in row.values())


def test_a_cell_has_its_value_and_others_none() -> None:
    assert printed("shapes3d", "pixels", "azimuth") == ".04"
    assert printed("mpi3d_real", "resnet18", "y") == ".71±.02"
    for absent in (("rooms", "mlp", "azimuth"), ("shapes3d", "linear", "azimuth")):
        assert printed(*absent) is None
    assert printed("shapes3d", "mlp", "floor_hue") is None


@pytest.mark.parametrize(
    ("world", "encoder", "r", "said"),
    [
        ("shapes3d", "pixels", 0.98, True),
        ("shapes3d", "pixels", 0.1, False),  # as the paper says
        ("shapes3d", "mlp", 0.98, False),
        ("rooms", "pixels", 0.98, False),  # no data set of the paper's
    ],
)
def test_the_page_says_what_pixels_were_missed(
    world: str, encoder: str, r: float, said: bool
) -> None:
    lines: Any = [Line(world, encoder, "azimuth", Spread.of([r, r]))]
    words = missed_in_pixels(cast("Any", lines))
    assert words == () if not said else "azimuth 0.98 for .04" in words[0]
