"""Cluster vectors v_c on the sphere: uniform, or noise around e_1 projected to the sphere.

Source: arXiv:2410.21869, section 4.1: uniform in its base row; Laplace, normal and
generalised normal of scale 1 around e_1 where the assumption of spread is strained.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.worlds.conditionals import Conditional
from identikit.worlds.config import CLUSTERS, WorldConfig
from identikit.worlds.von_mises_fisher import VonMisesFisher


def draw_cluster_vectors(
    config: WorldConfig, *, generator: torch.Generator
) -> Float[Tensor, "K d"]:
    """Unit vectors for every component of every class, float32, on the generator's device."""
    pole = torch.eye(1, config.dim, device=generator.device)
    around: Conditional = CLUSTERS[config.clusters].make(config, pole)
    count = config.classes * config.components
    at_pole = torch.zeros(count, dtype=torch.long, device=generator.device)
    return around.sample(at_pole, generator=generator)


def uniform(pole: Float[Tensor, "1 d"]) -> VonMisesFisher:
    """Anywhere on the sphere."""
    return VonMisesFisher(pole, concentration=0.0)
