"""Mixtures of Gaussians in R^d, with equal and unequal covariances (asked for by reviewers)."""

from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

SCALES = (0.5, 0.7, 1.0, 1.4, 2.0)
CURVES: dict[str, dict[str, Any]] = {
    "equal covariances": {"covariance": "shared"},
    "unequal": {"covariance": "per-class"},
    "equal, two clusters a class": {"covariance": "shared", "components": 2},
    "unequal, two clusters a class": {"covariance": "per-class", "components": 2},
}


def _row(group: str, scale: float) -> Row:
    config = simulation(
        objective="supervised", conditional="gaussian", scale=scale, **CURVES[group]
    )
    return Row(label=f"scale {scale:g}", config=config, group=group, x=scale)


SWEEP = Sweep(
    name="gaussian-mixtures",
    title="Mixtures of Gaussians",
    question="How much is recovered when classes are Gaussians, or mixtures of two, with equal "
    "or unequal covariances?",
    prediction="With equal covariances log-likelihood ratios are affine in z: only their "
    "constants cost a little. Unequal covariances add squares of z, and two clusters a class "
    "bend the likelihood: the ceiling falls, most where clusters stand clear of each other.",
    rows=tuple(_row(group, scale) for group in CURVES for scale in SCALES),
    axis=Axis(label="width of the Gaussians", log=True),
    core_minutes=17,
    seeds=(0, 1, 2),
)
