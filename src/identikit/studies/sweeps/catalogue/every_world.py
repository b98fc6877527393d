"""Every kind of world once: do trained networks land on the ceilings that theory computes?"""

from dataclasses import replace
from typing import Any

from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.sweeps.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Row, Sweep

LAPLACE: dict[str, Any] = {"conditional": "laplace", "scale": 0.5}
WORLDS: dict[str, dict[str, Any]] = {
    "von Mises-Fisher": {},
    "projected normal, scale 0.5": {"conditional": "normal", "scale": 0.5},
    "projected Laplace, scale 0.5": LAPLACE,
    "projected Laplace, scale 1": {"conditional": "laplace"},
    "projected generalised normal": {"conditional": "generalized-normal"},
    "truncated Laplace, scale 0.5": {"conditional": "truncated-laplace", "scale": 0.5},
    "Gaussians, one covariance": {"conditional": "gaussian", "scale": 0.5},
    "Gaussians, one for each class": {
        "conditional": "gaussian",
        "scale": 0.5,
        "covariance": "per-class",
    },
    "10 % of labels swapped": {"swapped_share": 0.1},
    "30 % swapped among 20 classes": {"swapped_share": 0.3, "swapped_classes": 20},
    "two clusters a class": {"components": 2},
    "two Laplace clusters a class": {"components": 2, **LAPLACE},
    "Zipf labels": {"label_exponent": 1.0},
}


def _long(config: SimulationConfig) -> SimulationConfig:
    return replace(config, training=replace(config.training, steps=3_000))


def _row(label: str, config: SimulationConfig, group: str) -> Row:
    return Row(label=label, config=_long(config), group=group)


SWEEP = Sweep(
    name="every-world",
    title="Every kind of world",
    question="Do trained networks land on the ceilings that theory computes for their worlds?",
    prediction="Wherever training converges: a ceiling says what the best network of this width "
    "recovers, whether the assumptions hold or not.",
    rows=(
        *(
            _row(label, simulation(objective="supervised", **world), "supervised")
            for label, world in WORLDS.items()
        ),
        _row(
            "Zipf labels, one dimension more",
            replace(
                simulation(objective="supervised", **WORLDS["Zipf labels"]), representation_dim=6
            ),
            "supervised",
        ),
        *(
            _row(
                label,
                simulation(objective="supervised", normalized=True, **WORLDS[label]),
                "unit norm",
            )
            for label in ("von Mises-Fisher", "projected Laplace, scale 0.5")
        ),
        _row("projected Laplace, scale 0.5", simulation(objective="diet", **LAPLACE), "DIET"),
    ),
    core_minutes=0.0,
    seeds=(0, 1, 2),
)
