"""Matrix: a number for every pair of row and column, as colour and as text."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from identikit.core.estimate import fixed
from identikit.report.style import Figure, canvas, interactive, plain, verbatim

_SCALE = "Blues"
NUMBERED = 12
"""Columns up to which the numbers stand in the cells."""
LEVEL_LETTERS = 75
"""Letters of the longest column's name, for each of the columns, that fit side by side."""


def matrix(
    values: Float[np.ndarray, "rows columns"],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    labels: tuple[str, str],
    quantity: str = "score",
) -> Figure:
    """A heat map from 0 to 1; NaN is left blank, less than 0 is pale.

    The numbers stand in the cells where there is room, and else under the pointer.

    Args:
        values: The numbers.
        rows: Names of the rows, from the top.
        columns: Names of the columns.
        labels: What rows and what columns are.
        quantity: What the numbers are.
    """
    texts = [["" if math.isnan(v) else fixed(v, 2) for v in row] for row in values.tolist()]
    words = "; ".join(
        f"{row}: {', '.join(f'{c} {t}' for c, t in zip(columns, line, strict=True))}"
        for row, line in zip(rows, texts, strict=True)
    )
    return Figure(
        name="matrix",
        title=f"{labels[0]} by {labels[1]}",
        caption=f"Each cell is the {quantity}; dark is 1.",
        alt=f"Matrix of {quantity}, {labels[0]} by {labels[1]}. {words}.",
        static=_static(values, texts, rows, columns, labels),
        interactive=_interactive(values, texts, rows, columns, labels),
    )


def _interactive(
    values: Any,
    texts: list[list[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    labels: tuple[str, str],
) -> go.Figure:
    trace = go.Heatmap(
        z=values.tolist(),
        x=[plain(c) for c in columns],
        y=[plain(r) for r in rows],
        text=texts,
        texttemplate="%{text}" if len(columns) <= NUMBERED else None,
        colorscale=_SCALE,
        zmin=0,
        zmax=1,
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
    )
    return interactive(
        [trace],
        height=130 + (44 if len(columns) <= NUMBERED else 18) * len(rows),
        xaxis={"title": {"text": plain(labels[1])}, "type": "category"},
        yaxis={"title": {"text": plain(labels[0])}, "type": "category", "autorange": "reversed"},
    )


def _static(
    values: Any,
    texts: list[list[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    labels: tuple[str, str],
) -> Any:
    numbered = len(columns) <= NUMBERED
    level = max(map(len, columns)) * len(columns) <= LEVEL_LETTERS
    with canvas(height=1.2 + (0.42 if numbered else 0.17) * len(rows)) as figure:
        axes = figure.subplots()
        axes.imshow(values, cmap=_SCALE, vmin=0, vmax=1, aspect="auto")
        names = [verbatim(c) for c in columns]
        axes.set_xticks(range(len(columns)), names, rotation=0 if level else 90)
        axes.set_yticks(range(len(rows)), [verbatim(r) for r in rows])
        axes.set(xlabel=verbatim(labels[1]), ylabel=verbatim(labels[0]))
        axes.grid(visible=False)
        for i, line in enumerate(texts if numbered else ()):
            for j, text in enumerate(line):
                ink = "white" if text and values[i, j] > 0.6 else "#222222"
                axes.text(j, i, text, ha="center", va="center", fontsize=8, color=ink)
    return figure
