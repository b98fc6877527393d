"""Dimension d from 5 to 1,024, with the paper's generator and a better-conditioned one.

The concentration grows as sqrt(d), so that the logits of the classes spread alike for each
d (their differences by κ sqrt(2 / d), here 4.2), and C = max(100, 2 d) of them overlap. With
orthogonal layers encoders of d = 50, 100 and 200, with the paper's generator those of d = 50 and
100, start from observations alone; elsewhere they are as wide as the latents, wider below d = 128,
and start at random.
"""

from dataclasses import replace
from typing import Any, Literal

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

LOW: dict[str, Any] = {"rate": 3e-3, "head_rate": 3e-2, "muon_rate": 5e-2}
LOWEST: dict[str, Any] = {"rate": 1e-3, "head_rate": 3e-3, "muon_rate": 1e-2}
"""At the rates of small worlds the first steps diverge here."""
TRAINING: dict[int, dict[str, Any]] = {
    5: {},
    10: {},
    20: {},
    50: {"steps": 4_000, "final_batch_size": 4_096, "rate": 1e-2, "muon_momentum": 0.95},
    100: {"steps": 1_500, **LOW},
    200: {"steps": 800, **LOW},
    500: {"steps": 250, **LOWEST},
    1_024: {"steps": 60, **LOWEST},
}
"""Each within a few core-minutes; what changes of the recipe."""
SLOW: dict[str, Any] = {"steps": 3_000, "rate": 1e-3, "muon_rate": 3e-3}
FLOW: dict[tuple[str, int], tuple[int, dict[str, Any]]] = {
    ("mlp", 50): (8_000, SLOW),
    ("mlp", 100): (8_000, SLOW),
    ("orthogonal-mlp", 50): (1_500, {}),
    ("orthogonal-mlp", 100): (3_000, {}),
    ("orthogonal-mlp", 200): (3_000, {}),
}
"""Steps of the start from observations, and what changes of the recipe after it."""
GENERATORS: dict[str, Literal["mlp", "orthogonal-mlp"]] = {
    "the paper's generator": "mlp",
    "orthogonal layers": "orthogonal-mlp",
}


def _row(group: str, dim: int) -> Row:
    generator = GENERATORS[group]
    flow = FLOW.get((generator, dim))
    config = simulation(
        "flow" if flow else "wide" if dim == 20 else "medium",  # beyond, 6,000 steps take too long
        objective="supervised",
        dim=dim,
        classes=max(100, 2 * dim),
        kappa=round(3 * dim**0.5, 1),
        generator=generator,
        test_samples=max(8_192, 24 * dim),
    )
    encoder, training = config.encoder, config.training
    if flow:
        encoder, training = replace(encoder, flow_steps=flow[0]), replace(training, **flow[1])
    else:
        encoder = replace(encoder, width=max(encoder.width, dim, 128 if dim > 20 else 0))
        training = replace(training, **TRAINING[dim])
    config = replace(config, encoder=encoder, training=training)
    return Row(label=f"d = {dim:,}", config=config, group=group, x=dim)


SWEEP = Sweep(
    name="dimension",
    title="Dimension of the latents",
    question="Up to which dimension do networks of a laptop's budget reach the ceiling?",
    prediction="The ceiling is 1 for every d. What grows is the work: the encoder has to undo "
    "the generator, whose layers are worse conditioned the larger d is, in steps that cost as "
    "d², and the excess loss says how far it has come. Where the encoder started from observations "
    "alone, what labels show is that they keep it.",
    rows=tuple(
        _row(group, dim)
        for group in GENERATORS
        for dim in TRAINING
        if dim <= 500 or GENERATORS[group] == "orthogonal-mlp"  # dear, so for the easier one only
    ),
    axis=Axis(label="number of latent dimensions d", log=True),
    core_minutes=140,
    seeds=(0, 1, 2),
)
