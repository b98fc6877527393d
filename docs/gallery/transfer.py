"""Does recovery of a factor, layer by layer, predict few-shot accuracy on it? For the gallery.

    python transfer.py transfer.csv lite0=photographs.csv eth80-lite0=views.csv minilm=sentences.csv

NAME=TABLE is a folder of layers NAME with its table of factors and NAME.json, what
`identikit probe NAME ... --json` said of it. Few-shot: a factor's levels, numbers in two halves by
their median and angles in quarters, are named by the nearest of class means over 8 shots
(`probing/few_shot.py`); where samples come in groups (objects, nouns), shots and what is named are
of different ones. Over the layers of a network, trained and untrained each for itself, rho is
Spearman's between a factor's recovery and the accuracy on it (own), or on another factor (other):
what the layers' depth alone would do.
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from identikit.core.factors import Factor, Kind
from identikit.core.randomness import stream
from identikit.features.layer_list import layer_folders
from identikit.features.load import load_features
from identikit.probing.few_shot import few_shot_accuracy
from identikit.statistics.split import random_split

SHOTS, DRAWS, RESAMPLES = 8, 10, 2000


def labels(factor: Factor, kept: torch.Tensor) -> torch.Tensor:
    """Levels to be named, of samples that have one."""
    values = factor.values.double()[kept]
    if factor.kind is Kind.CIRCULAR:
        quarter = (factor.period or 2 * np.pi) / 4
        values = ((values + quarter / 2) / quarter).floor() % 4
    elif factor.kind in (Kind.CONTINUOUS, Kind.ORDINAL):
        values = values > values.median()
    return torch.unique(values, return_inverse=True)[1]


def accuracy(h: torch.Tensor, factor: Factor, groups: np.ndarray | None) -> float:
    """Mean over draws, on samples that no shot is of."""
    kept = factor.values.double().isfinite()
    group = torch.arange(len(h))
    if groups is not None:
        group = torch.from_numpy(np.unique(groups, return_inverse=True)[1])
    h, group, y = h[kept], group[kept], labels(factor, kept)
    split = random_split(group, train_share=0.5, generator=stream(0, "few shots: split"))
    found = few_shot_accuracy(
        (h[split.train], y[split.train]),
        (h[split.test], y[split.test]),
        shots=SHOTS,
        draws=DRAWS,
        generator=stream(0, "few shots: draws"),
    )
    return float(found.mean())


def rows(name: str, table: str) -> list[dict[str, object]]:
    """A row per layer, factor, and trained or untrained."""
    said = json.loads(Path(f"{name}.json").read_text())["recovery"]["layers"]
    found: list[dict[str, object]] = []
    for layer, folder in (layer_folders(Path(name)) or {}).items():
        factors = {f["name"]: f for f in said[layer]["factors"]}
        keys = {"lite": "key", "eth8": "key"}.get(name[:4])
        loaded = load_features(
            folder,
            factors=table,
            key=keys,
            only=tuple(factors),
            groups="object" if name.startswith("eth") else None,
            kinds={"azimuth": "circular:360", "angle_from_vertical": "continuous"}
            if name.startswith("eth")
            else None,
        )
        read = {"trained": (loaded.representation.h, list(factors.values()))}
        if "untrained" in loaded.controls:
            read["untrained"] = (loaded.controls["untrained"], said[layer]["controls"]["untrained"])
        for weights, (h, scores) in read.items():
            for score in scores:
                factor = loaded.representation.factors[score["name"]]
                found.append(
                    {
                        "network": name,
                        "weights": weights,
                        "layer": layer,
                        "factor": factor.name,
                        "recovered": score["estimate"]["value"],
                        "few_shot": accuracy(torch.as_tensor(h).float(), factor, loaded.groups),
                    }
                )
    return found


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho over layers of each network, for each pair of factors."""
    found = []
    for (network, weights), own in table.groupby(["network", "weights"], sort=False):
        recovered, few = (
            own.pivot(index="layer", columns="factor", values=v).rank()
            for v in ("recovered", "few_shot")
        )
        for a, b in product(recovered, few):
            if recovered[a].std() and few[b].std():
                rho = np.corrcoef(recovered[a], few[b])[0, 1]
                found.append((network, weights, a, b, rho))
    return pd.DataFrame(found, columns=["network", "weights", "factor", "of", "rho"])


def summary(rho: pd.DataFrame) -> str:
    """Means, with intervals over resamples of networks' factors."""
    lines = []
    for (network, weights), part in [
        *rho.groupby(["network", "weights"], sort=False),
        *((("all", weights), part) for weights, part in rho.groupby("weights")),
    ]:
        each = part.assign(own=part.factor == part.of)
        each = each.groupby(["network", "factor", "own"]).rho.mean().unstack().dropna()
        own, other = each[True].to_numpy(), each[False].to_numpy()
        draws = np.random.default_rng(0).integers(0, len(own), (RESAMPLES, len(own)))
        words = [
            f"{v.mean():5.2f} [{np.quantile(v[draws].mean(1), 0.025):.2f},"
            f" {np.quantile(v[draws].mean(1), 0.975):.2f}]"
            for v in (own, other, own - other)
        ]
        lines.append(
            f"{network:12} {weights:10} factors {len(own):2}  own {words[0]}  other {words[1]}"
            f"  own - other {words[2]}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    target, *given = sys.argv[1:]
    found = pd.DataFrame([row for one in given for row in rows(*one.split("="))])
    found.to_csv(target, index=False, float_format="%.4f")
    print(summary(rank_correlations(found)))
