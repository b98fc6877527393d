"""Table 4 as printed beside lines of the table."""

import pytest

from identikit.core.estimate import Estimate, Spread
from identikit.core.factors import Kind
from identikit.studies.paper.dislib.in_print import _ROWS, missed_in_pixels, printed
from identikit.studies.paper.dislib.summary import Line
from identikit.worlds.grids.registry import DATA_SETS


def line(world: str, encoder: str, r: float) -> Line:
    return Line(
        world=world,
        encoder=encoder,
        task="shape",
        factor="azimuth",
        measure="R²",
        chance=0.0,
        r=Spread.of([r, r]),
        score=Estimate(r, r, r),
        row_space=None,
        complement=None,
        untrained=None,
        untrained_r=None,
        above={},
        few_shot=0.0,
        few_shot_chance=0.0,
        analogies={},
    )


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
    words = missed_in_pixels([line(world, encoder, r)])
    assert words == () if not said else "azimuth 0.98 for .04" in words[0]
