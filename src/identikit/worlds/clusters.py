"""Cluster vectors v_c on the sphere: uniform, or noise around e_1 projected to the sphere.

Source: arXiv:2410.21869, section 4.1: uniform in its base row; Laplace, normal and
generalised normal of scale 1 around e_1 where the assumption of spread is strained.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import unknown_name
from identikit.worlds.conditionals import Conditional
from identikit.worlds.projected import (
    ProjectedGeneralizedNormal,
    ProjectedLaplace,
    ProjectedNormal,
)
from identikit.worlds.von_mises_fisher import VonMisesFisher


def draw_cluster_vectors(
    kind: str,
    classes: int,
    *,
    dim: int,
    scale: float = 1.0,
    exponent: float = 3.0,
    generator: torch.Generator,
) -> Float[Tensor, "classes dim"]:
    """Unit vectors, float32, on the generator's device.

    Raises:
        InputError: an unknown kind, or a scale or exponent out of range.
    """
    pole = torch.eye(1, dim, device=generator.device)
    around: Conditional
    match kind:
        case "uniform":
            around = VonMisesFisher(pole, concentration=0.0)
        case "normal":
            around = ProjectedNormal(pole, scale=scale)
        case "laplace":
            around = ProjectedLaplace(pole, scale=scale)
        case "generalized-normal":
            around = ProjectedGeneralizedNormal(pole, scale=scale, exponent=exponent)
        case _:
            known = ["uniform", "normal", "laplace", "generalized-normal"]
            raise unknown_name("clusters", kind, known)
    at_pole = torch.zeros(classes, dtype=torch.long, device=generator.device)
    return around.sample(at_pole, generator=generator)
