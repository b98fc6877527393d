"""Figure 5 (left) of arXiv:2410.21869, appendix D: batch size x concentration."""

from dataclasses import replace

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Axis, Claim, Row, Sweep

BATCHES = (256, 1_024, 4_096)
KAPPAS = (10.0, 50.0, 100.0)


def _row(kappa: float, batch: int) -> Row:
    config = simulation(objective="supervised", kappa=kappa)
    config = replace(
        config, training=replace(config.training, batch_size=batch, final_batch_size=None)
    )
    return Row(label=f"{batch:,}", config=config, group=f"κ = {kappa:g}", x=batch)


SWEEP = Sweep(
    name="batch-size",
    title="Batch size and concentration (Figure 5, left)",
    question="Do larger batches mend what high concentrations spoil?",
    prediction="The ceiling is 1 everywhere: batches are the optimiser's business. For large κ the "
    "loss says little of z, so noise of steps may hide it, and larger batches have less.",
    rows=tuple(_row(kappa, batch) for kappa in KAPPAS for batch in BATCHES),
    axis=Axis(label="samples per step", log=True),
    core_minutes=5,
    seeds=(0, 1, 2),
    claims=(
        Claim(
            words="larger batches mend high κ",
            pairs=tuple(
                (f"κ = {kappa:g}: {BATCHES[0]:,}", f"κ = {kappa:g}: {BATCHES[-1]:,}")
                for kappa in KAPPAS[1:]
            ),
        ),
        Claim(
            words="at the base row's κ = 10 the size of batches does not matter",
            pairs=((f"κ = 10: {BATCHES[0]:,}", f"κ = 10: {BATCHES[-1]:,}"),),
            alike=True,
        ),
    ),
)
