"""Figure 5 (right) of arXiv:2410.21869, appendix D: a truncated Laplace on [-t, t], t x scale."""

from identikit.studies.catalogue._simulation import ROW_RATE, simulation
from identikit.studies.sweeps.sweep import Axis, Claim, Row, Sweep

BOUNDS = (1.0, 2.0, 3.0)
SCALES = (0.25, 0.5, 1.0)


def _row(scale: float, bound: float) -> Row:
    config = simulation(
        objective="supervised",
        head_rate=ROW_RATE,
        test_samples=4_096,
        conditional="truncated-laplace",
        scale=scale,
        bound=bound,
    )
    return Row(label=f"t = {bound:g}", config=config, group=f"a = {scale:g}", x=bound)


def _by_bound(low: int, high: int) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"a = {scale:g}: t = {BOUNDS[high]:g}", f"a = {scale:g}: t = {BOUNDS[low]:g}")
        for scale in SCALES
    )


SWEEP = Sweep(
    name="truncated-laplace",
    title="Truncated Laplace (Figure 5, right)",
    question="How much is recovered from a Laplace cut to a box, of which size and scale?",
    prediction="Log-densities are -|z - v| / a in the L1 norm, alike for all classes wherever z "
    "lies beyond all centres. The larger the box, the more of it is such a place: the ceiling "
    "falls with t, and with a where the box lets noise spread.",
    rows=tuple(_row(scale, bound) for scale in SCALES for bound in BOUNDS),
    axis=Axis(label="half the side t of the box"),
    core_minutes=7,
    seeds=(0, 1, 2),
    claims=(Claim(words="larger boxes are worse", pairs=_by_bound(0, 1) + _by_bound(1, 2)),),
)
