"""Coverage: span{w_i - mean_j w_j}, the part of h that the theorem speaks of.

Only W (h - h') enters the softmax, so what cross-entropy pins down of h is its projection
on the row space of the centred head, at most (labels - 1) dimensions; anything else that
can be read from h is inductive bias. W is (labels, d_h), h is (n, d_h).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import centred, rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """An orthonormal split of representation space by a head."""

    basis: Float[Tensor, "d_h rank"]
    """Orthonormal columns that span the row space of the centred head (float64)."""
    complement_basis: Float[Tensor, "d_h rest"]
    """Orthonormal columns that span everything else; d_h - rank of them."""
    rank: int
    """Dimensions of h that the theorem covers."""

    def row_space(self, h: Float[Tensor, "n d_h"]) -> Float[Tensor, "n rank"]:
        """Coordinates of h inside the row space: what is guaranteed."""
        return h.double() @ self.basis

    def complement(self, h: Float[Tensor, "n d_h"]) -> Float[Tensor, "n rest"]:
        """Coordinates of h outside it: what is not; no columns when all is covered."""
        return h.double() @ self.complement_basis


def head_row_space(head: Float[Tensor, "labels d_h"]) -> Coverage:
    """The row space of the head's centred rows.

    A direction counts when its singular value exceeds the largest times the rounding of the
    head's dtype and its longer side, and what rounding the rows before centring left of it.

    Raises:
        InputError: fewer than two rows, NaN or infinity.
    """
    if head.ndim != 2 or len(head) < 2:
        raise InputError(f"head must be (labels >= 2, d_h); got shape {tuple(head.shape)}.")
    if not bool(torch.isfinite(head).all()):
        raise InputError("head has values that are NaN or infinite; it cannot be projected on.")
    eps = torch.finfo(head.dtype).eps
    # the triangular factor has the same right singular vectors and stays small for many labels
    triangular = torch.linalg.qr(centred(head), mode="r").R
    _, s, vt = torch.linalg.svd(triangular, full_matrices=True)
    floor = rounding(head).max() * (len(head) ** 0.5 + head.shape[1] ** 0.5)
    rank = int((s > torch.maximum(eps * max(head.shape) * s[0], floor)).sum())
    return Coverage(basis=vt[:rank].T, complement_basis=vt[rank:].T, rank=rank)


def class_rows(
    head: Float[Tensor, "labels d_h"], head_class: Int[Tensor, " labels"]
) -> Float[Tensor, "classes d_h"]:
    """The mean row of each class, in the order of the classes' numbers.

    At the optimum rows of one class are copies of one vector; what training leaves between
    them is noise, which would fill dimensions that theory does not speak of.
    """
    _, of_row = torch.unique(head_class, return_inverse=True)
    count = torch.bincount(of_row)
    sums = torch.zeros(len(count), head.shape[1], dtype=head.dtype, device=head.device)
    return sums.index_add(0, of_row, head) / count[:, None]
