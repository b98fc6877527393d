"""Figure 4 of arXiv:2410.21869, appendix D: a generalised normal conditional, scale x shape.

Noise of density exp(-|e / a|^b) in each coordinate, projected: b = 1 is Laplace, 2 is normal.
"""

import math
from itertools import pairwise

from identikit.studies.catalogue._simulation import ROW_RATE, simulation
from identikit.studies.sweeps.sweep import Axis, Claim, Row, Sweep

SCALES = (0.5, 1.0, 2.0)
SHAPES = (1.0, 2.0, 4.0)
DIM = 5
SIZE = "norm before projection"


def size(scale: float, shape: float) -> float:
    """Root mean square norm of v + noise in R^DIM, v of unit norm."""
    variance = scale**2 * math.gamma(3 / shape) / math.gamma(1 / shape)
    return math.sqrt(1 + DIM * variance)


def _row(shape: float, scale: float) -> Row:
    config = simulation(
        objective="supervised",
        head_rate=ROW_RATE,
        test_samples=4_096,
        dim=DIM,
        conditional="generalized-normal",
        exponent=shape,
        scale=scale,
    )
    return Row(
        label=f"a = {scale:g}",
        config=config,
        group=f"b = {shape:g}",
        x=scale,
        beside=((SIZE, size(scale, shape)),),
    )


KEYS = tuple((f"b = {shape:g}", f"a = {scale:g}") for shape in SHAPES for scale in SCALES)
FATTER = tuple(
    (f"b = {low:g}: a = {scale:g}", f"b = {high:g}: a = {scale:g}")
    for low, high in pairwise(SHAPES)
    for scale in SCALES
)
NARROWER = tuple(
    (f"b = {shape:g}: a = {low:g}", f"b = {shape:g}: a = {high:g}")
    for shape in SHAPES
    for low, high in pairwise(SCALES)
)

SWEEP = Sweep(
    name="tails",
    title="Tails of the conditional (Figure 4)",
    question="How much is recovered from generalised normal conditionals of any scale and shape?",
    prediction="Only b = 2 comes near log-densities linear in z, and its ceiling near 1. Fatter "
    "tails (b towards 1) and thinner ones (b above 2) both bend them, along the axes, so the "
    "ceiling falls on either side.",
    rows=tuple(_row(shape, scale) for shape in SHAPES for scale in SCALES),
    axis=Axis(label="scale a of the noise", log=True),
    core_minutes=11,
    seeds=(0, 1, 2),
    claims=(
        Claim(words="fatter tails are worse", pairs=FATTER),
        Claim(words="more concentrated is worse", pairs=NARROWER),
        Claim(
            words="rows are easier than latents",
            pairs=tuple((": ".join(key),) * 2 for key in KEYS),
            higher="head",
        ),
        Claim(
            words="samples grow as b falls to 1",
            pairs=tuple((wide, narrow) for narrow, wide in FATTER),
            lower=SIZE,
            higher=SIZE,
        ),
    ),
)
