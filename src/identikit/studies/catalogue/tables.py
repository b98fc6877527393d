"""Tables 2, 3 and 5 of arXiv:2410.21869 in one go."""

from identikit.studies.catalogue import table2, table3, table5
from identikit.studies.sweeps.sweep import Sweep

SWEEP = Sweep(
    name="tables",
    title="The paper's simulations (Tables 2, 3 and 5)",
    question="Does telling instances or classes apart recover the latents of simulated worlds?",
    prediction=table2.SWEEP.prediction,
    rows=table2.SWEEP.rows + table5.SWEEP.rows + table3.SWEEP.rows,
    core_minutes=114,
)
