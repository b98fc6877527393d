"""Intervals of similarities in constant memory: resampled bags of rows.

All held-out scores are ratios of sums over rows. Rows (or groups) are laid into at most 500 bags,
each bag's sums are kept, and bags are resampled; with as many bags as groups that is the usual
bootstrap, with fewer its width is known to 3 %. Maps and directions stay as they were fitted.
Intervals are those of all scores (`statistics.intervals`), which hold their estimate.

CKA fits nothing and is resampled over all rows by its linearisation,

    H(w) = H + 2 (mean_w g - mean g),   g_i = (a_i' C_ab b_i - |a_i|² |b_i|²) / (n - 1),

since repeated rows would break the unbiased estimator; a row's own product is left out of its g.
Where nothing is shared the remainder is not small, and this variance is twice the true one: those
intervals are too wide rather than too narrow.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.linalg import Procrustes
from identikit.core.randomness import stream
from identikit.similarity.paired import PairedRows, PairMoments
from identikit.similarity.scores import (
    Canonical,
    Pair,
    Products,
    Space,
    biased_cka,
    canonical,
    cka,
    correlations,
    explained,
    explained_by_turning,
    linear_map,
    scaled_rotation,
    unbiased_hsic,
)
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.intervals import CORRELATION, SCORE
from identikit.statistics.split import Split

MOST_BAGS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Everything fitted between two spaces, on the training rows."""

    a: Space
    b: Space
    penalties: tuple[float, float]
    """Of the linear maps, from a to b and back."""
    linear: tuple[Float[Tensor, "p q"], Float[Tensor, "q p"]]
    turned: tuple[Procrustes, Procrustes]
    cca: Canonical | None
    svcca: Canonical | None

    @classmethod
    def of(
        cls, moments: PairMoments, a: Space, b: Space, *, penalties: tuple[float, float]
    ) -> "Fit":
        """Fit the maps and directions."""
        train = moments.train.within(a, b)
        back = train.turned()
        return cls(
            a=a,
            b=b,
            penalties=penalties,
            linear=(
                linear_map(train, a, penalty=penalties[0]),
                linear_map(back, b, penalty=penalties[1]),
            ),
            turned=(scaled_rotation(train), scaled_rotation(back)),
            cca=canonical(train, a.whiten, b.whiten),
            svcca=canonical(train, a.whiten_top, b.whiten_top),
        )

    def values(self, moments: PairMoments, products: Products) -> dict[str, float]:
        """Every score, from statistics alone."""
        train, test, total = (
            pair.within(self.a, self.b) for pair in (moments.train, moments.test, moments.total)
        )
        found: dict[str, float] = {}
        for way, pairs, k, target in (
            ("ab", (train, test), 0, self.b),
            ("ba", (train.turned(), test.turned()), 1, self.a),
        ):
            linear = explained(*pairs, self.linear[k], target=target)
            found[f"r2_{way}"], found[f"r2_mean_{way}"] = linear
            found[f"procrustes_{way}"] = explained_by_turning(*pairs, self.turned[k])
        for name, pair in (("cca", self.cca), ("svcca", self.svcca)):
            if pair is not None:
                found[name] = pair.held_out(test).mean().item()
        found["cka"] = cka(unbiased_hsic(total, products)).item()
        found["cka_biased"] = biased_cka(total)
        return found


@dataclass(slots=True, kw_only=True)
class SpaceSums:
    """Running sums of one pair of spaces, by bag."""

    ways: tuple[Float[Tensor, "bags cols_b"], Float[Tensor, "bags cols_a"]]
    """To b and to a, held-out rows: t, t² and squared error of the linear map for each own
    dimension, squared error of the rotation for all together; t less its training mean."""
    variates: tuple[Float[Tensor, "bags cols"], Float[Tensor, "bags cols_top"]]
    """Of held-out rows: x, y, x², y² and xy of each canonical pair; of CCA and of SVCCA."""
    slopes: Float[Tensor, "bags_all 3"]
    """g of (a, a), (a, b) and (b, b), all rows."""
    squares: Float[Tensor, "n 2"]
    """|a|² and |b|² of each row, centred."""

    def products(self, order: Int[Tensor, " n"] | None = None) -> Products:
        """Sums of products of squares, with b's in another order if given."""
        a, b = self.squares.unbind(dim=1)
        other = b if order is None else b[order]
        return Products(aa=(a @ a).item(), ab=(a @ other).item(), bb=(b @ b).item())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the second pass keeps."""

    tested: Float[Tensor, " bags"]
    """Held-out rows of each bag."""
    rows: Float[Tensor, " bags_all"]
    """Rows of each bag of all rows."""
    spaces: list[SpaceSums]
    norms: tuple[tuple[float, float], tuple[float, float]]
    """Least and greatest norm of the rows of A and of B, not centred."""

    @classmethod
    def of(
        cls,
        rows: PairedRows,
        moments: PairMoments,
        fits: list[Fit],
        *,
        split: Split,
        group: Int[Tensor, " n"],
        seed: int,
    ) -> "Sums":
        """One pass over the rows."""
        test_bag = torch.full((len(rows),), -1)
        test_bag[split.test] = _bags(group[split.test], seed)
        bag = _bags(group, seed)
        spaces = [
            _empty(fit, int(test_bag.max()) + 1, int(bag.max()) + 1, len(rows)) for fit in fits
        ]
        crosses = [moments.total.within(fit.a, fit.b) for fit in fits]
        low, high = torch.full((2,), torch.inf), torch.zeros(2)
        for which, a, b in rows.blocks():
            norms = torch.stack([a.norm(dim=1), b.norm(dim=1)]).float()
            low, high = torch.minimum(low, norms.amin(1)), torch.maximum(high, norms.amax(1))
            held = (test_bag[which] >= 0).nonzero().flatten()
            tested = (a[held] - moments.train.mean_a, b[held] - moments.train.mean_b)
            a, b = a - moments.total.mean_a, b - moments.total.mean_b
            for fit, own, cross in zip(fits, spaces, crosses, strict=True):
                _add_tested(own, fit, *tested, test_bag[which][held])
                x, y = fit.a.inner(a), fit.b.inner(b)
                own.squares[which] = torch.stack([x.square().sum(1), y.square().sum(1)], dim=1)
                slopes = _slopes(cross, x, y, own.squares[which])
                own.slopes.index_add_(0, bag[which], slopes)
        return cls(
            tested=torch.bincount(test_bag[split.test]).double(),
            rows=torch.bincount(bag).double(),
            spaces=spaces,
            norms=((low[0].item(), high[0].item()), (low[1].item(), high[1].item())),
        )


def _bags(group: Tensor, seed: int) -> Tensor:
    """The bag of each row: its group's own, or a random one where groups are many."""
    names, index = torch.unique(group, return_inverse=True)
    bag: Tensor = index
    if len(names) > MOST_BAGS:
        bag = torch.randperm(len(names), generator=stream(seed, "bags"))[index] % MOST_BAGS
    return bag


def _empty(fit: Fit, bags: int, bags_all: int, n: int) -> SpaceSums:
    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64)

    pairs = [0 if pair is None else len(pair.fitted) for pair in (fit.cca, fit.svcca)]
    return SpaceSums(
        ways=(zeros(bags, 3 * len(fit.b.alive) + 1), zeros(bags, 3 * len(fit.a.alive) + 1)),
        variates=(zeros(bags, 5 * pairs[0]), zeros(bags, 5 * pairs[1])),
        slopes=zeros(bags_all, 3),
        squares=zeros(n, 2),
    )


def _add_tested(sums: SpaceSums, fit: Fit, a: Tensor, b: Tensor, bag: Tensor) -> None:
    """Add held-out rows, less the means of the training rows."""
    x, y = fit.a.inner(a), fit.b.inner(b)
    for k, (source, goal, space) in enumerate(((x, y, fit.b), (y, x, fit.a))):
        t = space.outer(goal)
        error = t - space.outer(source @ fit.linear[k])
        turn = fit.turned[k]
        inner = (goal * (source @ turn.rotation)).sum(dim=1)
        size, other = goal.square().sum(dim=1), source.square().sum(dim=1)
        off = (size - 2 * turn.scale * inner + turn.scale**2 * other)[:, None]
        _add(sums.ways[k], bag, t, t.square(), error.square(), off)
    for k, pair in enumerate((fit.cca, fit.svcca)):
        if pair is not None:
            u, v = x @ pair.a, y @ pair.b
            _add(sums.variates[k], bag, u, v, u.square(), v.square(), u * v)


def _add(sums: Tensor, bag: Tensor, *parts: Tensor) -> None:
    """Add rows to their bags, parts side by side."""
    for columns, part in zip(
        torch.split(sums, [part.shape[1] for part in parts], dim=1), parts, strict=True
    ):
        columns.index_add_(0, bag, part)


def _slopes(total: Pair, x: Tensor, y: Tensor, squares: Tensor) -> Tensor:
    """G of each row for (a, a), (a, b) and (b, b)."""
    inner = [
        ((x @ total.aa) * x).sum(dim=1) - squares[:, 0].square(),
        ((x @ total.ab) * y).sum(dim=1) - squares.prod(dim=1),
        ((y @ total.bb) * y).sum(dim=1) - squares[:, 1].square(),
    ]
    return torch.stack(inner, dim=1) / (total.n - 1)


def resampled(
    sums: Sums, moments: PairMoments, fits: list[Fit], *, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """For each pair of spaces an estimate of every score, and under `canonical` a list of them."""
    held_out = Bootstrap(
        torch.arange(len(sums.tested)), resamples=resamples, generator=stream(seed, "bootstrap")
    )
    everyone = Bootstrap(
        torch.arange(len(sums.rows)), resamples=resamples, generator=stream(seed, "all rows")
    )
    found = []
    for fit, own in zip(fits, sums.spaces, strict=True):
        estimates: dict[str, Any] = {}
        for k, (way, space) in enumerate((("ab", fit.b), ("ba", fit.a))):
            ratios = _explained(own.ways[k], sums.tested, space)
            names = (f"r2_{way}", f"r2_mean_{way}", f"procrustes_{way}")
            estimates |= zip(names, held_out.estimates(ratios), strict=True)
        for k, (name, pair) in enumerate((("cca", fit.cca), ("svcca", fit.svcca))):
            if pair is not None:
                mean, *each = held_out.estimates(_correlations(own.variates[k], sums.tested))
                estimates[name] = mean
                if name == "cca":
                    estimates["canonical"] = each
        total = moments.total.within(fit.a, fit.b)
        hsic = unbiased_hsic(total, own.products())
        moved = _linearised_cka(hsic, own.slopes, sums.rows)
        (estimates["cka"],) = everyone.estimates(moved)
        biased = biased_cka(total)
        estimates["cka_biased"] = Estimate(biased, biased, biased)
        found.append(estimates)
    return found


def _explained(sums: Tensor, counts: Tensor, space: Space) -> Statistic:
    """R² of the linear map, its mean over dimensions, and R² of the rotation."""
    d = len(space.alive)

    def statistic(weights: Tensor) -> Tensor:
        n = (weights @ counts)[:, None]
        t, square, error, off = torch.split(weights @ sums / n, [d, d, d, 1], dim=1)
        spread = square - t.square()
        varies = space.alive & (spread > 0)
        each = torch.where(varies, 1 - error / spread.where(varies, 1.0), torch.nan)
        total = spread.sum(dim=1)
        return torch.stack(
            [1 - error.sum(dim=1) / total, each.nanmean(dim=1), 1 - off[:, 0] / total], dim=1
        )

    return Statistic(statistic, SCORE)


def _correlations(sums: Tensor, counts: Tensor) -> Statistic:
    """The mean canonical correlation, then each."""

    def statistic(weights: Tensor) -> Tensor:
        n = (weights @ counts)[:, None]
        x, y, xx, yy, xy = (weights @ sums / n).chunk(5, dim=1)
        each = correlations(xx - x.square(), xy - x * y, yy - y.square())
        return torch.cat([each.mean(dim=1, keepdim=True), each], dim=1)

    return Statistic(statistic, CORRELATION)


def _linearised_cka(hsic: Tensor, slopes: Tensor, counts: Tensor) -> Statistic:
    mean = slopes.sum(dim=0) / counts.sum()

    def statistic(weights: Tensor) -> Tensor:
        moved = weights @ slopes / (weights @ counts)[:, None] - mean
        return cka(hsic + 2 * moved)[:, None]

    return Statistic(statistic, SCORE)
