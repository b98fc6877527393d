"""Sweep: R² over a quantity that was varied, recovered points on predicted ceilings.

    sweep([Curve(name="C = 10", x=x, recovered=[Estimate(...), ...], ceiling=[...]), ...],
          x_label="κ", y_label="R²", log_x=True) -> Figure

Curves may have places x of their own. What is not finite is left out: a row that failed is
given as NaN and leaves a gap, in the points or in the ceiling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Spread, as_text, format_number, with_ends
from identikit.report.style import (
    CURVE_MARKS,
    CURVES,
    PREDICTED,
    RECOVERED,
    Figure,
    canvas,
    interactive,
    plain,
    verbatim,
)

_LEAST_SPAN = 0.1
"""Of the vertical axis, so that points within the noise of each other look alike."""
_TICK_GAP = 0.06
"""Least distance of tick labels, as a share of the horizontal axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One curve: a ceiling, and the points that were recovered on it.

    Raises:
        InputError: sequences of different lengths.
    """

    name: str
    """What sets it apart from its neighbours; not shown where it is alone."""
    x: Sequence[int | float]
    """The swept quantity."""
    recovered: Sequence[Estimate | Spread | float]
    """One per x, with its spread; NaN where there is none."""
    ceiling: Sequence[int | float]
    """One per x; NaN where there is none."""

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.recovered) == len(self.ceiling):
            raise InputError(
                f"the curve {self.name!r} needs a recovered value and a ceiling for each x; got "
                f"{len(self.x)} x, {len(self.recovered)} recovered and {len(self.ceiling)} "
                "ceilings. Give NaN for what is missing."
            )

    @property
    def points(self) -> list[tuple[float, Estimate | Spread | float]]:
        """The recovered points that can be drawn."""
        found = zip(self.x, self.recovered, strict=True)
        return [
            (float(x), e) for x, e in found if math.isfinite(x) and math.isfinite(with_ends(e)[0])
        ]

    def arms(self) -> tuple[list[float], list[float], list[float]]:
        """Values of the points, and how far their spread reaches below and above."""
        triples = [with_ends(e) for _, e in self.points]
        down = [max(0.0, v - low) if math.isfinite(low) else 0.0 for v, low, _ in triples]
        up = [max(0.0, high - v) if math.isfinite(high) else 0.0 for v, _, high in triples]
        return [v for v, _, _ in triples], down, up

    def line(self) -> list[tuple[float, float]]:
        """The ceiling from left to right, NaN in its gaps."""
        known = zip(self.x, self.ceiling, strict=True)
        return sorted((float(x), float(c) if math.isfinite(c) else math.nan) for x, c in known)


LONG = 20
"""Letters of a name from which four do not fit above the axes."""


def sweep(
    curves: Sequence[Curve], *, x_label: str, y_label: str = "R²", log_x: bool = False
) -> Figure:
    """Recovered points with their spread over a swept quantity, on the predicted ceilings.

    Args:
        curves: Each gets a colour and a mark of its own; a single one the house colours.
        x_label: The swept quantity.
        y_label: What was recovered.
        log_x: Whether the horizontal axis is logarithmic.

    Raises:
        InputError: no curve, or x that a logarithmic axis cannot show.
    """
    if not curves:
        raise InputError("a sweep needs at least one curve; got none.")
    if log_x and any(x <= 0 for curve in curves for x in curve.x):
        raise InputError(f"{x_label} must be above 0 on a logarithmic axis; got 0 or less.")
    words = "; ".join(
        f"{_prefix(curve, curves)}{x_label} {_place(x)}: {as_text(e)}"
        for curve in curves
        for x, e in curve.points
    )
    return Figure(
        name="sweep",
        title=f"{y_label} over {x_label}",
        caption="Points: recovered, with their spread. Dashed: the predicted ceiling.",
        alt=f"Recovered {y_label} on its predicted ceiling. {words or 'Nothing was measured'}.",
        static=_static(curves, (x_label, y_label), log_x),
        interactive=_interactive(curves, (x_label, y_label), log_x),
    )


def _prefix(curve: Curve, curves: Sequence[Curve]) -> str:
    return f"{curve.name}, " if len(curves) > 1 else ""


def _colours(curves: Sequence[Curve], k: int) -> tuple[str, str]:
    """Of the ceiling and of the points: one meaning each, or one curve each."""
    if len(curves) == 1:
        return PREDICTED, RECOVERED
    return CURVES[k % len(CURVES)], CURVES[k % len(CURVES)]


def _places(curves: Sequence[Curve]) -> list[float]:
    return sorted({float(x) for curve in curves for x in curve.x if math.isfinite(x)})


def _place(x: float) -> str:
    return format_number(int(x)) if float(x).is_integer() else f"{x:g}"


def _ticks(places: Sequence[float], log_x: bool) -> dict[float, str]:
    """The swept values themselves, where their labels do not run into each other."""
    at = [math.log(x) if log_x else x for x in places]
    ticks: dict[float, str] = {}
    last = -math.inf
    for x, here in zip(places, at, strict=True):
        if here - last >= _TICK_GAP * (at[-1] - at[0]):
            ticks[x] = _place(x)
            last = here
    return ticks


def _range(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Of the vertical axis; None if nothing is drawn."""
    ends = [c for curve in curves for _, c in curve.line() if math.isfinite(c)]
    for curve in curves:
        for value, down, up in zip(*curve.arms(), strict=True):
            ends += [value - down, value + up]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    low = min(low, high - _LEAST_SPAN)
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _interactive(curves: Sequence[Curve], labels: tuple[str, str], log_x: bool) -> go.Figure:
    ticks = _ticks(_places(curves), log_x)
    horizontal = {"tickvals": list(ticks), "ticktext": list(ticks.values())}
    return interactive(
        [
            trace
            for k, curve in enumerate(curves)
            for trace in _traces(curve, _prefix(curve, curves), CURVE_MARKS[k % 4][0],
                                 _colours(curves, k))
        ],
        xaxis={"title": {"text": plain(labels[0])}, "type": "log" if log_x else "linear"}
        | horizontal,
        yaxis={"title": {"text": plain(labels[1])}, "range": _range(curves)},
    )  # fmt: skip


def _traces(
    curve: Curve, prefix: str, mark: str, colours: tuple[str, str]
) -> tuple[go.Scatter, go.Scatter]:
    line, (values, down, up) = curve.line(), curve.arms()
    name = plain(prefix)
    ceiling = go.Scatter(
        name=f"{name}predicted ceiling",
        x=[x for x, _ in line],
        y=[c for _, c in line],
        mode="lines",
        line={"color": colours[0], "dash": "dash", "width": 2},
        showlegend=not prefix,
        hovertemplate=f"{name}predicted %{{y:.3f}}<extra></extra>",
    )
    points = go.Scatter(
        name=plain(curve.name) if prefix else "recovered",
        x=[x for x, _ in curve.points],
        y=values,
        mode="markers",
        marker={"color": colours[1], "size": 8, "symbol": mark},
        error_y={"type": "data", "color": colours[1], "symmetric": False}
        | {"array": up, "arrayminus": down},
        customdata=[as_text(e) for _, e in curve.points],
        hovertemplate=f"{name}recovered %{{customdata}}<extra></extra>",
    )
    return ceiling, points


def _static(curves: Sequence[Curve], labels: tuple[str, str], log_x: bool) -> Canvas:
    ticks = _ticks(_places(curves), log_x)
    several = len(curves) > 1
    with canvas() as figure:
        axes = figure.subplots()
        for k, curve in enumerate(curves):
            dashed, dotted = _colours(curves, k)
            line, (values, down, up) = curve.line(), curve.arms()
            axes.plot([x for x, _ in line], [c for _, c in line], "--", color=dashed,
                      label="" if several else "predicted ceiling")  # fmt: skip
            axes.errorbar([x for x, _ in curve.points], values, yerr=[down, up], color=dotted,
                          fmt=CURVE_MARKS[k % 4][1], markersize=4, capsize=2,
                          label=verbatim(curve.name) if several else "recovered")  # fmt: skip
        if log_x:
            axes.set_xscale("log")
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xticks([], minor=True)
        axes.set_ylim(_range(curves))
        axes.set(xlabel=verbatim(labels[0]), ylabel=verbatim(labels[1]))
        handles, _ = axes.get_legend_handles_labels()
        if several:
            handles.append(Line2D([], [], color="#555555", ls="--", label="predicted ceiling"))
        wide = max(len(str(handle.get_label())) for handle in handles) > LONG
        figure.legend(handles=handles, loc="outside upper left", ncols=3 if wide else 4)
    return figure
