"""The discriminant from statistics against scikit-learn's on the data."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from identikit.probing import linear
from identikit.probing.discriminant import Discriminant, discriminant
from identikit.probing.moments import Moments, PartMoments

CLASSES, DIM = 4, 6


def sample(n: int, seed: int, *, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """Classes of unequal size along a line, where the argmax of a regression hides the middle."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.tensor([0.4, 0.1, 0.3, 0.2])
    label = torch.multinomial(share, n, replacement=True, generator=generator)
    noise = torch.randn(n, DIM, generator=generator, dtype=torch.float64)
    return spread * noise + 3.0 * label[:, None] * torch.ones(DIM), label


def moments(h: Tensor, label: Tensor, *, classes: int = CLASSES) -> Moments:
    y = torch.nn.functional.one_hot(label, classes).double()
    running = PartMoments.empty(parts=1, d=DIM, k=classes)
    running.add(h, y)
    return running.pooled()


def fitted(found: Moments) -> tuple[Discriminant, Tensor, Tensor]:
    fit = linear.least_squares_from_moments(found)
    columns = slice(0, found.hy.shape[1])
    own = discriminant(found, fit.coefficient, fit.intercept, columns=columns)
    return own, fit.coefficient, fit.intercept


def test_it_names_what_linear_discriminant_analysis_names() -> None:
    h, label = sample(600, 0)
    test, truth = sample(400, 1)
    own, a, b = fitted(moments(h, label))
    reference = LinearDiscriminantAnalysis(priors=np.full(CLASSES, 1 / CLASSES)).fit(
        h.numpy(), label.numpy()
    )
    named = own.named(test @ a + b)
    assert (named.numpy() == reference.predict(test.numpy())).mean() > 0.99
    assert (named == truth).double().mean() > 0.95
    assert ((test @ a + b).argmax(1) == truth).double().mean() < 0.9  # which is why it is there


def test_classes_without_spread_are_told_apart() -> None:
    h, label = sample(200, 2, spread=0.0)
    own, a, b = fitted(moments(h, label))
    assert torch.equal(own.named(h @ a + b), label)


def test_a_class_that_is_not_there_is_never_named() -> None:
    h, label = sample(300, 3)
    own, a, b = fitted(moments(h, label, classes=CLASSES + 1))
    assert own.present.tolist() == [True] * CLASSES + [False]
    assert int(own.named(h @ a + b).max()) == CLASSES - 1
    assert (own.named(h @ a + b) == label).double().mean() == pytest.approx(1, abs=0.05)


def test_the_margin_of_two_classes_ranks_as_linear_discriminant_analysis_does() -> None:
    h, label = sample(600, 4)
    test, _ = sample(400, 5)
    pair = (label > 1).long()
    own, a, b = fitted(moments(h, pair, classes=2))
    margin = own.margin(test @ a + b)
    reference = LinearDiscriminantAnalysis(priors=[0.5, 0.5]).fit(h.numpy(), pair.numpy())
    assert spearmanr(margin, reference.decision_function(test.numpy())).statistic > 1 - 1e-9
    assert torch.equal(margin > 0, own.named(test @ a + b) == 1)
