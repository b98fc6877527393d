"""Classes from a regression on their indicators: y^ = A'h + b, class = argmin_c |y^ - M_c|_S.

M_c is the mean of y^ over class c and S the covariance of y^ within classes, so with A from
least squares this is linear discriminant analysis with equal priors, and with A from ridge its
penalised form (Hastie, Buja and Tibshirani, *Penalized discriminant analysis*, 1995). All of it
follows from additive statistics (`moments`): no pass over the data, however many there are. The
bare argmax of y^ would hide a class that lies between two others. y is (n, classes), one 1 a row.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from identikit.probing.moments import Moments

FLOOR = 1e-9
"""Least variance within classes, as a share of the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discriminant:
    """Where the classes lie among the predicted indicators."""

    mean: Float[Tensor, "classes classes"]
    """Of the predictions for each class."""
    whiten: Float[Tensor, "classes classes"]
    """Makes their covariance within classes the identity."""
    present: Bool[Tensor, " classes"]
    """Which classes the statistics have; the others are never named."""

    def named(self, prediction: Float[Tensor, "n classes"]) -> Int[Tensor, " n"]:
        """The class whose mean is nearest, on the CPU."""
        own = prediction.to(self.mean) @ self.whiten
        distance = torch.cdist(own, self.mean @ self.whiten)
        return distance.masked_fill(~self.present, torch.inf).argmin(dim=1).cpu()

    def margin(self, prediction: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Of two classes: how much nearer the second is, as squared distances, on the CPU."""
        first, second = self.mean @ self.whiten
        own = prediction.to(self.mean) @ self.whiten - (first + second) / 2
        nearer: Tensor = 2 * own @ (second - first)
        return nearer.cpu()


def discriminant(
    moments: Moments,
    coefficient: Float[Tensor, "d classes"],
    intercept: Float[Tensor, " classes"],
    *,
    columns: slice,
) -> Discriminant:
    """The classes behind a regression.

    Args:
        moments: Of the rows that were fitted on.
        coefficient: A.
        intercept: b.
        columns: Where the indicators stand among the targets of the statistics.
    """
    share = moments.mean_y[columns]
    present = share > 0
    count = (moments.n * share).clamp(min=1e-300)
    centre = moments.hy[:, columns].T / count[:, None]  # class mean of h, less the mean of all
    centre = torch.where(present[:, None], centre, 0.0) @ coefficient
    whole = coefficient.T @ moments.hh @ coefficient
    within = whole - (centre * count[:, None]).T @ centre
    values, vectors = torch.linalg.eigh(within / moments.n)
    floor = FLOOR * (whole.trace() / moments.n).clamp(min=torch.finfo(torch.float64).tiny)
    return Discriminant(
        mean=centre + moments.mean_h @ coefficient + intercept,
        whiten=vectors / torch.maximum(values, floor).sqrt(),
        present=present,
    )
