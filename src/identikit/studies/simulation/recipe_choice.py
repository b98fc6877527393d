"""The recipe that a world calls for, from the world's own numbers.

A sample's own class is ahead of its nearest neighbour by kappa (1 - cos theta) nats, theta the
angle between neighbours among C cluster vectors on a sphere in R^d, theta ~ C^(-1 / (d - 1)). So
g = kappa C^(-2 / (d - 1)) says how far apart classes stand; the larger it is, the less they
overlap, and the flatter is the loss in what tells them apart.
"""

from identikit.worlds.config import WorldConfig

FAR_APART = 1.5
"""Separation g of classes from which the loss is flat for the quick recipe."""
VERY_CLOSE = 0.2
"""Separation g below which a sample says so little of its class that only many tell."""
SOME_LATENTS = 8
"""Latents from which a narrow encoder and small batches fall short."""
MANY_LATENTS = 15
"""Latents from which the encoder of the other recipes is too narrow."""
TOO_MANY_LATENTS = 30
"""Latents from which labels alone do not lead an encoder to the inverse of a network, and a start
from observations was found to, where layers are well conditioned."""


def separation(world: WorldConfig) -> float:
    """How far apart neighbouring classes stand, g in nats; 1 / scale^2 where there is no kappa."""
    kappa = world.kappa if world.conditional == "vmf" else world.scale**-2
    return float(kappa * world.classes ** (-2 / max(1, world.dim - 1)))


def choose_recipe(world: WorldConfig) -> tuple[str, str]:
    """The name of a recipe for this world, and why, in a clause."""
    g = separation(world)
    if world.images:
        return "pixels", "observations are images"
    some = world.dim >= SOME_LATENTS
    if world.label_exponent:
        return "medium" if some else "fast", "labels come unequally often, so rows cannot be tied"
    undone = world.generator == "orthogonal-mlp" and world.observation_dim in (None, world.dim)
    if world.dim >= TOO_MANY_LATENTS and undone:
        return "flow", f"{world.dim} latents need an encoder that starts from observations"
    if world.dim >= MANY_LATENTS:
        return "wide", f"{world.dim} latents need a wider encoder"
    if g >= FAR_APART:
        return "flat", f"classes stand {g:.1f} nats apart, so the loss is flat"
    if world.clusters != "uniform":
        return "crowded", "cluster vectors huddle together"
    if some:
        return "medium", f"{world.dim} latents, and classes overlap ({g:.1f} nats apart)"
    if g < VERY_CLOSE:
        return "broad", f"classes overlap very much ({g:.1f} nats apart)"
    return "fast", f"classes overlap ({g:.1f} nats apart)"
