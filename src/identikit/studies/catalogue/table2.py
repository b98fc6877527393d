"""Table 2 of arXiv:2410.21869: DIET with unit-norm rows (case C3) and with free ones (C4)."""

from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.catalogue._worlds import TRAINING, WORLDS, diet_in_print
from identikit.studies.sweeps.sweep import Row, Sweep

ROWS: dict[str, dict[str, Any]] = {
    "base": {},
    "N = 100,000": {"instances": 100_000},
    **{label: world for label, world in WORLDS.items() if label not in ("base", "C = 10,000")},
}
"""1,000 instances are too few for 10,000 classes."""


def diet(rows: dict[str, dict[str, Any]]) -> tuple[Row, ...]:
    """Rows of DIET with both kinds of head, the paper's values beside them."""
    return tuple(
        Row(
            label=label,
            config=simulation(
                objective="diet",
                unit_rows=unit_rows,
                **{"instances": 1_000, **TRAINING.get(label, {}), **row},
            ),
            group="DIET, unit rows" if unit_rows else "DIET",
            paper=diet_in_print(label, unit_rows=unit_rows),
        )
        for unit_rows in (True, False)
        for label, row in rows.items()
    )


SWEEP = Sweep(
    name="table2",
    title="DIET on simulated worlds (Table 2)",
    question="Does telling instances apart recover the latents of simulated worlds?",
    prediction="Up to an affine map wherever the assumptions hold, up to a scaled rotation with "
    "unit-norm rows and diverse classes; where they fail, as much as the ceiling says.",
    rows=diet(ROWS),
    core_minutes=73,
)
