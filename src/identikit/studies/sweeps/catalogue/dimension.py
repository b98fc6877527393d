"""Dimension d from 5 to 1,024, with the paper's generator and a better-conditioned one.

The concentration grows as sqrt(d), so that the logits of the classes spread alike for each
d (their differences by κ sqrt(2 / d), here 4.2), and C = max(100, 2 d) of them overlap. The
encoder is as wide as the latents: layers of the generator's own shape, wider below d = 64.
"""

from dataclasses import replace
from typing import Literal

from identikit.studies.sweeps.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

STEPS = {5: 1_600, 10: 1_600, 20: 6_000, 50: 1_600, 100: 1_200, 200: 800, 500: 250, 1_024: 30}
GENERATORS: dict[str, Literal["mlp", "orthogonal-mlp"]] = {
    "the paper's generator": "mlp",
    "orthogonal layers": "orthogonal-mlp",
}


def _row(group: str, dim: int) -> Row:
    config = simulation(
        "wide" if dim == 20 else "fast",  # beyond, its 6,000 steps would take too long
        objective="supervised",
        steps=STEPS[dim],
        dim=dim,
        classes=max(100, 2 * dim),
        kappa=round(3 * dim**0.5, 1),
        generator=GENERATORS[group],
        test_samples=max(8_192, 16 * dim),
    )
    wide = replace(config.encoder, width=max(config.encoder.width, dim))
    config = replace(config, encoder=wide)
    return Row(label=f"d = {dim:,}", config=config, group=group, x=dim)


SWEEP = Sweep(
    name="dimension",
    title="Dimension of the latents",
    question="Up to which dimension do networks of a laptop's budget reach the ceiling?",
    prediction="The ceiling is 1 for every d. What grows is the work: the encoder has to undo "
    "the generator, whose layers are worse conditioned the larger d is, in steps that cost as "
    "d², and the excess loss says how far it has come.",
    rows=tuple(
        _row(group, dim)
        for group in GENERATORS
        for dim in STEPS
        if dim <= 500 or GENERATORS[group] == "orthogonal-mlp"  # dear, so for the easier one only
    ),
    axis=Axis(label="number of latent dimensions d", log=True),
    seeds=(0, 1, 2),
)
