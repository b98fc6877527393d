"""The default score of each kind of factor, with its name and its chance: what every study reads.

continuous   R²                   of the values predicted
circular     R², pooled           of cosine and sine predicted
ordinal      Spearman             of the rank predicted
categorical  balanced accuracy    of the level named
binary       AUC                  of a score that rises with the second level

What a paper's own procedure scores stands with its study, as `published`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from identikit.core.factors import Kind
from identikit.statistics import measures
from identikit.statistics.bootstrap import Statistic


@dataclass(frozen=True, slots=True)
class Measure:
    """A score of held-out samples."""

    name: str
    of: Callable[[Tensor, Tensor], Statistic]
    """From what a probe says of them and the truth: columns (n, k) of regressions, (n,) for
    levels."""
    chance: Callable[[int], float] = lambda levels: 0.0
    """What guessing reaches, by the number of levels."""


def _spearman(prediction: Tensor, target: Tensor) -> Statistic:
    return measures.spearman(prediction[:, 0], target[:, 0])


MEASURES: Mapping[Kind, Measure] = {
    Kind.CONTINUOUS: Measure("R²", measures.r2),
    Kind.CIRCULAR: Measure("circular R²", partial(measures.r2, pooled=True)),
    Kind.ORDINAL: Measure("Spearman", _spearman),
    Kind.CATEGORICAL: Measure(
        "balanced accuracy", measures.balanced_accuracy, lambda levels: 1 / levels
    ),
    Kind.BINARY: Measure("AUC", measures.auc, lambda levels: 0.5),
}
