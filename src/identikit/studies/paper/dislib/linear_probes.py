"""Every factor from h by linear maps, the paper's way and ours, from one pass and one more.

Targets are the values of a factor, cosine and sine on a circle, indicators of nominal levels. The
first pass gathers additive statistics (`moments`) of the training and the validation part, from
which all maps follow; the second predicts for the test part.

    paper   least squares with a constant                Pearson's r (`published`)
    ours    ridge where it does better on validation,    the default of the factor's kind
            levels by its `discriminant`                 (`default_measures`)

Ours is repeated for the covered part of h, B'h with B a basis of the centred head's rows
(`coverage`), and for the rest; their statistics are those of h, multiplied by B on both sides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.factors import Kind
from identikit.probing.default_measures import MEASURES
from identikit.probing.discriminant import Discriminant, discriminant
from identikit.probing.linear_probes import CLASSES
from identikit.probing.linear_probes import targets as targets_of
from identikit.probing.moments import FoldMoments, PartMoments
from identikit.probing.regression import doubts_of, fit_each
from identikit.probing.result import OK, FactorScore
from identikit.statistics.bootstrap import Bootstrap, Resampled, Statistic
from identikit.studies.paper.dislib.pictures import Seen
from identikit.studies.paper.dislib.published import published_map, published_scores
from identikit.theory.coverage import Coverage
from identikit.worlds.grids.grid import Grid, GridFactor

PAPER = "paper"
OURS = "h"


@dataclass(frozen=True, slots=True)
class Targets:
    """What is regressed for each factor, by its level."""

    axes: tuple[GridFactor, ...]
    tables: tuple[Float[Tensor, "_ _"], ...]

    @classmethod
    def of(cls, grid: Grid) -> "Targets":
        """Values, cosine and sine, or indicators."""
        return cls(grid.axes, tuple(_table(factor) for factor in grid.axes))

    @property
    def widths(self) -> list[int]:
        """Columns of each factor."""
        return [table.shape[1] for table in self.tables]

    @property
    def columns(self) -> list[slice]:
        """Where the columns of each factor stand."""
        ends = torch.tensor(self.widths).cumsum(0).tolist()
        return [slice(end - width, end) for end, width in zip(ends, self.widths, strict=True)]

    def at(self, index: Int[Tensor, "n factors"]) -> Float[Tensor, "n columns"]:
        """The columns of samples with these levels."""
        columns = [table[level] for table, level in zip(self.tables, index.T, strict=True)]
        return torch.cat(columns, dim=1)


def _table(factor: GridFactor) -> Tensor:
    if factor.kind in CLASSES:
        return torch.eye(factor.size, dtype=torch.float64)
    return targets_of(factor.at(torch.arange(factor.size)))


@dataclass(frozen=True, slots=True)
class Maps:
    """All linear maps from h, side by side."""

    coefficient: Float[Tensor, "d_h maps_columns"]
    intercept: Float[Tensor, " maps_columns"]
    names: tuple[str, ...]
    """Of the groups of columns: the paper's, ours, ours of the covered part and of the rest."""
    discriminants: dict[tuple[str, int], Discriminant]
    """For each group but the paper's, and each nominal factor by its position."""
    rank: int
    """Directions of the training features above the cut-off."""
    status: str


def gather(seen: Seen, targets: Targets) -> FoldMoments:
    """Statistics of the training part, and of the validation part as its one fold."""
    pictures = seen.pictures
    moments = PartMoments.empty(
        parts=2, d=seen.encoder.dim, k=sum(targets.widths), device=pictures.device
    )
    for part, places in enumerate(pictures.parts[:2]):
        for block, h in seen.blocks(places):
            y = targets.at(pictures.index[block]).to(pictures.device)
            moments.add(h, y, part=torch.full((len(block),), part))
    train = torch.tensor([[True, False]] * 2)
    return FoldMoments(moments=moments, training=train, testing=~train)


def fit_maps(statistics: FoldMoments, targets: Targets, *, coverage: Coverage | None) -> Maps:
    """The paper's map, ours, and ours of what a head covers and of the rest, if there is one."""
    plain = published_map(statistics)
    coefficients, intercepts, names = [plain.coefficient], [plain.intercept], [PAPER]
    discriminants: dict[tuple[str, int], Discriminant] = {}
    for name, basis in _bases(coverage):
        own = statistics if basis is None else statistics.projected(basis)
        fits = fit_each(own, widths=targets.widths)
        for j, (factor, fit) in enumerate(zip(targets.axes, fits, strict=True)):
            if factor.kind in CLASSES:
                discriminants[name, j] = discriminant(
                    own.train(0), fit.coefficient, fit.intercept, columns=targets.columns[j]
                )
        coefficient = torch.cat([fit.coefficient for fit in fits], dim=1)
        coefficients.append(coefficient if basis is None else basis.to(coefficient) @ coefficient)
        intercepts.append(torch.cat([fit.intercept for fit in fits]))
        names.append(name)
    return Maps(
        torch.cat(coefficients, dim=1),
        torch.cat(intercepts),
        tuple(names),
        discriminants,
        plain.rank,
        doubts_of(plain, n=statistics.train(0).n) or OK,
    )


def _bases(coverage: Coverage | None) -> Iterator[tuple[str, Tensor | None]]:
    yield OURS, None
    if coverage is not None:
        yield "head row space", coverage.basis
        if coverage.complement_basis.shape[1]:
            yield "complement", coverage.complement_basis


def predict(seen: Seen, maps: Maps) -> Float[Tensor, "n_test maps_columns"]:
    """What all maps say of the test part."""
    a, b = maps.coefficient.to(seen.pictures.device), maps.intercept.to(seen.pictures.device)
    blocks = seen.blocks(seen.pictures.parts[2])
    return torch.cat([(h.double() @ a + b).cpu() for _, h in blocks])


@dataclass(frozen=True, slots=True)
class FactorProbes:
    """Every factor from one encoder."""

    scores: tuple[FactorScore, ...]
    resampled: tuple[Resampled, ...]
    """Behind each score, for differences over the same test images."""
    rank: int
    """Directions of the training features above the cut-off."""

    def above(self, control: "FactorProbes", name: str) -> "FactorProbes":
        """The same with each score less that of a control, paired by test image.

        Args:
            control: Read out of the same images, over the same resamples.
            name: What the control is called.
        """
        pairs = zip(self.scores, self.resampled, control.resampled, strict=True)
        scores = tuple(
            replace(score, above={name: (own - other).estimates()[0]})
            for score, own, other in pairs
        )
        return replace(self, scores=scores)


def probe_factors(
    seen: Seen, targets: Targets, *, coverage: Coverage | None, bootstrap: Bootstrap
) -> FactorProbes:
    """Score every factor, with Pearson's r of the paper's protocol among the extras."""
    maps = fit_maps(gather(seen, targets), targets, coverage=coverage)
    index = seen.pictures.index[seen.pictures.parts[2]]
    target = targets.at(index)
    whole = torch.split(predict(seen, maps), target.shape[1], dim=1)
    predictions = dict(zip(maps.names, whole, strict=True))
    r = published_scores(
        predictions.pop(PAPER), target, columns=targets.columns, bootstrap=bootstrap
    )
    scores, resampled = [], []
    for j, (factor, own) in enumerate(zip(targets.axes, targets.columns, strict=True)):
        asked = {
            name: _statistic(factor, p[:, own], target[:, own], maps.discriminants.get((name, j)))
            for name, p in predictions.items()
        }
        found = {name: bootstrap.resampled(statistic) for name, statistic in asked.items()}
        resampled.append(found[OURS])
        parts = {name: one.estimates()[0] for name, one in found.items()}
        scores.append(
            FactorScore(
                name=factor.name,
                kind=factor.kind,
                measure=MEASURES[factor.kind].name,
                estimate=parts[OURS],
                chance=MEASURES[factor.kind].chance(factor.size),
                row_space=parts.get("head row space"),
                complement=parts.get("complement"),
                extras={"r": r[j]},
                status=maps.status,
            )
        )
    return FactorProbes(tuple(scores), tuple(resampled), maps.rank)


def _statistic(
    factor: GridFactor, prediction: Tensor, target: Tensor, classes: Discriminant | None
) -> Statistic:
    measure = MEASURES[factor.kind]
    if classes is None:
        return measure.of(prediction, target)
    said = classes.margin if factor.kind is Kind.BINARY else classes.named
    return measure.of(said(prediction), target.argmax(dim=1))
