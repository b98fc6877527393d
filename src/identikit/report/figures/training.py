"""Training: how R² and the loss came to where they are."""

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from identikit.report.style import (
    PREDICTED,
    RECOVERED,
    Figure,
    canvas,
    interactive,
    menu,
)
from identikit.report.tables import format_number

_PANELS = {
    "r2": ("R² on held-out samples", False),
    "accuracy": ("accuracy on held-out samples", False),
    "excess_loss": ("excess loss over the Bayes loss (nats)", True),
    "loss": ("cross-entropy (nats)", False),
}


def training_curves(history: pd.DataFrame, *, ceiling: float | None = None) -> Figure:
    """R² (or accuracy) and the loss over training, against the predicted ceiling.

    Args:
        history: columns `step`, `seconds` and at least one of `r2`, `accuracy`, `excess_loss`,
            `loss`; NaN where a step was not measured. The loss is drawn only where its excess
            is not known.
        ceiling: the best R² that a perfect learner reaches in this world.
    """
    columns = [c for c in _PANELS if c in history and bool(history[c].notna().any())]
    if "excess_loss" in columns and "loss" in columns:
        columns.remove("loss")
    ends = {c: float(history[c].dropna().iloc[-1]) for c in columns}
    last = "; ".join(f"{_PANELS[c][0]}: {format_number(ends[c])} at the end" for c in columns)
    dashed = " The dashed line is the predicted ceiling." if ceiling is not None else ""
    return Figure(
        name="training",
        title="Training",
        caption=f"What the network had reached at each point of training.{dashed}",
        alt=f"Curves over training. {last}.",
        static=_static_training(history, columns, ceiling),
        interactive=_interactive_training(history, columns, ceiling),
    )


def _interactive_training(
    history: pd.DataFrame, columns: list[str], ceiling: float | None
) -> go.Figure:
    traces: list[go.Scatter] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    height = 1 / len(columns)
    for k, column in enumerate(columns):
        label, log = _PANELS[column]
        axis = "y" if k == 0 else f"y{k + 1}"
        known = history[history[column].gt(0 if log else -math.inf)]
        for x, unit in (("step", "step"), ("seconds", "s")):
            hover = f"{unit} %{{x:,}}<br>%{{y:.4g}}<extra></extra>"
            traces.append(
                go.Scatter(
                    x=known[x].to_numpy(),
                    y=known[column].to_numpy(np.float32),
                    yaxis=axis,
                    mode="lines",
                    line={"color": RECOVERED, "width": 2},
                    hovertemplate=hover,
                    visible=x == "step",
                    showlegend=False,
                )
            )
        top = 1 - k * height
        axes[f"yaxis{k + 1 if k else ''}"] = {
            "domain": [top - height + 0.06, top - 0.09],
            "type": "log" if log else "linear",
            "automargin": True,
            "zeroline": False,
            "showline": True,
            "exponentformat": "power",
            **({"dtick": 1} if log else {}),
        }
        notes.append(
            {"text": label, "x": 0, "y": top - 0.08, "xref": "paper", "yref": "paper"}
            | {"xanchor": "left", "yanchor": "bottom", "showarrow": False}
        )
        if column == "r2" and ceiling is not None:
            shapes.append(
                {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis}
                | {"y0": ceiling, "y1": ceiling}
                | {"line": {"color": PREDICTED, "dash": "dash", "width": 2}}
            )
            notes.append(
                {"text": f"predicted ceiling {format_number(ceiling)}", "x": 1, "y": ceiling}
                | {"xref": "paper", "yref": axis, "xanchor": "right", "yanchor": "top"}
                | {"showarrow": False, "font": {"color": PREDICTED}}
            )
    views = [
        (name, [x == column for _ in columns for x in ("step", "seconds")])
        for name, column in (("over steps", "step"), ("over seconds", "seconds"))
    ]
    titles: list[dict[str, Any]] = [{"xaxis.title.text": t} for t in ("step", "training seconds")]
    bottom = "y" if len(columns) == 1 else f"y{len(columns)}"
    return interactive(
        traces,
        height=120 + 190 * len(columns),
        xaxis={"title": {"text": "step"}, "anchor": bottom},
        **axes,
        annotations=notes,
        shapes=shapes,
        updatemenus=menu(views, titles),
    )


def _static_training(history: pd.DataFrame, columns: list[str], ceiling: float | None) -> Any:
    with canvas(height=0.6 + 1.7 * len(columns)) as figure:
        panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
        for axes, column in zip(panels, columns, strict=True):
            label, log = _PANELS[column]
            known = history[history[column].gt(0 if log else -math.inf)]
            axes.plot(known["step"], known[column], color=RECOVERED, linewidth=1.5)
            axes.set_title(label)
            if log:
                _log_axis(axes)
            if column == "r2" and ceiling is not None:
                axes.axhline(ceiling, color=PREDICTED, linestyle="--", linewidth=1.2)
                axes.annotate(
                    f"predicted ceiling {format_number(ceiling)}",
                    (1, ceiling),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, -4),
                    textcoords="offset points",
                    ha="right",
                    va="top",
                    color=PREDICTED,
                )
        panels[-1].set_xlabel("step")
        panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    return figure


def _log_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: format_number(y)))
    axes.yaxis.set_minor_formatter(NullFormatter())
