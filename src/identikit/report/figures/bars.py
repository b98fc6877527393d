"""Bars: each factor among its ceiling, its controls and the covered part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from identikit.report.style import (
    CONTROL,
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
from identikit.report.tables import Estimate

LOWEST_SCORE = -0.5
"""Scores below are drawn here, so that one wild control does not flatten the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorScore:
    """How well one factor can be read out, and what to compare that with."""

    name: str
    estimate: Estimate
    """From the whole representation."""
    ceiling: float | None = None
    """The best that theory allows."""
    covered: Estimate | None = None
    """From the part of the representation inside the head's row space."""
    rest: Estimate | None = None
    """From the part outside."""
    chance: float | None = None
    """What guessing reaches."""
    controls: Mapping[str, Estimate] = field(default_factory=dict)
    """The same read-out from something that did not learn: pixels, an untrained twin."""


def factor_bars(scores: Sequence[FactorScore], *, score: str = "R²") -> Figure:
    """A bar per factor with its interval, among ceiling, controls, chance and the covered part."""
    words = "; ".join(f"{s.name} {s.estimate}" for s in scores)
    seen = [s.ceiling is not None for s in scores], [s.covered is not None for s in scores]
    parts = " Thinner bars split it into the part the theorem covers and the rest." * any(seen[1])
    line = " The vermilion mark is the predicted ceiling." * any(seen[0])
    return Figure(
        name="factors",
        title="Each factor, with its controls",
        caption=f"Bars: {score} on held-out samples with its 95 % interval.{line}{parts} Grey "
        "marks are controls: what is not clearly above them was not learned.",
        alt=f"Bars of {score} per factor. {words}.",
        static=_static_bars(scores, score),
        interactive=_interactive_bars(scores, score),
    )


@dataclass(frozen=True, slots=True)
class _Series:
    """One kind of mark of the bar chart: positions (from the top), values, intervals."""

    label: str
    colour: str
    y: list[float]
    estimates: list[Estimate]
    thickness: float = 0.0
    mark: tuple[str, str] | None = None


def _bar_series(scores: Sequence[FactorScore]) -> list[_Series]:
    split = any(s.covered is not None or s.rest is not None for s in scores)
    middle = -0.17 if split else 0.0
    series = []

    def add(
        label: str,
        colour: str,
        offset: float,
        found: Sequence[Estimate | float | None],
        *,
        thickness: float = 0.0,
        mark: tuple[str, str] | None = None,
    ) -> None:
        kept = [(i + offset, e) for i, e in enumerate(found) if e is not None]
        estimates = [e if isinstance(e, Estimate) else Estimate(e) for _, e in kept]
        if kept:
            ys = [y for y, _ in kept]
            series.append(_Series(label, colour, ys, estimates, thickness, mark))

    whole = 0.36 if split else 0.5
    add("recovered", RECOVERED, middle, [s.estimate for s in scores], thickness=whole)
    add("covered part", COVERED, 0.12, [s.covered for s in scores], thickness=0.18)
    add("rest", REST, 0.32, [s.rest for s in scores], thickness=0.18)
    add("chance", CONTROL, middle, [s.chance for s in scores], mark=("line-ns-open", "|"))
    for k, control in enumerate(dict.fromkeys(c for s in scores for c in s.controls)):
        mark = CONTROL_MARKS[k % len(CONTROL_MARKS)]
        add(control, CONTROL, middle, [s.controls.get(control) for s in scores], mark=mark)
    line = ("line-ns-open", "|")
    add("predicted ceiling", PREDICTED, middle, [s.ceiling for s in scores], mark=line)
    return series


def _drawn(estimates: Sequence[Estimate]) -> tuple[list[float], list[float], list[float]]:
    """Values and the two arms of their intervals, kept above `LOWEST_SCORE`."""
    values = [max(e.value, LOWEST_SCORE) for e in estimates]
    down = [v - max(e.value if e.low is None else e.low, LOWEST_SCORE)
            for v, e in zip(values, estimates, strict=True)]  # fmt: skip
    up = [max(0.0, (e.value if e.high is None else e.high) - v)
          for v, e in zip(values, estimates, strict=True)]  # fmt: skip
    return values, [max(0.0, arm) for arm in down], up


def _interactive_bars(scores: Sequence[FactorScore], score: str) -> go.Figure:
    traces: list[Any] = []
    lowest = 0.0
    for series in _bar_series(scores):
        values, down, up = _drawn(series.estimates)
        lowest = min([lowest, *values])
        common: dict[str, Any] = {
            "name": plain(series.label),
            "x": values,
            "y": series.y,
            "customdata": [str(e) for e in series.estimates],
            "hovertemplate": f"{plain(series.label)}: %{{customdata}}<extra></extra>",
        }
        arms = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
        if series.mark is None:
            traces.append(
                go.Bar(
                    **common,
                    orientation="h",
                    width=series.thickness,
                    marker={"color": series.colour},
                    error_x=arms | {"thickness": 1.5, "width": 4, "color": CONTROL},
                )
            )
        else:
            tick = series.mark[1] == "|"
            marker: dict[str, Any] = {"symbol": series.mark[0], "color": series.colour}
            marker |= {"size": 22 if tick else 9, "line": {"color": series.colour}}
            marker["line"]["width"] = (3 if series.colour == PREDICTED else 1.5) if tick else 0
            traces.append(go.Scatter(**common, mode="markers", marker=marker))
    ticks = [f"{plain(s.name)}<br>{s.estimate}" for s in scores]
    return interactive(
        traces,
        height=150 + 58 * len(scores),
        barmode="overlay",
        xaxis={"title": {"text": plain(score)}, "range": [lowest * 1.05, 1.04]},
        yaxis={
            "tickvals": list(range(len(scores))),
            "ticktext": ticks,
            "range": [len(scores) - 0.4, -0.6],
            "showgrid": False,
            "ticks": "",
        },
    )


def _static_bars(scores: Sequence[FactorScore], score: str) -> Any:
    lowest = 0.0
    with canvas(height=1.3 + 0.5 * len(scores)) as figure:
        axes = figure.subplots()
        for series in _bar_series(scores):
            values, down, up = _drawn(series.estimates)
            lowest = min([lowest, *values])
            label = verbatim(series.label)
            if series.mark is None:
                axes.barh(series.y, values, series.thickness, color=series.colour, label=label)
                axes.errorbar(
                    values, series.y, xerr=[down, up], fmt="none", ecolor="#333333", elinewidth=0.9,
                    capsize=2,
                )  # fmt: skip
            else:
                tick = series.mark[1] == "|"
                axes.plot(
                    values, series.y, series.mark[1], color=series.colour, label=label,
                    markersize=14 if tick else 5, zorder=4,
                    markeredgewidth=(2 if series.colour == PREDICTED else 1) if tick else 0,
                )  # fmt: skip
        axes.set_yticks(
            range(len(scores)), [verbatim(f"{s.name}\n{s.estimate}") for s in scores], fontsize=8
        )
        axes.set(xlim=(lowest * 1.05, 1.04), ylim=(len(scores) - 0.4, -0.6))
        axes.set_xlabel(verbatim(score))
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper left", ncols=4, handlelength=1.2)
    return figure
