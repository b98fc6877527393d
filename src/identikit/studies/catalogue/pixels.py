"""The theorem on pixels: rendered images whose factors follow the paper's cluster-centric world.

Hearts that move, grow and turn (one for four latents, each in a channel of its own), and a
capsule in a room whose azimuth, size and hues follow the latents; 32 x 32 pixels, drawn afresh
for every step. A small convolutional network learns the classes with cross-entropy. Base row:
sprites, d = 3, C = 100, κ = 10; one thing changes at a time. Recipe and steps were chosen on seeds
10 to 13, which are not among those reported.
"""

from typing import Any

from identikit.studies.catalogue._simulation import simulation
from identikit.studies.sweeps.sweep import Row, Sweep

STEPS = {("sprites", 4): 1_500, ("rooms", 5): 1_200}
"""Where a factor takes longer to learn than the recipe's 600: the turn of a heart, three hues."""
STEPS_FOR_TEN_CLASSES = 2_000
"""With so few the loss is flat, and h straightens slowly."""


def _row(group: str, label: str, **world: Any) -> Row:
    options = {"generator": "sprites", "dim": 3, **world}
    steps = STEPS.get((options["generator"], options["dim"]))
    config = simulation(
        "pixels",
        objective="supervised",
        steps=STEPS_FOR_TEN_CLASSES if options.get("classes") == 10 else steps,
        test_samples=4_096,
        **options,
    )
    return Row(label=label, config=config, group=group)


SWEEP = Sweep(
    name="pixels",
    title="The theorem on rendered images",
    question="Does cross-entropy recover the latents when the generator is a renderer and the "
    "network sees pixels?",
    prediction="The ceiling is 1 in every row: all assumptions hold, the renderer being continuous "
    "and injective. What can fall short is the network, which has to undo a renderer in minutes; "
    "an oracle, the same network told the latents, says whether it does.",
    rows=(
        *(_row("dimension, sprites", f"d = {d}", dim=d) for d in (2, 3, 4)),
        *(_row("dimension, rooms", f"d = {d}", dim=d, generator="rooms") for d in (3, 5)),
        *(_row("concentration", f"κ = {kappa:g}", kappa=kappa) for kappa in (3.0, 30.0)),
        *(_row("classes", f"C = {classes:,}", classes=classes) for classes in (10, 1_000)),
    ),
    core_minutes=18,
    seeds=(0, 1, 2),
)
