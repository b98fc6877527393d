"""Few-shot classification: named is the class whose mean over a few shots is nearest to h.

Nearest class means (Snell, Swersky and Zemel, *Prototypical networks*, 2017) with the Euclidean
distance of h as it is: nothing is fitted but the means. h is (n, d_h).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError


def few_shot_accuracy(
    pool: tuple[Float[Tensor, "n d_h"], Int[Tensor, " n"]],
    test: tuple[Float[Tensor, "m d_h"], Int[Tensor, " m"]],
    *,
    shots: int,
    draws: int,
    generator: torch.Generator,
) -> Float[Tensor, " draws"]:
    """Share of the test samples that are named right, for each draw of shots.

    Args:
        pool: Features and labels of the samples that shots are drawn from.
        test: Of the samples to name.
        shots: Samples of each class; a class of fewer gives all it has.
        draws: How often shots are drawn.
        generator: Source of the draws.

    Raises:
        InputError: fewer than one shot or draw.
    """
    if shots < 1 or draws < 1:
        raise InputError(f"shots and draws must be at least 1; got {shots} and {draws}.")
    h, label = pool[0].double(), pool[1]
    classes = int(torch.cat([label, test[1]]).max()) + 1
    size = torch.bincount(label, minlength=classes)
    start = size.cumsum(0) - size
    hits = []
    for _ in range(draws):
        order = torch.randperm(len(label), generator=generator)
        order = order[label[order].argsort(stable=True)]
        place = torch.arange(len(label)) - start[label[order]]
        chosen = order[place < shots]
        mean = h.new_zeros(classes, h.shape[1]).index_add_(0, label[chosen], h[chosen])
        mean /= size.clamp(max=shots)[:, None]  # NaN for a class that is not there
        distance = torch.cdist(test[0].double(), mean).nan_to_num(nan=torch.inf)
        hits.append((distance.argmin(dim=1) == test[1]).double().mean())
    return torch.stack(hits)
