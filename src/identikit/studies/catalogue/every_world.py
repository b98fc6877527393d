"""Every kind of world once: do trained networks land on the ceilings that theory computes?"""

from dataclasses import replace
from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Row, Sweep

WORLDS: dict[str, dict[str, Any]] = {
    "von Mises-Fisher": {},
    "projected normal, scale 0.5": {"conditional": "normal", "scale": 0.5},
    "projected Laplace, scale 0.5": {"conditional": "laplace", "scale": 0.5},
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
    "two Laplace clusters a class": {"components": 2, "conditional": "laplace", "scale": 0.5},
    "Zipf labels": {"label_exponent": 1.0},
}


def _row(label: str, group: str = "supervised", **options: Any) -> Row:
    given: dict[str, Any] = {"objective": "supervised", "steps": 3_000, **options}
    config = simulation(**given, **WORLDS[label])
    return Row(label=label, config=config, group=group)


_ZIPF = _row("Zipf labels")

SWEEP = Sweep(
    name="every-world",
    title="Every kind of world",
    question="Do trained networks land on the ceilings that theory computes for their worlds?",
    prediction="Wherever training converges: a ceiling says what the best network of this width "
    "recovers, whether the assumptions hold or not.",
    rows=(
        *(_row(label) for label in WORLDS),
        Row(
            label="Zipf labels, one dimension more",
            config=replace(_ZIPF.config, representation_dim=6),
            group=_ZIPF.group,
        ),
        _row("von Mises-Fisher", "unit norm", unit_features=True, unit_rows=True),
        _row("projected Laplace, scale 0.5", "unit norm", unit_features=True, unit_rows=True),
        _row("projected Laplace, scale 0.5", "DIET", objective="diet"),
    ),
    core_minutes=15,
    seeds=(0, 1, 2),
)
