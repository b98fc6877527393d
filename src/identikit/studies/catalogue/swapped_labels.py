"""Swapped labels: a share of draws gets the label of another class (asked for by reviewers).

A class's likelihood becomes a mixture, so its logarithm is no longer affine in z.
"""

from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
CLASSES = {"2 classes": 2, "10 classes": 10, "all 100 classes": None}


def _row(group: str, share: float) -> Row:
    swap: dict[str, Any] = {}
    if share:
        swap = {"swapped_share": share, "swapped_classes": CLASSES[group]}
    config = simulation(objective="supervised", **swap)
    return Row(label=f"{share:.0%}", config=config, group=group, x=share)


SWEEP = Sweep(
    name="swapped-labels",
    title="Labels swapped between classes",
    question="How much is recovered when a share of the labels is swapped between classes?",
    prediction="Where two classes swap, next to nothing is lost; where many do, each of their "
    "log-likelihoods has a floor, which bends the best representation: the ceiling falls at "
    "the first few per cent.",
    rows=tuple(_row(group, share) for group in CLASSES for share in SHARES),
    axis=Axis(label="share of labels swapped"),
    core_minutes=20,
    seeds=(0, 1, 2),
)
