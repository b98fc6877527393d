"""A unit-norm head that starts free: the sphere comes when an affine map is found.

A free head has to find h = A z for any A, a unit-norm one a rotation, with nothing gained on the
way. In a spherical world the free optimum has rows A'^-1 v + c: the linear map that takes h
nearest the unit sphere, and the shift that puts the mapped rows nearest one (it changes no
difference of logits), lead to the unit-norm optimum. From there training ends on the
cross-entropy of a unit-norm head. Shapes: y and h (n, d), rows (labels, d).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import sphere_centre, spherical_frame, whitening

LEAST_LENGTH = 0.1
"""Squared length that a direction of whitened h keeps on its way to the sphere, as a share of the
longest, at least: what is not yet near an ellipsoid must not be blown up."""


@torch.no_grad()
def frame_on_sphere(
    h: Float[Tensor, "n d"], rows: Float[Tensor, "labels d"]
) -> tuple[Float[Tensor, "d d"], Float[Tensor, "labels d"], Float[Tensor, ""]]:
    """The map A that takes features h to h A near the unit sphere, and the rows to go with it.

    Returns:
        A in float64; the rows in its space, about as long as one; the inverse temperature that
        keeps what both say nearest to what it was.
    """
    h = h.double()
    whiten = whitening(h.T @ h / len(h))
    frame = whiten @ spherical_frame(h @ whiten, least=LEAST_LENGTH)
    turned = torch.linalg.solve(frame, rows.double().T).T
    turned = turned - sphere_centre(turned)
    length = turned.norm(dim=1).mean()
    return frame, turned / length, length
