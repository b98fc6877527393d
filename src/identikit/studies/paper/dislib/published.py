"""The paper's score of a factor, to stand beside the default of its kind.

Source: arXiv:2410.21869, table 4, and its code (github.com/klindtlab/csi, dislib/main.py): least
squares from h to the columns of every factor, Pearson's r, mean over a factor's columns. What is
different here: the map has a constant and the relative cut-off of `core.linalg`, r is that of test
images, circles are cosine and sine, nominal factors indicators (`benchmarks/dislib_flaws.py` puts
each flaw back). h is (n, d), targets are (n, columns).
"""

from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import LeastSquares
from identikit.probing import linear
from identikit.probing.moments import FoldMoments
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap


def published_map(statistics: FoldMoments) -> LeastSquares:
    """The map from h to all columns, fitted to the training part."""
    return linear.least_squares_from_moments(statistics.train(0))


def published_scores(
    prediction: Float[Tensor, "n columns"],
    target: Float[Tensor, "n columns"],
    *,
    columns: list[slice],
    bootstrap: Bootstrap,
) -> list[float]:
    """Pearson's r of each factor's columns over test images, their mean."""
    r = bootstrap.value(measures.correlation(prediction, target))
    return [r[own].mean().item() for own in columns]
