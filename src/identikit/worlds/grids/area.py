"""Smaller images by area: a pixel is the mean of the old image over the square that it covers.

y = A x A', A_ij = share of new row i that old row j covers; exact for any ratio of sides.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def shrunk(images: UInt8[Tensor, "n h w c"], side: int) -> UInt8[Tensor, "n side side c"]:
    """Square images reduced to `side` pixels, rounded to whole grey levels."""
    weights = _shares(images.shape[1], side)
    means = torch.einsum("ih,nhwc,jw->nijc", weights, images.float(), weights)
    return means.round().to(torch.uint8)


def _shares(full: int, side: int) -> Float[Tensor, "side full"]:
    fine = torch.eye(side).repeat_interleave(full, dim=1)  # cut into side * full strips
    return fine.view(side, full, side).sum(-1) / full
