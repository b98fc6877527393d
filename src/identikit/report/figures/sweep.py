"""Sweep: recovered points over a quantity that was varied, against the predicted ceiling."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from identikit.estimate import Estimate, as_text, format_number, with_ends
from identikit.report.style import (
    PREDICTED,
    RECOVERED,
    Figure,
    canvas,
    interactive,
    plain,
    verbatim,
)


def sweep(
    x: Sequence[int | float],
    *,
    recovered: Sequence[Estimate | float],
    ceiling: Sequence[int | float] | None = None,
    x_label: str,
    y_label: str = "R²",
    log_x: bool = False,
) -> Figure:
    """Recovered points with their spread over a swept quantity, against the predicted ceiling."""
    line = " The dashed line is the predicted ceiling." if ceiling is not None else ""
    return Figure(
        name="sweep",
        title=f"{y_label} over {x_label}",
        caption=f"Points: recovered, with their spread.{line}",
        alt="; ".join(f"{x_label} {a:g}: {e}" for a, e in zip(x, recovered, strict=True)),
        static=_static_sweep(x, recovered, ceiling, (x_label, y_label), log_x),
        interactive=_interactive_sweep(x, recovered, ceiling, (x_label, y_label), log_x),
    )


def _interactive_sweep(
    x: Sequence[int | float],
    recovered: Sequence[Estimate | float],
    ceiling: Sequence[int | float] | None,
    labels: tuple[str, str],
    log_x: bool,
) -> go.Figure:
    values, down, up = _arms(recovered)
    traces = []
    if ceiling is not None:
        traces.append(
            go.Scatter(
                name="predicted ceiling",
                x=list(x),
                y=list(ceiling),
                mode="lines",
                line={"color": PREDICTED, "dash": "dash", "width": 2},
                hovertemplate="predicted %{y:.3f}<extra></extra>",
            )
        )
    traces.append(
        go.Scatter(
            name="recovered",
            x=list(x),
            y=values,
            mode="markers",
            marker={"color": RECOVERED, "size": 8},
            error_y={
                "type": "data",
                "color": RECOVERED,
                "symmetric": False,
                "array": up,
                "arrayminus": down,
            },
            customdata=[as_text(e) for e in recovered],
            hovertemplate="recovered %{customdata}<extra></extra>",
        )
    )
    return interactive(
        traces,
        xaxis={"title": {"text": plain(labels[0])}, **_scale(x, log_x)},
        yaxis={"title": {"text": plain(labels[1])}},
    )


def _scale(x: Sequence[int | float], log_x: bool) -> dict[str, Any]:
    """On a logarithmic axis, the swept values themselves are the ticks."""
    if not log_x:
        return {"type": "linear"}
    return {"type": "log", "tickvals": list(x), "ticktext": [format_number(v) for v in x]}


def _static_sweep(
    x: Sequence[int | float],
    recovered: Sequence[Estimate | float],
    ceiling: Sequence[int | float] | None,
    labels: tuple[str, str],
    log_x: bool,
) -> Any:
    values, down, up = _arms(recovered)
    with canvas() as figure:
        axes = figure.subplots()
        if ceiling is not None:
            axes.plot(x, ceiling, "--", color=PREDICTED, label="predicted ceiling")
        axes.errorbar(x, values, yerr=[down, up], fmt="o", color=RECOVERED, markersize=4, capsize=2,
                      label="recovered")  # fmt: skip
        if log_x:
            axes.set_xscale("log")
            axes.set_xticks(x, [format_number(v) for v in x])
            axes.set_xticks([], minor=True)
        axes.set(xlabel=verbatim(labels[0]), ylabel=verbatim(labels[1]))
        figure.legend(loc="outside upper left", ncols=2)
    return figure


def _arms(estimates: Sequence[Estimate | float]) -> tuple[list[float], list[float], list[float]]:
    triples = [with_ends(e) for e in estimates]
    values = [value for value, _, _ in triples]
    down = [value - low for value, low, _ in triples]
    up = [high - value for value, _, high in triples]
    return values, down, up
