"""The gallery's figures, from what the commands said with --json.

    python figures.py depth lite.png 'animal brightness edges' lite0.json lite1.json lite2.json
    python figures.py words words.png smollm2.json glove.json
    python figures.py transfer transfer.png transfer.csv
    python figures.py named named.png named.csv

depth     recovery over depth, a column for each factor, a row for each file; trained with its 95 %
          band, the untrained twin dashed, other controls dotted
words     additivity of word pairs, with 95 % intervals: Euclidean, and by the causal inner product
transfer  few-shot accuracy over recovery: a panel per network, a point per layer and factor
named     what one component holds of what the best linear map does, with 95 % intervals, a row per
          layer: of ICA, of sparse codes, of own axes, of random rotations
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from identikit.report.style import CONTROL, CURVES, MATPLOTLIB_STYLE, RECOVERED

DASHES = {"untrained": "--", "x": ":", "bag_of_embeddings": ":", "last_embedding": "-."}


def depth(wanted: str, *files: str) -> None:
    """A panel for each factor of each file."""
    names = wanted.split()
    size = (2.6 * len(names), 1.75 * len(files) + 0.6)
    figure, axes = plt.subplots(len(files), len(names), figsize=size, squeeze=False, sharex=True)
    for row, file in zip(axes, files, strict=True):
        layers = list(json.loads(Path(file).read_text())["recovery"]["layers"].values())
        x = np.linspace(0, 1, len(layers))
        for axis, name in zip(row, names, strict=True):
            j = next(k for k, f in enumerate(layers[0]["factors"]) if f["name"] == name)
            own = [layer["factors"][j]["estimate"] for layer in layers]
            low, high = ([e[end] for e in own] for end in ("low", "high"))
            axis.fill_between(x, low, high, color=RECOVERED, alpha=0.25, lw=0)
            axis.plot(x, [e["value"] for e in own], color=RECOVERED, label="trained")
            for control in layers[0]["controls"]:
                y = [layer["controls"][control][j]["estimate"]["value"] for layer in layers]
                label = "pixels" if control == "x" else control.replace("_", " ")
                axis.plot(x, y, color=CONTROL, ls=DASHES[control], label=label)
            measure = layers[0]["factors"][j]["measure"]
            axis.set_title(f"{Path(file).stem}: {name.replace('_', ' ')}", fontsize=8)
            axis.set_ylabel(measure, fontsize=7)
            axis.tick_params(labelsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("depth", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()  # beside no line of any panel
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7, frameon=False)


def words(*files: str) -> None:
    """A panel for each file, a row for each concept, in the order of the first file."""
    _, axes = plt.subplots(1, len(files), figsize=(3.1 * len(files) + 0.6, 4.6), sharey=True)
    order: list[str] = []
    for axis, file in zip(np.atleast_1d(axes), files, strict=True):
        scores = json.loads(Path(file).read_text())["analogies"]["scores"]
        plain = sorted(
            (s for s in scores if not s["product"]), key=lambda s: s["additivity"]["value"]
        )
        order += [s["name"] for s in plain if s["name"] not in order]
        for product, colour, off, label in (
            ("", RECOVERED, 0.15, "Euclidean"),
            ("causal", CURVES[1], -0.15, "causal"),
        ):
            found = [s for s in scores if s["product"] == product]
            y = np.array([order.index(s["name"]) for s in found]) + off
            ends = np.array([[s["additivity"][k] for k in ("value", "low", "high")] for s in found])
            axis.hlines(y, ends[:, 1], ends[:, 2], color=colour, lw=1)
            axis.plot(ends[:, 0], y, ".", color=colour, ms=4, label=label)
        axis.axvline(0, color=CONTROL, lw=0.8)
        axis.set_title(Path(file).stem, fontsize=8)
        axis.set_xlabel("additivity", fontsize=7)
        axis.tick_params(labelsize=7)
    first = np.atleast_1d(axes)[0]
    first.set_yticks(range(len(order)), order, fontsize=6.5)
    first.legend(fontsize=7, frameon=False, loc="lower right")


def transfer(file: str) -> None:
    """A panel for each network as it was trained, a colour for each factor."""
    table = pd.read_csv(file).query("weights == 'trained'")
    networks = table.network.unique()
    _, axes = plt.subplots(1, len(networks), figsize=(1.9 * len(networks), 3.4), sharey=True)
    for axis, name in zip(axes, networks, strict=True):
        for factor, own in table[table.network == name].groupby("factor"):
            axis.plot(own.recovered, own.few_shot, "o", ms=2.5, label=str(factor).replace("_", " "))
        axis.set_title(name, fontsize=8)
        axis.set_xlabel("recovered", fontsize=7)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=6, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    axes[0].set_ylabel("few-shot accuracy", fontsize=7)


def named(file: str) -> None:
    """A row for each layer."""
    table = pd.read_csv(file).query("method != 'pair'")
    rows = {
        key: own.set_index("method") for key, own in table.groupby(["network", "layer"], sort=False)
    }
    _, axis = plt.subplots(figsize=(6.4, 0.36 * len(rows) + 1.0))
    kinds = (
        ("ica", "held", RECOVERED, "ICA"),
        ("codes", "held", CURVES[1], "sparse codes"),
        ("ica", "held_raw", CURVES[2], "own axes"),
        ("ica", "held_random", CONTROL, "random rotation"),
    )
    for k, (method, column, colour, label) in enumerate(kinds):
        own = [(y, r.loc[method]) for y, r in enumerate(rows.values()) if method in r.index]
        y = [row + 0.27 - 0.18 * k for row, _ in own]
        axis.plot([one[column] for _, one in own], y, "o", color=colour, ms=4, label=label)
        if f"{column}_low" in table:
            ends = [[one[f"{column}_{end}"] for _, one in own] for end in ("low", "high")]
            axis.hlines(y, *ends, color=colour, lw=1.2)
    axis.axvline(0.5, color=CONTROL, lw=0.8, ls=":")
    axis.set_yticks(range(len(rows)), [" ".join(key) for key in rows], fontsize=7)
    axis.invert_yaxis()
    axis.set_xlabel("held by one component, of what the best linear map recovers (r²)", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=4)


if __name__ == "__main__":
    what, target, *given = sys.argv[1:]
    plt.rcParams.update(MATPLOTLIB_STYLE | {"figure.constrained_layout.use": True})
    {"depth": depth, "words": words, "transfer": transfer, "named": named}[what](*given)
    plt.savefig(target, dpi=110)
    with Image.open(target) as drawn:
        few = drawn.convert("RGB").quantize(48)
    few.save(target, optimize=True)
