"""A head of unit norm that starts free: the sphere comes when an affine map is found.

A free head has to find h = A z for any A, one of unit norm a rotation, with nothing gained on the
way. In a spherical world the free optimum has rows B v + c. The linear map that takes h nearest
the unit sphere (or, where only rows have unit norm, the one that takes rows nearest any sphere)
and the shift that puts the mapped rows nearest one around zero (it changes no difference of
logits) lead to the optimum of unit norm. From there training ends on the cross-entropy of such a
head. Shapes: y and h (n, d), rows (labels, d).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import ellipsoid_frame, sphere_centre, spherical_frame, whitening

LEAST_LENGTH = 0.1
"""Squared length that a direction of whitened h, or rows, keeps on its way to the sphere, as a
share of the longest, at least: what is not yet near an ellipsoid must not be blown up."""


@torch.no_grad()
def frame_on_sphere(
    h: Float[Tensor, "n d"],
    rows: Float[Tensor, "labels d"],
    *,
    unit_features: bool,
    unit_rows: bool,
) -> tuple[Float[Tensor, "d d"], Float[Tensor, "labels d"], Float[Tensor, ""]]:
    """The map A for which features h A, the rows that go with them, or both are near unit norm.

    Returns:
        A in float64; the rows in its space, divided by their length if they are to have unit norm;
        that length, else 1: what features or logits are to be multiplied by, so that these keep
        nearest to what they were.
    """
    if unit_features:
        h = h.double()
        whiten = whitening(h.T @ h / len(h))
        frame = whiten @ spherical_frame(h @ whiten, least=LEAST_LENGTH)
    else:
        frame = torch.linalg.inv(ellipsoid_frame(rows.double(), least=LEAST_LENGTH)).T
    turned = torch.linalg.solve(frame, rows.double().T).T
    if not unit_rows:
        return frame, turned, turned.new_ones(())
    turned = turned - sphere_centre(turned)
    length = turned.norm(dim=1).mean()
    return frame, turned / length, length
