"""Table 3 of arXiv:2410.21869: supervised classification, classes as labels."""

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.catalogue._worlds import TRAINING, WORLDS, supervised_in_print
from identikit.studies.sweeps.sweep import Row, Sweep

SWEEP = Sweep(
    name="table3",
    title="Supervised classification of simulated worlds (Table 3)",
    question="Does telling classes apart recover the latents of simulated worlds?",
    prediction="Up to an affine map wherever the assumptions hold; where they fail, as much as "
    "the ceiling says.",
    rows=tuple(
        Row(
            label=label,
            config=simulation(objective="supervised", **TRAINING.get(label, {}), **world),
            group="supervised",
            paper=supervised_in_print(label),
        )
        for label, world in WORLDS.items()
    ),
    core_minutes=35,
)
