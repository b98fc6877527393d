"""The number of classes around d + 1, the fewest whose cluster vectors can span R^d affinely."""

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

CLASSES = {5: (2, 3, 4, 5, 6, 7, 8, 10, 14, 20), 10: (2, 4, 6, 8, 10, 11, 12, 14, 20, 30)}


def _row(dim: int, classes: int) -> Row:
    few = classes < dim + 1
    config = simulation(
        objective="supervised",
        steps=3_000 if dim == 10 else None,
        dim=dim,
        kappa=3.0,
        classes=classes,
        few_classes=few,
    )
    return Row(label=f"C = {classes}", config=config, group=f"d = {dim}", x=classes)


SWEEP = Sweep(
    name="class-threshold",
    title="Classes around the threshold d + 1",
    question="What is recovered with fewer classes than the theorem needs, and just as many?",
    prediction="C classes show the head C - 1 directions of z, so a share of about (C - 1) / d "
    "of the variance has to be recovered below d + 1 classes, and all of it from d + 1 on.",
    rows=tuple(_row(dim, classes) for dim, each in CLASSES.items() for classes in each),
    axis=Axis(label="number of classes C", log=True),
    core_minutes=14,
    seeds=(0, 1, 2),
)
