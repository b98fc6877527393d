"""Penalties of classifiers are chosen by folds that had no part in what they are scored by."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor

import identikit
from identikit.probing.classifier import (
    PENALTIES,
    Classifier,
    classify,
    of_each_fold,
    principal_coordinates,
)
from identikit.probing.regression import CompressedFeatures
from identikit.statistics.split import Split

NOUNS, VERBS = 12, 8


def sentences() -> tuple[Tensor, Tensor, Tensor]:
    """A direction for each verb and for each noun, and little else; the verb and the noun."""
    generator = torch.Generator().manual_seed(0)
    noun, verb = torch.arange(NOUNS).repeat_interleave(16), torch.arange(NOUNS * 16) % VERBS
    words = torch.randn(NOUNS + VERBS, 40, generator=generator) / 40**0.5
    h = words[noun] + words[NOUNS + verb] + 0.003 * torch.randn(len(noun), 40, generator=generator)
    return h, noun, verb


def test_what_a_new_noun_brings_is_not_mistaken_for_the_verb() -> None:
    """Directions of other nouns are but noise where the map is fitted: none may be lifted."""
    h, noun, verb = sentences()
    found = identikit.score(h, {"verb": [f"verb {k}" for k in verb]}, groups=noun, resamples=100)
    assert found.factors[0].estimate.value == 1


def test_the_loss_is_that_of_axes_and_classifiers_of_each_folds_own_rows() -> None:
    h, noun, verb = sentences()
    rows = torch.arange(len(h))
    held = [noun % 3 == k for k in range(3)]
    folds = [Split(train=rows[~out], test=rows[out]) for out in held]
    found = _classified(h, verb, folds)
    white, equal = np.zeros(len(PENALTIES)), np.zeros(len(PENALTIES))
    for fold in folds:
        white += _losses(h, verb, fold, own=True)
        equal += _losses(h, verb, fold, own=False)
    assert white.min() > 2 * equal.min()
    np.testing.assert_allclose(found.loss, equal.min(), rtol=0.05)


@pytest.mark.parametrize(("size", "lifted"), [(0.3, False), (0.02, True)])
def test_directions_are_lifted_only_where_that_is_clearly_better(size: float, lifted: bool) -> None:
    """A signal that any penalty finds, if not equally well, and one in a direction too small."""
    generator = torch.Generator().manual_seed(0)
    label, rows = torch.arange(600) % 2, torch.arange(600)
    sign = (2.0 * label - 1)[:, None] + 0.1 * torch.randn(600, 1, generator=generator)
    h = torch.cat([torch.randn(600, 1, generator=generator), size * sign], dim=1)
    folds = [Split(train=rows[rows % 3 != k], test=rows[rows % 3 == k]) for k in range(3)]
    found = _classified(h, label, folds)
    white, equal = (
        np.sum([_losses(h, label, fold, own=own) for fold in folds], axis=0).min()
        for own in (True, False)
    )
    assert white < equal
    assert (found.penalty[0] != found.penalty[1]).item() is lifted


def _classified(h: Tensor, label: Tensor, folds: list[Split]) -> Classifier:
    rows, features = torch.arange(len(h)), CompressedFeatures.of(h)
    everyone = Split(train=rows, test=rows[:0])
    statistics = features.statistics(torch.zeros(len(h), 0).double(), splits=[everyone, *folds])
    (x,), size = principal_coordinates(features, statistics.train(0), rows)
    (found,) = classify(
        x,
        size,
        label[None],
        classes=label.max()[None] + 1,
        folds=folds,
        of_folds=of_each_fold(features, statistics, rows),
    )
    return found


def _losses(h: Tensor, label: Tensor, fold: Split, *, own: bool) -> np.ndarray:
    """Of one fold by scikit-learn, along its axes: at their own sizes, or at the largest one."""
    x, y = h.double().numpy(), label.numpy()
    pca = PCA().fit(x[fold.train])
    size = np.sqrt(pca.explained_variance_)
    x = pca.transform(x) / (size if own else size[0])
    found = []
    for penalty in PENALTIES:
        model = LogisticRegression(C=1 / (penalty * len(fold.train)), tol=1e-8, max_iter=2000)
        logits = model.fit(x[fold.train], y[fold.train]).decision_function(x[fold.test])
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        own_class = log_softmax(logits, axis=1)[np.arange(len(logits)), y[fold.test]]
        found.append(-own_class.sum())
    return np.array(found)
