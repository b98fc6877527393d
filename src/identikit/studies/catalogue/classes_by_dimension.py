"""Figure 5 (middle) of arXiv:2410.21869, appendix D: clusters x dimension, down to C = 10."""

from identikit.studies.catalogue._simulation import ROW_RATE, simulation
from identikit.studies.sweeps.sweep import Axis, Claim, Row, Sweep

CLASSES = (10, 100, 1_000)
DIMS = (5, 10, 20)


def _row(dim: int, classes: int) -> Row:
    config = simulation(
        objective="supervised",
        head_rate=ROW_RATE,
        test_samples=4_096,
        dim=dim,
        classes=classes,
        few_classes=classes < dim + 1,
    )
    return Row(label=f"C = {classes:,}", config=config, group=f"d = {dim}", x=classes)


SWEEP = Sweep(
    name="classes-by-dimension",
    title="Clusters and dimension (Figure 5, middle)",
    question="How many clusters does it take in how many dimensions?",
    prediction="C classes show the head C - 1 directions of z: with 10 the ceiling is 1 at d = 5, "
    "somewhat above 9 / d at d = 10 and 20, whatever is trained. From d + 1 classes on it is 1.",
    rows=tuple(_row(dim, classes) for dim in DIMS for classes in CLASSES),
    axis=Axis(label="number of clusters C", log=True),
    core_minutes=9,
    seeds=(0, 1, 2),
    claims=(
        Claim(
            words="more clusters help",
            pairs=tuple((f"d = {dim}: C = 10", f"d = {dim}: C = 1,000") for dim in DIMS),
        ),
        Claim(
            words="10 clusters are far poorer at d = 10 and 20 than at d = 5",
            pairs=tuple((f"d = {dim}: C = 10", "d = 5: C = 10") for dim in DIMS[1:]),
            reason="Ten rows differ in nine directions, fewer than there are latents.",
        ),
    ),
)
