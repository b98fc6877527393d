"""Repeated instances: elements that occur more than once as different instances (DIET)."""

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Row, Sweep

PER_CLASS = (1, 2, 5, 10, 30, 100, 300, 1_000)
SHARES = {"all elements equally often": 0.0, "half the instances are of one element": 0.5}


def _row(group: str, per_class: int) -> Row:
    share = SHARES[group]
    config = simulation(objective="diet", instances=100 * per_class, repeated_share=share)
    return Row(label=f"N = {100 * per_class:,}", config=config, group=group, x=per_class)


SWEEP = Sweep(
    name="repeated-instances",
    title="Repeated instances",
    question="Does it matter to DIET that elements occur more than once, as different instances?",
    prediction="Instances of one element share a row at the optimum and cannot be told apart, "
    "which adds the entropy of the instance given the element to the Bayes loss and nothing to "
    "the excess. All instances being equally frequent, no log-prior appears, even where one "
    "element has half of them: the ceiling is 1 throughout.",
    rows=tuple(
        _row(group, per_class)
        for group, share in SHARES.items()
        for per_class in PER_CLASS
        if per_class * (1 - share) >= 1
    ),
    axis=Axis(label="instances per element (N / C)", log=True),
    core_minutes=12,
    seeds=(0, 1, 2),
)
