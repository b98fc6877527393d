"""Unbalanced labels: class frequencies after Zipf's law, (c + 1)^-s."""

from dataclasses import replace

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
WIDTHS = {"h of 5 dimensions": 5, "h of 6 dimensions": 6}


def _row(group: str, exponent: float) -> Row:
    config = simulation(objective="supervised", label_exponent=exponent)
    config = replace(config, representation_dim=WIDTHS[group])
    return Row(label=f"s = {exponent:g}", config=config, group=group, x=exponent)


SWEEP = Sweep(
    name="unbalanced-labels",
    title="Unbalanced labels",
    question="How much is recovered when classes differ in frequency, after Zipf's law?",
    prediction="Log-priors are constants that differ between classes, and a head without bias "
    "needs a dimension for them: with one more dimension than latents the ceiling is 1 for "
    "every exponent, with as many it falls (and networks approach it from above).",
    rows=tuple(_row(group, exponent) for group in WIDTHS for exponent in EXPONENTS),
    axis=Axis(label="Zipf exponent s of the labels"),
    core_minutes=18,
    seeds=(0, 1, 2),
)
