"""Table 5 of arXiv:2410.21869: DIET where cluster vectors are not uniform on the sphere."""

from identikit.studies.catalogue._worlds import CLUSTERS
from identikit.studies.catalogue.table2 import diet
from identikit.studies.sweeps.sweep import Sweep

SWEEP = Sweep(
    name="table5",
    title="DIET on crowded cluster vectors (Table 5)",
    question="Does it matter to DIET how cluster vectors are distributed?",
    prediction="Not at the optimum: any that span the latent space affinely will do.",
    rows=diet(CLUSTERS),
    core_minutes=6,
)
