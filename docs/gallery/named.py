"""Which factors of real networks have a component of their own, for the gallery.

    python named.py named.csv lite0=photographs.csv lite1=photographs.csv \
        eth80-lite0=views.csv minilm=sentences.csv smollm2=sentences.csv
    python figures.py named named.png named.csv

Of each layer asked for here: `unmix` into 32 independent components, and into 64 sparse codes of
the same axes, beside its random rotations or atoms and own axes. Of each pair: the 32 components of
one taken for the factors of the other, matched on the samples fitted on and scored on the others.
A row is written when it is there, and one that is there is not made again.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

import identikit
from identikit.core.estimate import Estimate, with_ends
from identikit.features.layer_list import layer_folders
from identikit.features.load import load_features
from identikit.unmixing.result import Unmixing

COMPONENTS, CODES = 32, 64
FACTORS = {
    "lite": "animal brightness contrast saturation warmth edges height_of_light",
    "eth8": "category angle_from_vertical",
    "mini": "number tense polarity kind verb",
    "smol": "number tense polarity kind verb",
}
"""By the first letters of a network's name."""
LAYERS = {
    "lite0": ("_blocks.4", "_blocks.8", "_blocks.12", "_fc:input"),
    "eth80-lite0": ("_blocks.4", "_fc:input"),
    "minilm": ("encoder.layer.1", "output"),
    "smollm2": ("model.layers.8", "lm_head:input"),
}
PAIRS = (
    ("lite0", "_blocks.12", "lite0", "_fc:input"),
    ("lite0", "_fc:input", "lite1", "_fc:input"),
    ("minilm", "encoder.layer.1", "minilm", "output"),
    ("smollm2", "model.layers.8", "smollm2", "lm_head:input"),
    ("minilm", "output", "smollm2", "lm_head:input"),
)
Row = dict[str, Any]


def load(network: str, layer: str, table: str) -> Any:
    """Features of a layer beside their factors."""
    found = layer_folders(Path(network)) or {}
    eth = network.startswith("eth")
    return load_features(
        found[layer],
        factors=table,
        key=None if table == "sentences.csv" else "key",
        only=tuple(FACTORS[network[:4]].split()),
        groups="object" if eth else None,
        kinds={"angle_from_vertical": "continuous"} if eth else None,
    )


def columns(found: Unmixing) -> Row:
    """The means of an unmixing, each with its interval where it has one."""
    row: Row = {
        "dim": found.dim,
        "variance": found.share,
        "determined": found.determined,
        "factors": len(found.factors),
        "linearly": found.linearly,
        "shuffled": found.shuffled,
    }
    means = {name: getattr(found, name) for name in ("linear", "mcc", "random", "raw")}
    for name, own in (("", found.own), ("_random", found.own_random), ("_raw", found.own_raw)):
        if own is not None:
            row[f"own{name}"] = own.factors
            means[f"held{name}"] = own.held
    for name, value in means.items():
        if isinstance(value, Estimate):
            row[name], row[f"{name}_low"], row[f"{name}_high"] = with_ends(value)
        else:
            row[name] = value
    names = [factor.name for factor in found.factors if factor.held and factor.held.value > 0.5]
    return row | {"which": "; ".join(names)}


def of_layer(network: str, layer: str, table: str, codes: int | None) -> Row:
    """Components or codes beside annotated factors."""
    loaded = load(network, layer, table)
    h, z = loaded.representation.h, loaded.representation.factors
    k = min(COMPONENTS, h.shape[1])
    found = identikit.unmix(h, z, components=k, codes=codes, groups=loaded.groups, resamples=0)
    return columns(found)


def of_pair(one: str, layer: str, other: str, layer_of_other: str, tables: dict[str, str]) -> Row:
    """Components of one for the factors of the other, which is unmixed alike."""
    loaded = load(one, layer, tables[one])
    theirs = load(other, layer_of_other, tables[other]).representation.h
    given: Row = {"components": COMPONENTS, "groups": loaded.groups, "resamples": 0}
    parts = identikit.unmix(theirs, **given)
    return columns(identikit.unmix(loaded.representation.h, parts.components_of(theirs), **given))


def main(target: str, *given: str) -> None:
    """Make the rows that are not there."""
    tables = dict(one.split("=") for one in given)
    asked: list[tuple[str, str, str]] = [
        (network, layer, method)
        for network, layers in LAYERS.items()
        for layer in layers
        for method in ("ica", "codes")
    ]
    asked += [(f"{a}, {c}" if a != c else a, f"{b}, {d}", "pair") for a, b, c, d in PAIRS]
    pairs = dict(zip(asked[-len(PAIRS) :], PAIRS, strict=True))
    path = Path(target)
    rows: list[Row] = pd.read_csv(path).to_dict("records") if path.exists() else []
    there = {(row["network"], row["layer"], row["method"]) for row in rows}
    for key in asked:
        if key in there:
            continue
        network, layer, method = key
        if method == "pair":
            row = of_pair(*pairs[key], tables)
        else:
            row = of_layer(network, layer, tables[network], CODES if method == "codes" else None)
        rows.append({"network": network, "layer": layer, "method": method} | row)
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.4f")
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
