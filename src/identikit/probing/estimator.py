"""The linear probe of one factor as a scikit-learn estimator, and its kind's score as a scorer.

The maps are those of `linear_probes`: least squares or ridge (`regression`), or logistic regression
in principal coordinates (`classifier`), with penalties chosen on folds of the rows that are fitted.
X is (n, d), y is (n); rows are samples.
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import ClassifierTags, RegressorTags, Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Kind
from identikit.features.columns import as_labels
from identikit.features.inputs import as_factors, as_features, parse_kind
from identikit.probing import linear
from identikit.probing.classifier import classify, of_each_fold
from identikit.probing.linear_probes import CLASSES, targets
from identikit.probing.regression import CompressedFeatures, fit_each
from identikit.statistics import measures
from identikit.statistics.split import Split, training_folds


def _classifies(probe: "LinearProbe") -> bool:
    return parse_kind("y", probe.kind)[0] in CLASSES


class LinearProbe(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Linear probe of one factor: a regressor, or of categorical and binary factors a classifier.

    After `fit`, `h @ coef_ + intercept_` are the factor's value, the cosine and sine of its angle,
    the rank of its level among `classes_`, or the gain of each of `classes_` over its share.

    Args:
        kind: Of the factor, in the words of `identikit.score`: "continuous", "ordinal",
            "categorical", "binary", `circular(360)`, `ordinal("low", "high")`.
        random_state: Names the folds on which penalties are chosen.
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    classes_: NDArray[Any]

    def __init__(self, kind: Any = "continuous", *, random_state: Any = 0) -> None:
        # scikit-learn wants all values stored as they come; `fit` looks at them
        self.kind = kind
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> "LinearProbe":
        """Choose the penalty on five folds of the rows, then fit to all of them.

        Args:
            X: Features.
            y: The factor.
            groups: Labels of the rows; those of a group are left out of the folds together.

        Raises:
            InputError: a factor that does not vary, or values that its kind does not have.
        """
        kind, period, order = parse_kind("y", self.kind)
        X, y = validate_data(self, X, y, y_numeric=kind not in CLASSES and not order)
        if len(X) < 2:
            raise InputError("n_samples = 1 is too few to fit a linear probe; give 2 or more.")
        if kind in CLASSES:
            check_classification_targets(y)
        if kind in CLASSES or kind is Kind.ORDINAL:
            self.classes_ = np.array(order) if order else np.unique(y)
        h, rows = as_features(X, name="X"), torch.arange(len(X))
        group = rows if groups is None else as_labels(groups, name="groups", n=len(X))
        folds = training_folds(group, seed=self.random_state)
        splits = [Split(train=rows, test=rows[:0]), *folds]
        features = CompressedFeatures.of(h)
        if kind in CLASSES:
            a, b = self._classified(features, np.searchsorted(self.classes_, y), splits)
        else:
            statistics = features.statistics(targets(self._factor(y)), splits=splits)
            (fit,) = fit_each(statistics, widths=[1 if period is None else 2])
            a, b = fit.coefficient, fit.intercept
        self.coef_ = features.map_of(a).numpy()
        self.intercept_ = features.intercept_of(a, b).numpy()
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The factor of rows: a number, an angle, a level or its nearest level."""
        found, (kind, period, _) = self._images(X), parse_kind("y", self.kind)
        if kind is Kind.CIRCULAR:
            angle = torch.atan2(found[:, 1], found[:, 0]) % math.tau
            return (angle * (period or math.tau) / math.tau).numpy()
        if kind is Kind.CONTINUOUS:
            return found[:, 0].numpy()
        level = found.argmax(dim=1) if kind in CLASSES else found[:, 0].round().long()
        levels: NDArray[Any] = self.classes_[level.clamp(min=0, max=len(self.classes_) - 1).numpy()]
        return levels

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Log p(c|h) / p(c) of every level; of two levels the second's less the first's."""
        found = self._images(X)
        found = found[:, 1] - found[:, 0] if found.shape[1] == 2 else found
        return found.numpy()

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of every level, were they all equally frequent."""
        return self._images(X).softmax(dim=1).numpy()

    def score(self, X: Any, y: Any) -> float:
        """R², circular R², Spearman, AUC or balanced accuracy: as in `identikit.score`."""
        found, kind = self._images(X), parse_kind("y", self.kind)[0]
        if kind is Kind.BINARY:
            positive = torch.as_tensor(np.asarray(y) == self.classes_[1]).long()
            statistic = measures.auc(found[:, 1] - found[:, 0], positive)
        elif kind is Kind.CATEGORICAL:
            level = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
            level[self.classes_[level] != np.asarray(y)] = len(self.classes_)  # never named
            statistic = measures.balanced_accuracy(found.argmax(dim=1), torch.as_tensor(level))
        elif kind is Kind.ORDINAL:
            statistic = measures.spearman(found[:, 0], self._factor(y).values)
        else:
            statistic = measures.r2(found, targets(self._factor(y)), pooled=True)
        return statistic(torch.ones(1, len(found), dtype=torch.float64)).item()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        kind = parse_kind("y", self.kind)[0]
        if kind in CLASSES:
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_class=kind is Kind.CATEGORICAL)
        else:
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags(poor_score=kind is Kind.CIRCULAR)
        return tags

    def _factor(self, y: Any) -> Factor:
        return as_factors({"y": np.asarray(y).ravel()}, kinds={"y": self.kind})["y"]

    def _images(self, X: Any) -> Float[Tensor, "n k"]:
        check_is_fitted(self)
        h = as_features(validate_data(self, X, reset=False), name="X")
        return h.double() @ torch.from_numpy(self.coef_) + torch.from_numpy(self.intercept_)

    def _classified(
        self, features: CompressedFeatures, level: NDArray[Any], splits: list[Split]
    ) -> tuple[Tensor, Tensor]:
        """The affine map to each level's gain over its share."""
        if len(self.classes_) < 2:
            raise InputError("y has one class only, so nothing can be read out. Leave it out.")
        if self.kind == Kind.BINARY and len(self.classes_) > 2:
            raise InputError(
                "Only binary classification is supported by kind 'binary'; y has "
                f"{len(self.classes_)} levels. Call it categorical."
            )
        nothing = torch.zeros(len(level), 0, dtype=torch.float64)
        statistics = features.statistics(nothing, splits=splits)
        train = statistics.train(0)
        scale = linear.units(train)
        axes = linear.principal_axes(train.scaled(scale))
        if not len(axes.size):  # nothing varies
            nought = torch.zeros(1 + features.h.shape[1], len(self.classes_)).double()
            return nought[1:], nought[0]
        unit = axes.size[0]
        x = (axes.coordinates(features.h * scale) / unit).to(features.dtype)
        (fit,) = classify(
            x,
            axes.size / unit,
            torch.as_tensor(level)[None],
            classes=torch.tensor([len(self.classes_)]),
            folds=splits[1:],
            of_folds=of_each_fold(features, statistics, torch.arange(len(level))),
        )
        a = axes.axes @ fit.weight.double() / unit
        return scale[:, None] * a, fit.bias.double() - fit.log_share - axes.mean @ a


def probe_score(estimator: Any, X: Any, y: Any) -> float:
    """Scorer for `cross_validate` and its like: the score of a factor's kind.

    That is a `LinearProbe`'s own score, also at the end of a pipeline. Of any other estimator it is
    the same measure, to stand beside: AUC of two classes, balanced accuracy of more, else R².
    """
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if isinstance(last, LinearProbe):
        return float(estimator.score(X, y))
    name = "r2"
    if is_classifier(estimator):
        name = "roc_auc" if len(estimator.classes_) == 2 else "balanced_accuracy"
    return float(get_scorer(name)(estimator, X, y))
