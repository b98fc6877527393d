"""Figure 6 of arXiv:2410.21869, appendix D: symmetric label noise, 0 to 100 %.

A label is drawn anew from all labels in a share e of draws: p(i|z) becomes (1 - e) p(i|z) + e / N.
"""

from typing import Any

from identikit.studies.catalogue._simulation import ROW_RATE, simulation
from identikit.studies.sweeps.sweep import Axis, Claim, Row, Sweep

SHARES = (0.0, 0.2, 0.5, 0.8, 1.0)
GROUPS: dict[str, dict[str, Any]] = {
    "supervised": {"objective": "supervised"},
    "DIET, N = 1,000": {"objective": "diet", "instances": 1_000},
}


def _row(group: str, share: float) -> Row:
    config = simulation(test_samples=4_096, head_rate=ROW_RATE, label_noise=share, **GROUPS[group])
    return Row(label=f"{share:.0%}", config=config, group=group, x=share)


SWEEP = Sweep(
    name="label-noise",
    title="Symmetric label noise (Figure 6)",
    question="How much is recovered when a share of all labels is drawn anew?",
    prediction="Noise puts a floor under every posterior, log((1 - e) p + e / C), so optimal "
    "logits do change, and a representation of d dimensions bends: the ceiling falls with e and "
    "rises with the number of classes, since around a sphere full of classes no direction is "
    "left to bend to. It is the same for instances as for classes, whatever N, and 0 at 100 %.",
    rows=tuple(_row(group, share) for group in GROUPS for share in SHARES),
    axis=Axis(label="share of labels drawn anew"),
    core_minutes=7,
    seeds=(0, 1, 2),
    claims=(
        *(
            Claim(
                words=f"{group}: latents lose next to nothing up to 80 %",
                pairs=tuple((f"{group}: {s:.0%}", f"{group}: 0%") for s in SHARES[1:4]),
                alike=True,
                reason="The paper's reason, that symmetric noise leaves optimal logits as they "
                "are, is not so: log((1 - e) p + e / C) is not affine in log p.",
            )
            for group in GROUPS
        ),
        Claim(
            words="head rows stay perfect up to 80 %",
            pairs=tuple(
                (f"{group}: {s:.0%}", f"{group}: 0%") for group in GROUPS for s in SHARES[1:4]
            ),
            lower="head",
            higher="head",
            alike=True,
        ),
        Claim(
            words="at 100 % recovery falls",
            pairs=tuple((f"{group}: 100%", f"{group}: 80%") for group in GROUPS),
            reason="Labels then say nothing of the latents.",
        ),
    ),
)
