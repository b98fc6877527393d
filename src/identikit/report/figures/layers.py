"""Layer curves: a score over the layers of a model, factor by factor, beside its controls.

layer_curves([LayerCurve(name="size", measure="R²", values=[Estimate(...), ...], chance=0.0,
                         controls={"untrained": [Estimate(...), ...]}, best=3), ...],
             layers=["stem", "block1", ...]) -> Figure
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, as_text
from identikit.report.figures.bars import LOWEST_SCORE
from identikit.report.style import (
    CONTROL,
    CONTROL_MARKS,
    RECOVERED,
    Figure,
    canvas,
    interactive,
    menu,
    plain,
    verbatim,
)

ACROSS = 3
TICKS = 8
"""Layers that are named below a curve at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCurve:
    """One factor's score in every layer.

    Raises:
        InputError: a control with another number of layers.
    """

    name: str
    measure: str
    values: Sequence[Estimate]
    chance: float
    controls: Mapping[str, Sequence[Estimate | None]] = field(default_factory=dict)
    """The same of each control; None in layers that lack it."""
    best: int | None = None
    """Place of the layer that is named, if one is."""

    def __post_init__(self) -> None:
        for name, values in self.controls.items():
            if len(values) != len(self.values):
                raise InputError(
                    f"the control {name!r} of {self.name!r} needs a value for each layer; got "
                    f"{len(values)} for {len(self.values)}. Give None for what is missing."
                )

    @property
    def label(self) -> str:
        """The factor with its measure."""
        return f"{self.name} ({self.measure})"


def layer_curves(curves: Sequence[LayerCurve], *, layers: Sequence[str]) -> Figure:
    """A small panel for each factor: the score over layers with its interval, controls beside.

    Args:
        curves: One per factor.
        layers: Their names, in the order of computation.

    Raises:
        InputError: no curve, or one of another number of layers.
    """
    if not curves or any(len(curve.values) != len(layers) for curve in curves):
        raise InputError(
            f"layer curves need one curve or more, with a value for each of {len(layers)} layers."
        )
    words = "; ".join(f"{curve.label} {_at(curve.values, layers, curve.best)}" for curve in curves)
    caption = (
        "Line and band: score of each layer with its 95 % interval, in the order of computation. "
        "Dotted: chance."
    )
    if any(curve.best is not None for curve in curves):
        caption += " The ring is the layer that cross-validation inside the training part names."
    if any(curve.controls for curve in curves):
        caption += " Grey with marks: controls, in the same layer where they have layers."
    return Figure(
        name="layers",
        title="Every factor, layer by layer",
        caption=caption,
        alt=f"Curves of {len(curves)} factors over {len(layers)} layers. {words}.",
        static=_static(curves, layers),
        interactive=_interactive(curves, layers),
    )


def _at(values: Sequence[Estimate], layers: Sequence[str], best: int | None) -> str:
    place = len(layers) - 1 if best is None else best
    return f"{'last' if best is None else 'best'} at {layers[place]}, {values[place]}"


def _drawn(values: Sequence[Estimate | None]) -> tuple[list[float], list[float], list[float]]:
    """Values and ends of their intervals, none below `LOWEST_SCORE`; NaN for what is missing."""
    nan = float("nan")
    triples = [(nan, nan, nan) if e is None else (e.value, e.low, e.high) for e in values]
    value, low, high = ([max(v, LOWEST_SCORE) for v in ends] for ends in zip(*triples, strict=True))
    return value, low, high


def _limits(curve: LayerCurve) -> tuple[float, float]:
    drawn = [_drawn(curve.values), *(_drawn(values) for values in curve.controls.values())]
    ends = [v for triple in drawn for side in triple for v in side if v == v]
    low, high = min(*ends, curve.chance), max(*ends, curve.chance)
    room = 0.06 * max(high - low, 0.1)
    return low - room, high + room


def _ticks(layers: Sequence[str]) -> dict[int, str]:
    """Places of the layers that are named: all, or some of many, the last among them."""
    step = -(-len(layers) // TICKS)
    return {k: layers[k] for k in sorted(range(len(layers) - 1, -1, -step))}


def _interactive(curves: Sequence[LayerCurve], layers: Sequence[str]) -> go.Figure:
    groups = [_traces(curve, layers, shown=j == 0) for j, curve in enumerate(curves)]
    owner = [j for j, traces in enumerate(groups) for _ in traces]
    views = [(curve.label, [k == j for k in owner]) for j, curve in enumerate(curves)]
    patches = [
        {"yaxis.title.text": plain(curve.measure), "yaxis.range": list(_limits(curve))}
        for curve in curves
    ]
    ticks = _ticks(layers)
    return interactive(
        [trace for traces in groups for trace in traces],
        height=420,
        xaxis={"tickvals": list(ticks), "ticktext": [plain(name) for name in ticks.values()]},
        yaxis={"title": {"text": plain(curves[0].measure)}, "range": _limits(curves[0])},
        updatemenus=menu(views, patches),
    )


def _traces(curve: LayerCurve, layers: Sequence[str], *, shown: bool) -> list[go.Scatter]:
    places = list(range(len(layers)))
    value, low, high = _drawn(curve.values)
    band = go.Scatter(
        x=[*places, *reversed(places)],
        y=[*high, *reversed(low)],
        fill="toself",
        line={"width": 0},
        fillcolor="rgba(43, 123, 186, 0.22)",
        hoverinfo="skip",
        showlegend=False,
        visible=shown,
    )
    lines: list[tuple[str, Sequence[Estimate | None], str, str]] = [
        ("recovered", curve.values, RECOVERED, "circle")
    ]
    lines += [
        (name, values, CONTROL, CONTROL_MARKS[k % len(CONTROL_MARKS)][0])
        for k, (name, values) in enumerate(curve.controls.items())
    ]
    traces = [
        go.Scatter(
            name=plain(name),
            x=places,
            y=_drawn(values)[0],
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"symbol": mark, "size": 6},
            customdata=[
                f"{plain(layer)}: {'—' if e is None else as_text(e)}"
                for layer, e in zip(layers, values, strict=True)
            ],
            hovertemplate=f"{plain(name)}, %{{customdata}}<extra></extra>",
            visible=shown,
        )
        for name, values, colour, mark in lines
    ]
    ring = go.Scatter(
        name="layer named",
        x=[] if curve.best is None else [curve.best],
        y=[] if curve.best is None else [value[curve.best]],
        mode="markers",
        marker={"symbol": "circle-open", "size": 14, "color": RECOVERED, "line": {"width": 2}},
        hoverinfo="skip",
        visible=shown,
        showlegend=curve.best is not None,
    )
    chance = go.Scatter(
        name="chance",
        x=[places[0], places[-1]],
        y=[curve.chance] * 2,
        mode="lines",
        line={"color": CONTROL, "dash": "dot", "width": 1},
        hoverinfo="skip",
        visible=shown,
    )
    return [band, *traces, ring, chance]


def _static(curves: Sequence[LayerCurve], layers: Sequence[str]) -> Canvas:
    across = min(ACROSS, len(curves))
    down = -(-len(curves) // across)
    with canvas(width=max(3.2, 2.5 * across), height=0.8 + 2.1 * down) as figure:
        grid = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
        for panel in grid[len(curves) :]:
            panel.set_axis_off()
        handles: dict[str, Artist] = {}
        for panel, curve in zip(grid, curves, strict=False):
            handles |= _draw(panel, curve)
            ticks = _ticks(layers)
            panel.set_xticks(list(ticks), [verbatim(name) for name in ticks.values()])
            panel.tick_params(axis="x", labelsize=6, labelrotation=90, labelbottom=True)
            panel.set_title(verbatim(curve.label), fontsize=8)
            panel.set_ylim(_limits(curve))
        names = [verbatim(name) for name in handles]
        figure.legend(list(handles.values()), names, loc="outside upper left", ncols=5)
    return figure


def _draw(panel: Axes, curve: LayerCurve) -> dict[str, Artist]:
    """One panel; the lines that a legend names."""
    places = range(len(curve.values))
    value, low, high = _drawn(curve.values)
    panel.fill_between(places, low, high, color=RECOVERED, alpha=0.22, linewidth=0)
    found: dict[str, Artist] = {}
    (found["recovered"],) = panel.plot(places, value, color=RECOVERED, linewidth=1.3)
    for k, (name, values) in enumerate(curve.controls.items()):
        mark = CONTROL_MARKS[k % len(CONTROL_MARKS)][1]
        (found[name],) = panel.plot(
            places, _drawn(values)[0], color=CONTROL, linewidth=0.9, marker=mark, markersize=2.5
        )
    if curve.best is not None:
        (found["layer named"],) = panel.plot(
            [curve.best], [value[curve.best]], "o", color=RECOVERED, mfc="none", markersize=7
        )
    found["chance"] = panel.axhline(curve.chance, color=CONTROL, linestyle=":", linewidth=0.9)
    return found
