"""Grouped bars start at chance and leave gaps where there is no value."""

import numpy as np
import pytest
from matplotlib.container import BarContainer

from identikit.core.estimate import Estimate
from identikit.report.figures import BarSeries, grouped_bars

pytestmark = pytest.mark.drawn

TRAINED = BarSeries(
    label="trained",
    values=(Estimate(0.9, 0.85, 0.92), None, Estimate(0.4, 0.3, 0.5)),
    colour="#2B7BBA",
)
TWIN = BarSeries(label="twin", values=(Estimate(0.6, 0.5, 0.7),) * 3, colour="#888", filled=False)


def test_bars_run_from_chance_to_the_value_in_both_forms() -> None:
    figure = grouped_bars(
        ["a", "b", "$c"], [TRAINED, TWIN], score="Accuracy", chance=0.5, predicted=[0.8, None, 0.5]
    )
    (axes,) = figure.static.axes
    bars = next(c for c in axes.containers if isinstance(c, BarContainer))
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    np.testing.assert_allclose(ends, [0.9, 0.4])
    np.testing.assert_allclose([bar.get_x() for bar in bars], 0.5)
    assert figure.interactive is not None
    trace, twin, marks = figure.interactive.data
    assert trace.base == 0.5
    np.testing.assert_allclose(trace.x, [0.4, -0.1])
    np.testing.assert_allclose(trace.error_x.arrayminus, [0.05, 0.1])
    assert len(twin.x) == 3
    assert list(marks.x) == [0.8, 0.5]
    assert list(marks.y) == [0, 2]
    assert trace.y[0] < twin.y[0]
    assert "a: trained 0.90 [0.85, 0.92], twin" in figure.alt


def test_without_predictions_there_are_no_marks() -> None:
    figure = grouped_bars(["a", "b", "c"], [TWIN], score="Accuracy", chance=0.5)
    assert figure.interactive is not None
    assert len(figure.interactive.data) == 1
    assert "vermilion" not in figure.caption
