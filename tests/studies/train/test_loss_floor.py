"""The least loss against sums over labels, and against a loss that is trained to its end."""

import math

import pytest
import torch

from identikit.studies.train.loss_floor import loss_floor


def by_sum(label: list[int], copy_of: list[int], *, labels: int, smoothing: float) -> float:
    """Entropy of the smoothed labels of each image, label by label."""
    total = 0.0
    for first in copy_of:
        mine = [own for own, other in zip(label, copy_of, strict=True) if other == first]
        for j in range(labels):
            p = (1 - smoothing) * mine.count(j) / len(mine) + smoothing / labels
            total -= p * math.log(p) if p else 0.0
    return total / len(label)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.8])
@pytest.mark.parametrize(
    ("label", "copy_of"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 1, 2, 3], [0, 0, 2, 0]),
        ([0, 0, 1, 1, 1], [0, 1, 2, 2, 0]),
    ],
)
def test_it_is_the_entropy_of_labels_given_pixels(
    label: list[int], copy_of: list[int], smoothing: float
) -> None:
    labels = max(label) + 2
    got = loss_floor(torch.tensor(label), torch.tensor(copy_of), labels=labels, smoothing=smoothing)
    assert got == pytest.approx(by_sum(label, copy_of, labels=labels, smoothing=smoothing))


def test_images_that_differ_have_none_and_copies_the_log_of_their_number() -> None:
    n = torch.arange(6)
    assert loss_floor(n, n, labels=6, smoothing=0.0) == 0
    assert loss_floor(n, n // 3, labels=6, smoothing=0.0) == pytest.approx(math.log(3))
