"""Points: one quantity against another, in groups that are told apart by colour and shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from identikit.report.style import CURVE_MARKS, CURVES, Figure, canvas, interactive, plain, verbatim


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A group of points."""

    name: str
    x: Sequence[int | float]
    y: Sequence[int | float]
    words: Sequence[str]
    """What each point is."""


def points(groups: Sequence[Points], *, x_label: str, y_label: str) -> Figure:
    """A scatter plot of all groups.

    Args:
        groups: Each gets a colour and a mark of its own.
        x_label: The horizontal quantity.
        y_label: The vertical one.
    """
    count = sum(len(group.x) for group in groups)
    return Figure(
        name="points",
        title=f"{y_label} over {x_label}",
        caption="One point for each of the cases; the words of a point show under the pointer.",
        alt=f"{count} points of {y_label} over {x_label}, in groups "
        f"{', '.join(group.name for group in groups)}.",
        static=_static(groups, x_label, y_label),
        interactive=interactive(
            [_trace(group, k) for k, group in enumerate(groups)],
            xaxis={"title": {"text": plain(x_label)}},
            yaxis={"title": {"text": plain(y_label)}},
        ),
    )


def _trace(group: Points, k: int) -> go.Scatter:
    return go.Scatter(
        name=plain(group.name),
        x=list(group.x),
        y=list(group.y),
        customdata=[plain(words) for words in group.words],
        mode="markers",
        marker={
            "color": CURVES[k % len(CURVES)],
            "size": 8,
            "symbol": CURVE_MARKS[k % len(CURVE_MARKS)][0],
            "opacity": 0.8,
        },
        hovertemplate="%{customdata}: %{x:.3f}, %{y:.3f}<extra></extra>",
    )


def _static(groups: Sequence[Points], x_label: str, y_label: str) -> Any:
    with canvas() as figure:
        axes = figure.subplots()
        for k, group in enumerate(groups):
            axes.plot(
                group.x,
                group.y,
                linestyle="none",
                marker=CURVE_MARKS[k % len(CURVE_MARKS)][1],
                markersize=4,
                alpha=0.8,
                color=CURVES[k % len(CURVES)],
                label=verbatim(group.name),
            )
        axes.set(xlabel=verbatim(x_label), ylabel=verbatim(y_label))
        figure.legend(loc="outside upper left", ncols=4)
    return figure
