"""Pairs: true against recovered, dimension by dimension, with the line where both agree."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from identikit.core.estimate import fixed
from identikit.report.style import (
    MOST_POINTS,
    PREDICTED,
    RECOVERED,
    Figure,
    canvas,
    interactive,
    menu,
    thinned,
    verbatim,
)

MOST_PANELS = 24
"""Of more dimensions those of least R² are drawn; saving one takes tens of megabytes."""


def latents_scatter(
    true: Float[np.ndarray, "n d"], recovered: Float[np.ndarray, "n d"], *, names: Sequence[str]
) -> Figure:
    """True against recovered factors, one panel per dimension."""
    return _pairs(
        true,
        recovered,
        names=names,
        name="latents",
        title="True against recovered factors",
        subject="held-out sample",
        axes=("true", "recovered"),
    )


def head_scatter(
    rows: Float[np.ndarray, "classes d"],
    class_vectors: Float[np.ndarray, "classes d"],
    *,
    names: Sequence[str],
) -> Figure:
    """Head rows, mapped into the space of the class vectors, against those, per dimension."""
    return _pairs(
        class_vectors,
        rows,
        names=names,
        name="head",
        title="Head rows against class vectors",
        subject="class",
        axes=("entry of the class vector", "mapped head row"),
    )


def _pairs(
    true: Float[np.ndarray, "n d"],
    recovered: Float[np.ndarray, "n d"],
    *,
    names: Sequence[str],
    name: str,
    title: str,
    subject: str,
    axes: tuple[str, str],
) -> Figure:
    spread = ((true - true.mean(0)) ** 2).sum(0)
    r2 = 1 - ((true - recovered) ** 2).sum(0) / spread
    shown = thinned(len(true), MOST_POINTS)
    lowest = np.sort(np.argsort(r2, kind="stable")[:MOST_PANELS])
    t, r = true[shown][:, lowest], recovered[shown][:, lowest]
    labels = [f"{names[j]}: R² {fixed(float(r2[j]), 3)}" for j in lowest]
    few = f" The {len(labels)} of lowest R² of {len(names)} are drawn." * (len(labels) < len(names))
    drawn = f" ({len(t):,} of {len(true):,} drawn)" if len(t) < len(true) else ""
    return Figure(
        name=name,
        title=title,
        caption=f"Each point is one {subject}{drawn}. "
        f"On the dashed line, recovered equals true; distance from it is error.{few}",
        alt=f"{title}, {len(labels)} panels. {'; '.join(labels)}.",
        static=_static_pairs(t, r, labels, axes),
        interactive=_interactive_pairs(t, r, labels, axes),
    )


def _interactive_pairs(
    t: Float[np.ndarray, "n d"],
    r: Float[np.ndarray, "n d"],
    labels: list[str],
    axes: tuple[str, str],
) -> go.Figure:
    d = t.shape[1]
    traces = []
    for j in range(d):
        low, high = _extent(t[:, j], r[:, j])
        traces.append(
            go.Scatter(
                x=t[:, j].astype(np.float32),
                y=r[:, j].astype(np.float32),
                mode="markers",
                marker={"color": RECOVERED, "size": 5, "opacity": _opacity(len(t))},
                hovertemplate="true %{x:.3f}<br>recovered %{y:.3f}<extra></extra>",
                visible=j == 0,
            )
        )
        traces.append(
            go.Scatter(
                x=[low, high],
                y=[low, high],
                mode="lines",
                line={"color": PREDICTED, "dash": "dash", "width": 2},
                hoverinfo="skip",
                visible=j == 0,
            )
        )
    views = [(label, [k // 2 == j for k in range(2 * d)]) for j, label in enumerate(labels)]
    return interactive(
        traces,
        height=420,
        showlegend=False,
        xaxis={"title": {"text": axes[0]}, "constrain": "domain"},
        yaxis={"title": {"text": axes[1]}, "scaleanchor": "x", "constrain": "domain"},
        updatemenus=menu(views),
    )


def _static_pairs(
    t: Float[np.ndarray, "n d"],
    r: Float[np.ndarray, "n d"],
    labels: list[str],
    axes: tuple[str, str],
) -> Any:
    across = min(len(labels), 3 if len(labels) in (3, 5, 6, 9) else 4)
    down = -(-len(labels) // across)
    side = 6.8 / max(across, 3)
    with canvas(width=side * across, height=side * 1.16 * down) as figure:
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for panel in grid[len(labels) :]:
            panel.set_axis_off()
        for j, label in enumerate(labels):
            low, high = _extent(t[:, j], r[:, j])
            grid[j].scatter(
                t[:, j],
                r[:, j],
                s=5,
                color=RECOVERED,
                alpha=_opacity(len(t)),
                linewidths=0,
                rasterized=True,
            )
            grid[j].plot([low, high], [low, high], "--", color=PREDICTED, linewidth=1)
            grid[j].set_title(verbatim(label), fontsize=8)
            grid[j].set_aspect("equal", adjustable="box")
            grid[j].locator_params(nbins=4)
        figure.supxlabel(axes[0], fontsize=9)
        figure.supylabel(axes[1], fontsize=9)
    return figure


def _opacity(n: int) -> float:
    return 0.45 if n > 400 else 0.75


def _extent(*values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    return float(min(v.min() for v in values)), float(max(v.max() for v in values))
