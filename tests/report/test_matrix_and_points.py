"""Matrices and points: what is drawn is what was given, in both forms and in words."""

import numpy as np
import pytest

from identikit.report.figures import Points, matrix, points
from identikit.report.style import image_bytes

pytestmark = pytest.mark.drawn


def test_a_matrix_shows_every_number_and_leaves_gaps_blank() -> None:
    values = np.array([[0.251, 1.0, -0.3], [np.nan, 0.5, 0.0]])
    figure = matrix(values, rows=["a<b", "$b"], columns=["x", "y", "z"], labels=("from", "to"))
    heat = figure.interactive.data[0]  # type: ignore[union-attr]
    assert heat.text == (["0.25", "1.00", "−0.30"], ["", "0.50", "0.00"])
    assert list(heat.y) == ["a&lt;b", "$b"]
    texts = [text.get_text() for text in figure.static.axes[0].texts]
    assert texts == ["0.25", "1.00", "−0.30", "", "0.50", "0.00"]
    assert "x 0.25" in figure.alt
    assert image_bytes(figure.static, "png").startswith(b"\x89PNG")


def test_points_keep_their_places_and_words() -> None:
    groups = [
        Points(name="one", x=[0.0, 0.5], y=[1.0, 0.2], words=["a", "b<c"]),
        Points(name="two", x=[0.1], y=[0.3], words=["d"]),
    ]
    figure = points(groups, x_label="how linear", y_label="how accurate")
    drawn = figure.interactive.data  # type: ignore[union-attr]
    assert [list(trace.x) for trace in drawn] == [[0.0, 0.5], [0.1]]
    assert list(drawn[0].customdata) == ["a", "b&lt;c"]
    assert drawn[0].marker.symbol != drawn[1].marker.symbol
    lines = figure.static.axes[0].lines
    heights = [np.asarray(line.get_ydata()).tolist() for line in lines]
    assert heights == [pytest.approx([1.0, 0.2]), [0.3]]
    assert "3 points" in figure.alt
    assert image_bytes(figure.static, "png").startswith(b"\x89PNG")
