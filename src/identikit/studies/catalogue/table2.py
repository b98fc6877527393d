"""Table 2 of arXiv:2410.21869: DIET, unnormalised (case C4) and with unit-norm rows (C3)."""

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.catalogue._worlds import TRAINING, WORLDS
from identikit.studies.sweeps.sweep import Row, Sweep


def _row(label: str, *, unit_rows: bool, instances: int = 10_240) -> Row:
    config = simulation(
        objective="diet",
        unit_rows=unit_rows,
        instances=instances,
        **TRAINING.get(label, {}),
        **WORLDS.get(label, {}),
    )
    return Row(label=label, config=config, group="DIET, unit rows" if unit_rows else "DIET")


SWEEP = Sweep(
    name="table2",
    title="DIET on simulated worlds (Table 2)",
    question="Does telling instances apart recover the latents of simulated worlds?",
    prediction="Up to an affine map wherever the assumptions hold, up to a scaled rotation with "
    "unit-norm rows and diverse classes; where they fail, as much as the ceiling says.",
    rows=tuple(
        row
        for unit_rows in (False, True)
        for row in (
            *(_row(label, unit_rows=unit_rows) for label in WORLDS),
            _row("N = 1,000", unit_rows=unit_rows, instances=1_000),
        )
    ),
    core_minutes=70,
)
