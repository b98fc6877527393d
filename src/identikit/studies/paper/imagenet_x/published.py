"""The linear probe of the paper's code, as published, to stand beside the corrected one.

Source: github.com/klindtlab/csi, imagenetx/decode.py and plotting.py (arXiv:2410.21869, figure 3).
Features whose mean is not above 0 are dropped and the others standardised over all images; ten
times a stratified 70/30 split, both parts balanced, scikit-learn's logistic regression as it comes
(C = 1, at most 100 iterations); the mean accuracy, its standard error over the ten, a t-test
against 1/2 that takes them for independent. What is different here: seeds name the splits by
target, so that all representations and both procedures see the same ones, and features that do not
vary, which would stop that code, are dropped. h is (n, d).
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from identikit.studies.paper.imagenet_x.linear_probes import Procedure
from identikit.studies.paper.imagenet_x.splits import BalancedSplit, plain_p


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTargetProbe:
    """One target out of one set of features, as the paper's figure shows it."""

    scores: tuple[tuple[float | None, ...], ...]
    """Of each repetition, the seven of `SCORES`; correlation is None (the paper's NaN)
    where a classifier names one level only, and the precision-recall curve has straight lines
    between its points."""
    accuracy: float
    """Mean over the repetitions."""
    standard_error: float
    """Of the accuracy, over the repetitions."""
    p_value: float
    n_test: int
    dropped: int
    """Features, of all."""
    unconverged: int
    """Repetitions in which 100 iterations were too few."""


def published_probe_targets(
    h: Float[Tensor, "n d"],
    targets: Mapping[str, Bool[Tensor, " n"]],
    *,
    procedure: Procedure,
    on_target: Callable[[str], None] | None = None,
) -> dict[str, PublishedTargetProbe]:
    """Read every target out of h.

    Args:
        h: Features.
        targets: What to read out.
        procedure: Repetitions, share held out and seed; the rest is as published.
        on_target: Told of each target that is done.

    Raises:
        InputError: a target that too few images show, or lack.
    """
    x = h.float().numpy()
    kept = (x.mean(axis=0) > 0) & (x.std(axis=0) > 0)
    x = x[:, kept] - x[:, kept].mean(axis=0, keepdims=True)
    x /= x.std(axis=0, keepdims=True)
    found = {}
    for name, present in targets.items():
        splits = procedure.splits(name, present)
        fits = [_fit(x, present.numpy(), split) for split in splits]
        accuracy = torch.tensor([scores[0] for scores, _ in fits], dtype=torch.float64)
        found[name] = PublishedTargetProbe(
            scores=tuple(scores for scores, _ in fits),
            accuracy=accuracy.mean().item(),
            standard_error=accuracy.std(correction=0).item() / len(fits) ** 0.5,
            p_value=plain_p(accuracy, chance=0.5),
            n_test=len(splits[0].test),
            dropped=int((~kept).sum()),
            unconverged=sum(stopped for _, stopped in fits),
        )
        if on_target is not None:
            on_target(name)
    return found


def _fit(
    x: NDArray[np.float32], y: NDArray[np.bool_], split: BalancedSplit
) -> tuple[tuple[float | None, ...], bool]:
    """Scores on the test part, and whether iterations ran out."""
    train, test = split.train.numpy(), split.test.numpy()
    model = LogisticRegression()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x[train], y[train])
    stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    named, share, truth = model.predict(x[test]), model.predict_proba(x[test])[:, 1], y[test]
    precision, recall, _ = metrics.precision_recall_curve(truth, share)
    several = len(np.unique(named)) > 1
    return (
        float(np.mean(named == truth)),
        float(np.corrcoef(named, truth)[0, 1]) if several else None,
        float(metrics.precision_score(truth, named, zero_division=0.0)),
        float(metrics.recall_score(truth, named)),
        float(metrics.f1_score(truth, named)),
        float(metrics.roc_auc_score(truth, share)),
        float(metrics.auc(recall, precision)),
    ), stopped
