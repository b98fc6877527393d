"""Training: how R² and the loss came to where they are."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter

from identikit.core.errors import InputError
from identikit.core.estimate import format_number, power_of_ten
from identikit.report.style import PREDICTED, RECOVERED, Figure, canvas, interactive, menu

_LABELS = {
    "r2": "R² on held-out samples",
    "accuracy": "accuracy on held-out samples",
    "excess_loss": "excess loss over the Bayes loss (nats)",
    "loss": "cross-entropy (nats)",
}


@dataclass(frozen=True, slots=True)
class _Panel:
    """One curve over training."""

    label: str
    known: pd.DataFrame
    """step, seconds and y where y was measured (and can be drawn)."""
    ceiling: float | None
    decades: list[int]
    """Powers of ten on a logarithmic axis; empty on a linear one."""


def training_curves(history: pd.DataFrame, *, ceiling: float | None = None) -> Figure:
    """R² (or accuracy) and the loss over training, against the predicted ceiling.

    Args:
        history: columns `step`, `seconds` and at least one of `r2`, `accuracy`, `excess_loss`,
            `loss`; NaN where a step was not measured. The loss is drawn only where its excess
            is not known.
        ceiling: the best R² that a perfect learner reaches in this world.

    Raises:
        InputError: nothing to draw.
    """
    panels = _panels(history, ceiling)
    if not panels:
        raise InputError(
            f"history holds no measurement of {', '.join(_LABELS)}; "
            f"got the columns {', '.join(map(str, history.columns))}."
        )
    last = [f"{p.label}: {format_number(float(p.known['y'].iloc[-1]))}" for p in panels]
    dashed = any(p.ceiling is not None for p in panels)
    return Figure(
        name="training",
        title="From start to end",
        caption="What the network had reached at each point of training."
        + " The dashed line is the predicted ceiling." * dashed,
        alt=f"Curves over training. At the end, {'; '.join(last)}.",
        static=_static(panels),
        interactive=_interactive(panels),
    )


def _panels(history: pd.DataFrame, ceiling: float | None) -> list[_Panel]:
    panels: list[_Panel] = []
    for column, label in _LABELS.items():
        log = column == "excess_loss"
        if column not in history or (column == "loss" and any(p.decades for p in panels)):
            continue
        known = history[["step", "seconds"]].assign(y=history[column])
        known = known[np.isfinite(known["y"]) & known["y"].gt(0 if log else -math.inf)]
        if len(known):
            decades = _decades(known["y"].min(), known["y"].max()) if log else []
            panels.append(_Panel(label, known, ceiling if column == "r2" else None, decades))
    return panels


def _decades(least: float, greatest: float) -> list[int]:
    """Powers of ten from below the least value to above the greatest, at most seven."""
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(greatest))
    last = max(last, first + 1)
    gap = -(-(last - first) // 6)
    return list(range(last, first - gap, -gap))[::-1]


def _interactive(panels: list[_Panel]) -> go.Figure:
    traces: list[go.Scatter] = []
    layout: dict[str, Any] = {"annotations": [], "shapes": []}
    share = 1 / len(panels)
    for k, panel in enumerate(panels):
        axis, top = f"y{k + 1 if k else ''}", 1 - k * share
        for x, unit in (("step", "step %{x:,}"), ("seconds", "%{x:.1f} s")):
            traces.append(
                go.Scatter(
                    x=panel.known[x].to_numpy(),
                    y=panel.known["y"].to_numpy(np.float32),
                    yaxis=axis,
                    mode="lines",
                    line={"color": RECOVERED, "width": 2},
                    hovertemplate=f"{unit}<br>%{{y:.4g}}<extra></extra>",
                    visible=x == "step",
                    showlegend=False,
                )
            )
        layout[axis.replace("y", "yaxis")] = _axis(panel) | {
            "domain": [top - share + 0.06, top - 0.09]
        }
        layout["annotations"].append(
            {"text": panel.label, "x": 0, "y": top - 0.08, "xref": "paper", "yref": "paper"}
            | {"xanchor": "left", "yanchor": "bottom", "showarrow": False}
        )
        if panel.ceiling is not None:
            _add_ceiling(layout, panel.ceiling, axis)
    return interactive(
        traces,
        height=120 + 190 * len(panels),
        xaxis={"title": {"text": "step"}, "anchor": axis},
        **layout,
        **_views(panels),
    )


def _axis(panel: _Panel) -> dict[str, Any]:
    axis = {"automargin": True, "zeroline": False, "showline": True}
    if not panel.decades:
        return axis
    return axis | {
        "type": "log",
        "range": [panel.decades[0], panel.decades[-1]],
        "tickvals": [10.0**e for e in panel.decades],
        "ticktext": [power_of_ten(e) for e in panel.decades],
    }


def _add_ceiling(layout: dict[str, Any], ceiling: float, axis: str) -> None:
    place = {"xref": "paper", "yref": axis}
    line = {"color": PREDICTED, "dash": "dash", "width": 2}
    layout["shapes"].append(
        place | {"type": "line", "x0": 0, "x1": 1, "y0": ceiling, "y1": ceiling, "line": line}
    )
    layout["annotations"].append(
        place
        | {"text": f"predicted ceiling {format_number(ceiling)}", "x": 1, "y": ceiling}
        | {"xanchor": "right", "yanchor": "top", "showarrow": False, "font": {"color": PREDICTED}}
    )


def _views(panels: list[_Panel]) -> dict[str, Any]:
    """Over steps, over seconds and, where there is a ceiling, the last tenth below it."""
    whole: dict[str, Any] = {"xaxis.title.text": "step", "yaxis.autorange": True}
    shown = [True, False] * len(panels)
    views = [("over steps", shown), ("over seconds", [not s for s in shown])]
    changes = [whole, whole | {"xaxis.title.text": "training time (s)"}]
    if panels[0].ceiling is not None:
        near = [panels[0].ceiling - 0.1, panels[0].ceiling + 0.01]
        views.append(("close to the ceiling", shown))
        changes.append({"xaxis.title.text": "step", "yaxis.autorange": False, "yaxis.range": near})
    return {"updatemenus": menu(views, changes)}


def _static(panels: list[_Panel]) -> Canvas:
    with canvas(height=0.6 + 1.7 * len(panels)) as figure:
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(grid, panels, strict=True):
            axes.plot(panel.known["step"], panel.known["y"], color=RECOVERED, linewidth=1.5)
            axes.set_title(panel.label)
            if panel.decades:
                axes.set_yscale("log")
                axes.set_ylim(10.0 ** panel.decades[0], 10.0 ** panel.decades[-1])
                ticks = [10.0**e for e in panel.decades]
                axes.set_yticks(ticks, [power_of_ten(e) for e in panel.decades])
                axes.set_yticks([], minor=True)
            if panel.ceiling is not None:
                axes.axhline(panel.ceiling, color=PREDICTED, linestyle="--", linewidth=1.2)
                axes.annotate(
                    f"predicted ceiling {format_number(panel.ceiling)}",
                    (1, panel.ceiling),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, -4),
                    textcoords="offset points",
                    ha="right",
                    va="top",
                    color=PREDICTED,
                )
        grid[-1].set_xlabel("step")
        grid[-1].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    return figure
