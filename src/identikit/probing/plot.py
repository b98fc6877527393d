"""Bars of what was recovered per factor, each control beside them, the ceiling as a line."""

import numpy as np
from matplotlib.figure import Figure

from identikit.probing.result import RecoveryScores

COLOURS = ("#0072B2", "#999999", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe and Ito's palette, told apart by colour-blind readers too."""


def bars(recovery: RecoveryScores) -> Figure:
    """One group of bars per factor; whiskers are 95 % intervals, short lines are chance."""
    series = {"h": recovery.factors, **recovery.controls}
    n, width = len(recovery.factors), 0.8 / len(series)
    figure = Figure(figsize=(max(4.0, 0.5 + 0.9 * n * (0.5 + 0.25 * len(series))), 3.2))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    at = np.arange(n)
    for k, (name, scores) in enumerate(series.items()):
        value, low, high = np.array(
            [(s.estimate.value, s.estimate.low, s.estimate.high) for s in scores]
        ).T
        axes.bar(
            at - 0.4 + (k + 0.5) * width,
            value,
            width,
            yerr=np.maximum([value - low, high - value], 0),
            label=name,
            color=COLOURS[k % len(COLOURS)],
            error_kw={"elinewidth": 1.0},
        )
    chance = [s.chance for s in recovery.factors]
    axes.hlines(chance, at - 0.45, at + 0.45, colors="black", linestyles=":", label="chance")
    if recovery.ceiling is not None:
        axes.axhline(recovery.ceiling, color="black", linewidth=1.0, label="ceiling")
    axes.set_xticks(at, [f"{s.name}\n{s.measure}" for s in recovery.factors])
    lowest = min(s.estimate.value for scores in series.values() for s in scores)
    axes.set_ylim(max(-1.0, min(0.0, 1.1 * lowest)), 1.05)
    axes.set_ylabel("held-out score")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure
