"""Grouped bars: one score of many factors from several representations, drawn from chance on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from matplotlib.figure import Figure as Canvas

from identikit.core.estimate import Estimate, with_ends
from identikit.report.style import PREDICTED, Figure, canvas, interactive, plain, verbatim

ROOM = 0.84
"""Share of a group's height that its bars take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSeries:
    """The bars of one representation, a value per group."""

    label: str
    values: tuple[Estimate | None, ...]
    """None where there is no bar."""
    colour: str
    filled: bool = True
    """Whether bars are full, or outlines only."""


def grouped_bars(
    groups: Sequence[str],
    series: Sequence[BarSeries],
    *,
    score: str,
    chance: float,
    predicted: Sequence[float | None] | None = None,
    predicted_label: str = "predicted",
) -> Figure:
    """Bars from the chance line to each value, with intervals; groups from the top.

    Args:
        groups: Names, such as factors.
        series: Bars within every group, in their order.
        score: What is drawn.
        chance: Where bars start.
        predicted: A mark per group.
        predicted_label: What the mark is.
    """
    marks = {g: mark for g, mark in enumerate(predicted or ()) if mark is not None}
    caption = f"{score} with 95 % intervals; bars start at chance ({chance:g})."
    if predicted is not None:
        caption += f" The vermilion mark is {predicted_label}."
    words = "; ".join(
        f"{name}: " + ", ".join(f"{s.label} {s.values[k]}" for s in series if s.values[k])
        for k, name in enumerate(groups)
    )
    return Figure(
        name="groups",
        title=f"{score} of each factor",
        caption=caption,
        alt=f"Bars of {score} in groups. {words}.",
        static=_static(groups, series, score, chance, marks, predicted_label),
        interactive=_interactive(groups, series, score, chance, marks, predicted_label),
    )


def _rows(k: int, count: int, groups: int) -> list[float]:
    """Heights of the k-th bar of every group; groups are one apart."""
    return [g + ROOM * ((k + 0.5) / count - 0.5) for g in range(groups)]


def _drawn(
    series: BarSeries, rows: list[float], chance: float
) -> list[tuple[float, float, float, float]]:
    """Row, length from chance, and the arms of the interval, of each bar there is."""
    bars = []
    for row, value in zip(rows, series.values, strict=True):
        if value is not None:
            found, low, high = with_ends(value)
            bars.append((row, found - chance, max(0.0, found - low), max(0.0, high - found)))
    return bars


def _static(
    groups: Sequence[str],
    series: Sequence[BarSeries],
    score: str,
    chance: float,
    marks: Mapping[int, float],
    label: str,
) -> Canvas:
    with canvas(height=1.2 + len(groups) * (0.22 + 0.1 * len(series))) as figure:
        axes = figure.subplots()
        handles: list[Any] = []
        for k, own in enumerate(series):
            bars = _drawn(own, _rows(k, len(series), len(groups)), chance)
            row, length, down, up = (list(v) for v in zip(*bars, strict=True))
            handles.append(
                axes.barh(
                    row,
                    length,
                    0.9 * ROOM / len(series),
                    left=chance,
                    color=own.colour if own.filled else "none",
                    edgecolor=own.colour,
                    linewidth=0.7,
                    xerr=[down, up],
                    error_kw={"elinewidth": 0.7, "ecolor": "#222222", "capsize": 0},
                )
            )
        labels = [verbatim(s.label) for s in series]
        if marks:
            handles.append(
                axes.vlines(
                    list(marks.values()),
                    [g - ROOM / 2 for g in marks],
                    [g + ROOM / 2 for g in marks],
                    color=PREDICTED,
                    linewidth=1.8,
                )
            )
            labels.append(verbatim(label))
        axes.axvline(chance, color="#222222", linewidth=0.8)
        axes.set_yticks(range(len(groups)), [verbatim(name) for name in groups], fontsize=8)
        axes.set(ylim=(len(groups) - 0.45, -0.55))
        axes.set_xlabel(verbatim(score))
        axes.grid(visible=False, axis="y")
        figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=1.2)
    return figure


def _interactive(
    groups: Sequence[str],
    series: Sequence[BarSeries],
    score: str,
    chance: float,
    marks: Mapping[int, float],
    label: str,
) -> go.Figure:
    traces: list[go.Bar | go.Scatter] = []
    for k, own in enumerate(series):
        bars = _drawn(own, _rows(k, len(series), len(groups)), chance)
        row, length, down, up = (list(v) for v in zip(*bars, strict=True))
        traces.append(
            go.Bar(
                x=length,
                y=row,
                base=chance,
                orientation="h",
                width=0.9 * ROOM / len(series),
                name=plain(own.label),
                customdata=[str(value) for value in own.values if value is not None],
                hovertemplate=f"{plain(own.label)}: %{{customdata}}<extra></extra>",
                marker={
                    "color": own.colour if own.filled else "rgba(0,0,0,0)",
                    "line": {"color": own.colour, "width": 1},
                },
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": up,
                    "arrayminus": down,
                    "thickness": 1,
                    "width": 0,
                },
            )
        )
    if marks:
        traces.append(
            go.Scatter(
                x=list(marks.values()),
                y=list(marks),
                mode="markers",
                name=plain(label),
                hovertemplate=f"{plain(label)}: %{{x:.3f}}<extra></extra>",
                marker={
                    "symbol": "line-ns-open",
                    "size": 5 * len(series) + 8,
                    "color": PREDICTED,
                    "line": {"color": PREDICTED, "width": 3},
                },
            )
        )
    return interactive(
        traces,
        height=140 + len(groups) * (14 + 9 * len(series)),
        barmode="overlay",
        xaxis={"title": {"text": plain(score)}},
        yaxis={
            "tickvals": list(range(len(groups))),
            "ticktext": [plain(name) for name in groups],
            "range": [len(groups) - 0.45, -0.55],
            "showgrid": False,
            "ticks": "",
        },
        shapes=[
            {
                "type": "line",
                "x0": chance,
                "x1": chance,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": "#777777", "width": 1},
            }
        ],
    )
