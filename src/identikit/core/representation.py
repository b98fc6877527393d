"""Representation: what an encoder makes of n samples, with all that is known about it."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.memory_mapped import not_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """h with its factors and its head.

    Raises:
        InputError: wrong shapes, NaN or infinity in h, or lengths that do not agree.
    """

    h: Float[Tensor, "n d_h"]
    factors: Factors
    head: Float[Tensor, "labels d_h"] | None = None
    """Rows W of the linear classifier trained on h, one per label."""
    head_class: Int[Tensor, " labels"] | None = None
    """Class of each row: rows of one class are copies of one vector (paper, theorem 1),
    so they are never split between fitting and scoring."""
    class_vectors: Float[Tensor, "classes d_z"] | None = None
    """Cluster vectors v_c, where the world knows them."""
    x: Float[Tensor, "n d_x"] | None = None
    """The observations themselves, flattened: the identity baseline."""

    def __post_init__(self) -> None:
        if self.h.ndim != 2:
            raise InputError(f"h must be a matrix (n, d_h); got shape {tuple(self.h.shape)}.")
        bad, _ = not_finite(self.h)
        if bad:
            raise InputError(
                f"h has {bad} values that are NaN or infinite, of {self.h.numel()}. "
                "Find the layer that made them; no score can be given for such features."
            )
        if len(self.h) != self.factors.n_samples:
            raise InputError(
                f"h and the factors must have the same number of rows; got {len(self.h)} and "
                f"{self.factors.n_samples}. Pass the factors of the same samples."
            )
        if self.head is not None and self.head.shape[-1] != self.h.shape[1]:
            raise InputError(
                f"the head must have one column per dimension of h ({self.h.shape[1]}); "
                f"got shape {tuple(self.head.shape)}. Pass W as (labels, d_h)."
            )
