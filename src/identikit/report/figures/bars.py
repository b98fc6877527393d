"""Bars: each factor among its ceiling, its controls and the covered part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from identikit.core.estimate import Estimate, as_text, with_ends
from identikit.report.style import (
    CONTROL,
    CONTROL_MARK,
    CONTROL_MARKS,
    COVERED,
    PREDICTED,
    RECOVERED,
    REST,
    Figure,
    canvas,
    interactive,
    plain,
    verbatim,
)

_TICK = ("line-ns-open", "|")
LOWEST_SCORE = -0.5
"""Scores below are drawn here, so that one wild control does not flatten the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorBar:
    """How well one factor can be read out, and what to compare that with."""

    name: str
    estimate: Estimate | float
    """From the whole representation."""
    ceiling: float | None = None
    """The best that theory allows."""
    row_space: Estimate | float | None = None
    """From the part of the representation inside the head's row space."""
    complement: Estimate | float | None = None
    """From the part outside."""
    chance: float | None = None
    """What guessing reaches."""
    controls: Mapping[str, Estimate | float] = field(default_factory=dict)
    """The same linear probe from something that did not learn: pixels, an untrained twin."""


def factor_bars(scores: Sequence[FactorBar], *, score: str = "R²") -> Figure:
    """A bar per factor with its interval, among ceiling, controls, chance and the covered part."""
    words = "; ".join(f"{s.name} {s.estimate}" for s in scores)
    caption = f"Bars: {score} on held-out samples with its 95 % interval."
    if any(s.ceiling is not None for s in scores):
        caption += " The vermilion mark is the predicted ceiling."
    if any(s.row_space is not None for s in scores):
        caption += " The thinner bars read out the same from one part of the representation only: "
        caption += "the part that the theorem covers, and the rest."
    if any(s.controls for s in scores):
        caption += " The small marks are controls: what is not clearly above them was not learned."
    return Figure(
        name="factors",
        title="Each factor, with its controls",
        caption=caption,
        alt=f"Bars of {score} per factor. {words}.",
        static=_static(scores, score),
        interactive=_interactive(scores, score),
    )


@dataclass(frozen=True, slots=True)
class _Series:
    """Bars, ticks or marks of one kind; rows count from the top."""

    label: str
    colour: str
    rows: list[float]
    estimates: list[Estimate | float]
    thickness: float
    """Of a bar, in rows; 0 for ticks and marks."""
    mark: tuple[str, str]
    """Symbol in Plotly's and in Matplotlib's names."""

    @property
    def is_tick(self) -> bool:
        return self.mark == _TICK

    def drawn(self) -> tuple[list[float], list[float], list[float]]:
        """Values and the arms of their intervals, none below `LOWEST_SCORE`."""
        values, down, up = [], [], []
        for found, low, high in map(with_ends, self.estimates):
            value = max(found, LOWEST_SCORE)
            values.append(value)
            down.append(max(0.0, value - max(low, LOWEST_SCORE)))
            up.append(max(0.0, high - value))
        return values, down, up


def _series(scores: Sequence[FactorBar]) -> list[_Series]:
    split = any(s.row_space is not None or s.complement is not None for s in scores)
    middle, thick = (-0.17, 0.36) if split else (0.0, 0.5)
    controls = dict.fromkeys(name for s in scores for name in s.controls)
    kinds: list[tuple[str, str, float, float, tuple[str, str], list[Estimate | float | None]]] = [
        ("recovered", RECOVERED, middle, thick, _TICK, [s.estimate for s in scores]),
        ("head row space", COVERED, 0.12, 0.18, _TICK, [s.row_space for s in scores]),
        ("complement", REST, 0.32, 0.18, _TICK, [s.complement for s in scores]),
        ("chance", CONTROL, middle, 0.0, _TICK, [s.chance for s in scores]),
    ]
    for k, name in enumerate(controls):
        mark = CONTROL_MARKS[k % len(CONTROL_MARKS)]
        kinds.append(
            (name, CONTROL_MARK, middle, 0.0, mark, [s.controls.get(name) for s in scores])
        )
    ceiling: list[Estimate | float | None] = [s.ceiling for s in scores]
    kinds.append(("predicted ceiling", PREDICTED, middle, 0.0, _TICK, ceiling))
    series = []
    for label, colour, offset, thickness, mark, values in kinds:
        kept = {i + offset: e for i, e in enumerate(values) if e is not None}
        if kept:
            found = list(kept.values())
            series.append(_Series(label, colour, list(kept), found, thickness, mark))
    return series


def _limits(series: Sequence[_Series]) -> tuple[float, float]:
    values = [v for s in series for v in s.drawn()[0]]
    return 1.05 * min(0.0, *values), 1.04 * max(1.0, *values)


def _interactive(scores: Sequence[FactorBar], score: str) -> go.Figure:
    series = _series(scores)
    rows = [f"{plain(s.name)}<br>{s.estimate}" for s in scores]
    return interactive(
        [_bars(s) if s.thickness else _marks(s) for s in series],
        height=150 + 58 * len(scores),
        barmode="overlay",
        xaxis={"title": {"text": plain(score)}, "range": _limits(series)},
        yaxis={
            "tickvals": list(range(len(scores))),
            "ticktext": rows,
            "range": [len(scores) - 0.4, -0.6],
            "showgrid": False,
            "ticks": "",
        },
    )


def _hover(series: _Series) -> dict[str, Any]:
    return {
        "name": plain(series.label),
        "y": series.rows,
        "customdata": [as_text(e) for e in series.estimates],
        "hovertemplate": f"{plain(series.label)}: %{{customdata}}<extra></extra>",
    }


def _bars(series: _Series) -> go.Bar:
    values, down, up = series.drawn()
    arms = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
    return go.Bar(
        x=values,
        **_hover(series),
        orientation="h",
        width=series.thickness,
        marker={"color": series.colour},
        error_x=arms | {"thickness": 1.5, "width": 4},
    )


def _marks(series: _Series) -> go.Scatter:
    edge = (
        {"color": series.colour, "width": 3} if series.is_tick else {"color": "white", "width": 1}
    )
    marker = {"symbol": series.mark[0], "size": 22 if series.is_tick else 11, "line": edge}
    return go.Scatter(
        x=series.drawn()[0],
        **_hover(series),
        mode="markers",
        marker=marker | {"color": series.colour},
    )


def _static(scores: Sequence[FactorBar], score: str) -> Canvas:
    series = _series(scores)
    with canvas(height=1.3 + 0.5 * len(scores)) as figure:
        axes = figure.subplots()
        handles = [_draw(axes, s) for s in series]
        rows = [verbatim(f"{s.name}\n{s.estimate}") for s in scores]
        axes.set_yticks(range(len(scores)), rows, fontsize=8)
        axes.set(xlim=_limits(series), ylim=(len(scores) - 0.4, -0.6))
        axes.set_xlabel(verbatim(score))
        axes.grid(visible=False, axis="y")
        labels = [verbatim(s.label) for s in series]
        figure.legend(handles, labels, loc="outside upper left", ncols=4, handlelength=1.2)
    return figure


def _draw(axes: Axes, series: _Series) -> Any:
    values, down, up = series.drawn()
    if series.thickness:
        return axes.barh(
            series.rows,
            values,
            series.thickness,
            color=series.colour,
            xerr=[down, up],
            error_kw={"elinewidth": 0.9, "ecolor": "#222222", "capsize": 2},
        )
    symbol, colour = series.mark[1], series.colour
    edge = (colour, 2) if series.is_tick else ("white", 0.6)
    (marks,) = axes.plot(
        values,
        series.rows,
        linestyle="none",
        marker=symbol,
        color=colour,
        markersize=14 if series.is_tick else 6,
        markeredgecolor=edge[0],
        markeredgewidth=edge[1],
        zorder=4,
    )
    return marks
