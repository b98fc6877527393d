"""Positive pairs within a batch: rows 2i and 2i + 1 are two views of one thing.

So a source of pairs is a source of rows like any other, and one fit loop serves both: two views
carry the same target, whatever that is.
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from identikit.core.errors import InputError


def two_views(
    y: Float[Tensor, "n d"], target: Shaped[Tensor, " n"], *, objective: str
) -> tuple[Float[Tensor, "p d"], Float[Tensor, "p d"]]:
    """The first and the second view of each pair.

    Args:
        y: Of all rows of a batch, pair after pair.
        target: Names the pair, or what its two views share: rows 2i and 2i + 1 have the same.
        objective: That asks, for the error.

    Raises:
        InputError: fewer than two pairs, or rows that do not come in pairs.
    """
    if len(y) < 4:
        raise InputError(
            f"{objective} compares each pair with the others of its batch, so it needs at least "
            f"two pairs (4 rows); got {len(y)} rows. Raise the batch size."
        )
    if len(y) % 2 or bool((target[0::2] != target[1::2]).any()):
        raise InputError(
            f"{objective} needs positive pairs: rows 2i and 2i + 1 of a batch are two views with "
            "one target; got rows that do not come in pairs. Draw them from `sample_pairs` of a "
            "world that has them, in batches of even size."
        )
    return y[0::2], y[1::2]


def interleaved(
    first: Shaped[Tensor, "p ..."], second: Shaped[Tensor, "p ..."]
) -> Shaped[Tensor, "n ..."]:
    """Rows of two samples by turns: pair i becomes rows 2i and 2i + 1."""
    return torch.stack([first, second], dim=1).flatten(0, 1)
