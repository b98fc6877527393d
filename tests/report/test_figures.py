from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.patches import Rectangle

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.report import figures, style
from identikit.report.style import Figure, image_bytes, position_colours, thinned

pytestmark = pytest.mark.drawn


def shown(figure: Figure) -> list[bool]:
    assert figure.interactive is not None
    return [trace.visible is not False for trace in figure.interactive.data]


def views(figure: Figure) -> list[tuple[str, list[bool]]]:
    """Labels of the menu and what each shows."""
    assert figure.interactive is not None
    (menu,) = figure.interactive.layout.updatemenus
    return [(b.label, [v is not False for v in b.args[0]["visible"]]) for b in menu.buttons]


def test_every_figure_is_drawn_twice_and_described(all_figures: list[Figure]) -> None:
    for figure in all_figures:
        assert figure.title
        assert figure.alt
        assert figure.static.axes
        assert (figure.interactive is None) == bool(figure.pictures)


def test_the_first_view_of_a_menu_is_what_is_shown_at_first(all_figures: list[Figure]) -> None:
    for figure in all_figures:
        if figure.interactive is not None and figure.interactive.layout.updatemenus:
            assert views(figure)[0][1] == shown(figure)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes(kind: str, history: pd.DataFrame) -> None:
    first, second = (image_bytes(figures.training_curves(history).static, kind) for _ in "ab")
    assert first == second


def test_training_draws_only_what_was_measured(history: pd.DataFrame) -> None:
    figure = figures.training_curves(history, ceiling=0.995)
    r2, excess = figure.static.axes
    measured = history["r2"].notna()
    np.testing.assert_array_equal(r2.lines[0].get_xdata(), history["step"][measured])
    np.testing.assert_array_equal(r2.lines[0].get_ydata(), history["r2"][measured])
    assert r2.lines[1].get_ydata() == [0.995, 0.995]
    assert excess.get_yscale() == "log"
    assert excess.get_ylim()[0] <= history["excess_loss"].min()
    assert [label for label, _ in views(figure)] == [
        "over steps", "over seconds", "close to the ceiling",
    ]  # fmt: skip


def test_training_without_a_world_draws_accuracy_and_loss(history: pd.DataFrame) -> None:
    plain = history[["step", "seconds"]].assign(
        accuracy=0.5, loss=2.0, r2=np.nan, excess_loss=np.nan
    )
    figure = figures.training_curves(plain)
    titles = [axes.get_title(loc="left") for axes in figure.static.axes]
    assert titles == ["accuracy on held-out samples", "cross-entropy (nats)"]
    assert "ceiling" not in figure.caption


def test_excess_loss_below_zero_by_chance_does_not_break_the_log_axis(
    history: pd.DataFrame,
) -> None:
    noisy = history.assign(excess_loss=history["excess_loss"] - 0.01)
    lines = figures.training_curves(noisy).static.axes[1].lines
    assert (np.asarray(lines[0].get_ydata()) > 0).all()


def test_training_with_nothing_measured_is_an_error(history: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"holds no measurement of r2.*got the columns step"):
        figures.training_curves(history[["step", "seconds"]])


def test_scatter_has_a_panel_per_dimension_and_the_closed_form_r2() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(size=(200, 7))
    recovered = true.copy()
    recovered[:, 0] = true[:, 0].mean()  # no better than the mean: R² is 0
    figure = figures.latents_scatter(true, recovered, names=[f"z{j}" for j in range(7)])
    assert views(figure)[0][0] == "z0: R² 0.000"
    assert views(figure)[3] == ("z3: R² 1.000", [k // 2 == 3 for k in range(14)])
    panels = [axes for axes in figure.static.axes if axes.axison]
    assert len(panels) == 7
    points = next(c for c in panels[3].collections if isinstance(c, PathCollection))
    np.testing.assert_allclose(np.asarray(points.get_offsets()), np.stack([true[:, 3]] * 2, axis=1))


def test_of_many_dimensions_those_of_least_r2_are_drawn_and_the_caption_says_so() -> None:
    true = np.random.default_rng(0).normal(size=(100, 60))
    noise = np.random.default_rng(1).normal(size=(100, 60))
    figure = figures.latents_scatter(
        true, true + noise * (np.arange(60) % 3 == 0), names=[f"z{j}" for j in range(60)]
    )
    drawn = [label.split(":")[0] for label, _ in views(figure)]
    assert drawn == sorted(drawn, key=lambda name: int(name[1:]))
    assert {f"z{j}" for j in range(0, 60, 3)} <= set(drawn)
    assert len(drawn) == len([axes for axes in figure.static.axes if axes.axison]) == 24
    assert "The 24 of lowest R² of 60 are drawn." in figure.caption


def test_many_points_are_thinned_and_the_caption_says_so() -> None:
    true = np.random.default_rng(0).normal(size=(4000, 1))
    figure = figures.latents_scatter(true, true, names=["z"])
    assert "(1,334 of 4,000 drawn)" in figure.caption
    assert len(figure.interactive.data[0].x) == 1334  # type: ignore[union-attr]
    assert len(range(4000)[thinned(4000, 5000)]) == 4000


def test_the_ball_hides_no_recovered_point_in_front() -> None:
    true = np.random.default_rng(0).normal(size=(500, 3))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    collapsed = 0.2 * true
    ball = figures.latents_sphere(true, collapsed).interactive.data[0]  # type: ignore[union-attr]
    radius = np.sqrt(np.square([ball.x, ball.y, ball.z]).sum(0))
    np.testing.assert_allclose(radius, 0.97 * 0.2, rtol=1e-5)


def test_bars_draw_values_intervals_and_ceiling_in_their_colours() -> None:
    score = figures.FactorBar(
        name="z1",
        estimate=Estimate(0.8, 0.7, 0.85),
        ceiling=0.9,
        controls={"pixels": -7.0},
    )
    figure = figures.factor_bars([score])
    bar, control, ceiling = figure.interactive.data  # type: ignore[union-attr]
    assert (bar.x, bar.marker.color) == ((0.8,), style.RECOVERED)
    np.testing.assert_allclose([bar.error_x.array[0], bar.error_x.arrayminus[0]], [0.05, 0.1])
    assert (ceiling.x, ceiling.marker.color) == ((0.9,), style.PREDICTED)
    assert control.x == (-0.5,)  # drawn at the edge, told in full
    assert control.customdata == ("−7.000",)
    (axes,) = figure.static.axes
    drawn = axes.patches[0]
    assert isinstance(drawn, Rectangle)
    assert drawn.get_width() == 0.8
    assert axes.get_yticklabels()[0].get_text() == "z1\n0.80 [0.70, 0.85]"


def test_bars_mention_only_what_they_show() -> None:
    bare = figures.factor_bars([figures.FactorBar(name="z1", estimate=0.8)])
    assert not any(word in bare.caption for word in ("ceiling", "controls", "covers"))


def test_circle_offers_every_group() -> None:
    angle = np.linspace(0, 6, 90)
    point = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    figure = figures.circle_scatter(angle, point, group=np.array(["duck", "cat", "cup"] * 30))
    labels, masks = zip(*views(figure), strict=True)
    assert labels == ("all", "cat", "cup", "duck")
    assert masks[3] == [True, True, False, False, False, True]
    duck = figure.interactive.data[5]  # type: ignore[union-attr]
    np.testing.assert_allclose(duck.customdata, np.degrees(angle[::3]), atol=0.06)


def curve(name: str, x: list[int], r2: float) -> figures.Curve:
    recovered = [Estimate(r2, r2 - 0.1, r2 + 0.05)] * len(x)
    return figures.Curve(name=name, x=x, recovered=recovered, ceiling=[r2 + 0.1] * len(x))


def test_sweep_draws_points_on_the_ceiling_at_the_swept_values() -> None:
    figure = figures.sweep([curve("only", [1000, 10, 1], 0.5)], x_label="κ", log_x=True)
    (axes,) = figure.static.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "10", "1,000"]
    ceiling, points = figure.interactive.data  # type: ignore[union-attr]
    assert (ceiling.line.color, points.marker.color) == (style.PREDICTED, style.RECOVERED)
    assert ceiling.x == (1, 10, 1000)  # a line runs from left to right, whatever the order
    np.testing.assert_allclose(points.error_y.arrayminus, 0.1)
    np.testing.assert_allclose(points.error_y.array, 0.05)
    assert figure.alt.endswith("κ 1: 0.50 [0.40, 0.55].")


def test_sweep_gives_each_curve_a_colour_and_a_mark() -> None:
    figure = figures.sweep([curve(n, [0, 1], 0.5) for n in "abcd"], x_label="share")
    traces = figure.interactive.data  # type: ignore[union-attr]
    colours = [(t.line.color, p.marker.color) for t, p in zip(*[iter(traces)] * 2, strict=True)]
    assert colours == [(c, c) for c in style.CURVES]
    assert len({p.marker.symbol for p in traces[1::2]}) == 4
    assert all(t.line.dash == "dash" for t in traces[::2])
    (axes,) = figure.static.axes
    assert [line.get_color() for line in axes.lines if line.get_linestyle() == "--"] == [
        *style.CURVES
    ]


def test_sweep_leaves_out_what_is_not_finite() -> None:
    nan = float("nan")
    broken = figures.Curve(
        name="a",
        x=[1, 2, 3],
        recovered=[nan, Estimate(0.5, nan, float("inf")), 0.6],
        ceiling=[0.9, nan, float("inf")],
    )
    figure = figures.sweep([broken], x_label="d")
    ceiling, points = figure.interactive.data  # type: ignore[union-attr]
    assert points.x == (2, 3)
    assert points.error_y.array == points.error_y.arrayminus == (0, 0)
    np.testing.assert_array_equal(ceiling.y, [0.9, nan, nan])
    assert image_bytes(figure.static, "png")
    nothing = figures.Curve(name="a", x=[1], recovered=[nan], ceiling=[nan])
    assert "Nothing was measured" in figures.sweep([nothing], x_label="d").alt


def test_sweep_thins_labels_that_would_run_into_each_other() -> None:
    figure = figures.sweep([curve("a", [0, 1, 2, 100], 0.5)], x_label="d")
    (axes,) = figure.static.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "100"]


def test_sweep_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(InputError, match="at least one curve"):
        figures.sweep([], x_label="κ")
    with pytest.raises(InputError, match="κ must be above 0 on a logarithmic axis"):
        figures.sweep([curve("a", [0, 1], 0.5)], x_label="κ", log_x=True)
    with pytest.raises(InputError, match="2 x, 1 recovered and 2 ceilings"):
        figures.Curve(name="a", x=[1, 2], recovered=[0.5], ceiling=[0.6, 0.6])


@pytest.mark.parametrize("shape", [(3, 8, 9), (3, 8, 9, 3)])
def test_photographs_survive_as_they_are(shape: tuple[int, ...]) -> None:
    from base64 import b64decode

    from matplotlib.image import imread

    pixels = np.random.default_rng(0).integers(0, 256, size=shape).astype(np.uint8)
    for images in (pixels, pixels / 255):
        figure = figures.image_grid(images, captions=["a", "b", "c"])
        source = figure.pictures[1].source.removeprefix("data:image/png;base64,")
        decoded = imread(BytesIO(b64decode(source)))[..., :3] * 255
        expected = pixels[1] if len(shape) == 4 else np.repeat(pixels[1][..., None], 3, axis=2)
        np.testing.assert_allclose(decoded, expected, atol=1)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("paper", ["#ffffff", "#14171a"])
@pytest.mark.parametrize("colour", [style.PREDICTED, style.CONTROL, *style.CURVES])
def test_colours_stand_out_in_light_and_in_dark(colour: str, paper: str) -> None:
    assert contrast(colour, paper) >= 3


def test_position_colours_tell_places_apart() -> None:
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    colours = position_colours(axes)
    assert len(set(colours)) == 6
    up, down = colours[2], colours[5]
    assert luminance(up) > 2 * luminance(down)  # without any colour vision
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = position_colours(np.stack([np.cos(turn), np.sin(turn)], axis=1))
    assert len(set(circle)) == 59  # the circle closes: the ends agree
    np.testing.assert_array_equal(position_colours(5 * axes), colours)  # only the direction counts
