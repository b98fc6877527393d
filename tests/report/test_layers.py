"""Layer curves: every layer's value and interval is drawn, controls beside it, the best ringed."""

import numpy as np
import pytest

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.report.figures import LayerCurve, layer_curves
from identikit.report.style import image_bytes

VALUES = [Estimate(0.2, 0.1, 0.3), Estimate(0.9, 0.8, 0.95), Estimate(-9.0, -9.5, -8.0)]
LAYERS = ["a<b", "$b", "c"]


def curve(name: str = "size", **more: object) -> LayerCurve:
    options: dict[str, object] = {
        "measure": "R²",
        "values": VALUES,
        "chance": 0.0,
        "best": 1,
        "controls": {"twin": [Estimate(0.1, 0.0, 0.2), None, Estimate(0.3, 0.2, 0.4)]},
    }
    return LayerCurve(name=name, **(options | more))  # type: ignore[arg-type]


def test_a_panel_shows_values_bands_controls_and_the_layer_named() -> None:
    figure = layer_curves([curve(), curve("loud", controls={})], layers=LAYERS)
    panel = figure.static.axes[0]
    line, twin, ring, chance = (np.asarray(each.get_ydata()) for each in panel.lines)
    assert line.tolist() == [0.2, 0.9, -0.5]  # a wild one does not flatten the rest
    assert twin[0] == 0.1
    assert np.isnan(twin[1])
    assert ring.tolist() == [0.9]
    assert chance.tolist() == [0.0, 0.0]
    band = np.asarray(panel.collections[0].get_paths()[0].vertices)
    assert {0.1, 0.3, 0.8, 0.95} <= set(band[:, 1])
    shown = [trace.visible for trace in figure.interactive.data]  # type: ignore[union-attr]
    assert shown == [True] * 5 + [False] * 4
    (menu,) = figure.interactive.layout.updatemenus  # type: ignore[union-attr]
    assert menu.buttons[1].args[0]["visible"] == [False] * 5 + [True] * 4
    assert figure.interactive.data[1].customdata[0] == "a&lt;b: 0.20 [0.10, 0.30]"  # type: ignore[union-attr]
    assert "size (R²) best at $b, 0.90 [0.80, 0.95]" in figure.alt
    assert image_bytes(figure.static, "png").startswith(b"\x89PNG")


def test_of_many_layers_some_are_named_the_last_among_them() -> None:
    many = [f"block{k}" for k in range(31)]
    figure = layer_curves([curve(values=VALUES * 10 + VALUES[:1], controls={})], layers=many)
    ticks = [text.get_text() for text in figure.static.axes[0].get_xticklabels()]
    assert len(ticks) == 8
    assert ticks[-1] == "block30"


def test_curves_that_do_not_fit_their_layers_are_refused() -> None:
    with pytest.raises(InputError, match="a value for each of 2 layers"):
        layer_curves([curve()], layers=LAYERS[:2])
    with pytest.raises(InputError, match="the control 'twin' of 'size' needs a value for each"):
        curve(controls={"twin": VALUES[:1]})
