"""`unmix(h)`: a representation as independent components, or sparse codes, and what they are.

Whitening, rotation, order, signs and assignment are fitted on one part of the rows (`ica`); what
is determined (`planes`), correlations with factors and all controls are of the others. Chance is
that of factors whose rows are shuffled, assigned again; a random rotation of the same whitened
rows is what an arbitrary rotation scores.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, with_ends
from identikit.core.factors import Factors, Kind
from identikit.core.finding import LEVEL
from identikit.core.memory_mapped import projected
from identikit.core.randomness import random_rotation, stream
from identikit.core.representation import Representation
from identikit.features.columns import as_labels
from identikit.features.inputs import as_factors, as_features
from identikit.probing.regression import regress
from identikit.similarity.paired import shuffled_orders
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.measures import correlations, standardised
from identikit.statistics.permutation import PER_FACTOR, Pairing, Permutations, Units, holm
from identikit.statistics.split import Split, random_split, training_folds
from identikit.theory.coverage import head_row_space
from identikit.unmixing.axes import axis_scores
from identikit.unmixing.findings import arbitrary
from identikit.unmixing.ica import ITERATIONS, Unmixed, White, contrast, unmix_rows
from identikit.unmixing.planes import (
    Planes,
    contrast_signs,
    enough_samples,
    expected_correlation,
    pooled,
    random_correlations,
)
from identikit.unmixing.result import Unmixing
from identikit.unmixing.scores import HALF, Component, FactorComponent, Own
from identikit.unmixing.sparse import encoded, learn_dictionary

MOST = 64
"""Components, where no number is given."""
SHARE = 0.99
"""Of the variance that they hold, where no number is given: what training leaves in the others is
functions of the same factors, which ICA finds before the factors."""
FEW = 10
"""Rows to fit on for each component, below which the status says that they are few."""
SHUFFLES = 99
ROTATIONS = 20
DICTIONARIES = 3
FOUND_AGAIN = 0.9
"""Cosine of an atom with its match of every other start, from which it counts as determined."""
RESAMPLES = 1000
"""Behind the intervals of correlations."""
SURE = 4.0
"""Standard errors from which factors count as other than Gaussian, as dependent (by their
correlation or that of their squares), or, of several, as other than isotropic (mean curvature)."""
TOGETHER = 10.4
"""Samples in which two independent factors are expected to be above 0 together, from which to find
none is as improbable: levels of one word exclude each other."""


def unmix(
    h: Any,
    Z: Any = None,
    *,
    components: int | None = None,
    codes: int | None = None,
    head: Any = None,
    groups: Any = None,
    seed: int = 0,
    train_share: float = 0.5,
    starts: int = 5,
    resamples: int = 20,
) -> Unmixing:
    """Find independent components of a representation, and say which of them can be named.

    Args:
        h: Features (n, d), NumPy or torch, or a `Representation`.
        Z: Factors, as for `score`; numbers are taken as they are, and of words each level as 0
            and 1, where components suffice; others are left out and counted.
        components: How many; by default as many principal axes as hold 99 % of the variance, but
            no fewer than there are factors, and 64 at most.
        codes: Sparse codes by so many atoms instead, more than dimensions if you like, of h along
            these axes.
        head: Rows W (labels, d) of the classifier trained on h: only what it reads is unmixed.
        groups: Labels of samples that are held out, resampled and shuffled together.
        seed: Of the split, starts, resamples and shuffles.
        train_share: Share of samples, or of groups, to fit on.
        starts: Of ICA; the best one is kept.
        resamples: Of the rows, behind how surely a component comes out again.

    Raises:
        InputError: features, factors or numbers that cannot be used, with what would do.
    """
    if starts < 1 or resamples < 0:
        raise InputError(
            f"starts must be 1 or more and resamples 0 or more; got {starts} and {resamples}."
        )
    if isinstance(h, Representation):
        Z, head, h = (h.factors if Z is None else Z), (h.head if head is None else head), h.h
    h = as_features(h, name="h")
    basis = None
    if head is not None:
        rows = as_features(head, name="head")
        if rows.shape[1] != h.shape[1]:
            raise InputError(
                f"head must have one column per dimension of h ({h.shape[1]}); got shape "
                f"{tuple(rows.shape)}. Pass W as (labels, dimensions)."
            )
        basis = head_row_space(rows).basis
        h = projected(h, basis, dtype=torch.float64)
    every = torch.arange(len(h)) if groups is None else as_labels(groups, name="groups", n=len(h))
    given = None if Z is None else as_factors(Z)
    sought = len(numbers(given, len(h), room=codes or MOST)[0]) if given else 0
    split = random_split(every, train_share=train_share, generator=stream(seed, "split"))
    least = components or max(2, sought)
    white = White.of(h, split.train, least=least, most=components or MOST, share=SHARE)
    k = white.x.shape[1]
    if components is not None and k < components:
        raise InputError(
            f"{components} components were asked for, and h varies in {white.rank} directions over "
            f"the {len(split.train)} rows that are fitted on. Ask for fewer, or give more rows."
        )
    if k < 2:
        raise InputError(
            f"h varies in {white.rank} directions over the {len(split.train)} rows that are fitted "
            "on; unmixing needs two or more."
        )
    factors, notes = numbers(given, len(h), room=codes or k) if given else ({}, ())
    data = _Data(h=h, white=white, basis=basis, split=split, groups=every, seed=seed)
    if codes is None:
        found = _independent(data, starts=starts, resamples=resamples)
    else:
        found = _sparse(data, codes=codes, starts=starts)
    result = _with_factors(found, data, factors) if factors else found.result
    return replace(result, status=(*result.status, *notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """What is unmixed, and which of its rows are fitted on."""

    h: Tensor
    white: White
    basis: Tensor | None
    """Whose coordinates h is, where it is what a head reads."""
    split: Split
    groups: Tensor
    seed: int

    def result(
        self,
        components: tuple[Component, ...],
        *,
        mean: Tensor,
        weights: Tensor,
        converged: bool,
        status: tuple[str, ...],
    ) -> Unmixing:
        """Components by a mean and weights in the coordinates of h; all without factors."""
        if self.basis is not None:
            mean, weights = self.basis @ mean, self.basis @ weights
        return Unmixing(
            components=components,
            n_train=len(self.split.train),
            n_test=len(self.split.test),
            dim=self.h.shape[1],
            rank=self.white.rank,
            share=self.white.share,
            row_space=self.basis is not None,
            converged=converged,
            mean=tuple(mean.tolist()),
            weights=tuple(tuple(row) for row in weights.tolist()),
            status=status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Components of all rows, and what they are held against."""

    result: Unmixing
    y: Tensor
    arbitrary: Callable[[torch.Generator], Tensor]
    """Draws as many components that were not searched for."""
    times: int
    """How often these are drawn."""


def _independent(data: _Data, *, starts: int, resamples: int) -> _Found:
    """Independent components."""
    white, train = data.white, data.split.train
    found = unmix_rows(
        white.x[train],
        white.map,
        groups=data.groups[train],
        starts=starts,
        resamples=resamples,
        generator=stream(data.seed, "unmixing"),
    )
    y = white.x @ found.W.T
    planes = Planes.of(y[data.split.test], contrast_signs(y[train]))
    return _Found(
        result=data.result(
            _components(found, planes, contrast(y[train])),
            mean=white.mean,
            weights=white.map @ found.W.T,
            converged=found.converged,
            status=_status(found, white, len(train)),
        ),
        y=y,
        arbitrary=lambda generator: white.x @ random_rotation(y.shape[1], generator),
        times=ROTATIONS,
    )


def _sparse(data: _Data, *, codes: int, starts: int) -> _Found:
    """Sparse codes instead of independent components."""
    train, test = data.split.train, data.split.test
    if not 2 <= codes <= len(train):
        raise InputError(
            f"codes must be at least 2 and no more than the {len(train)} rows that are fitted on; "
            f"got {codes}."
        )
    axes = torch.nn.functional.normalize(data.white.map, dim=0)
    x = projected(data.h, axes, dtype=torch.float64)
    generator = stream(data.seed, "atoms")
    found = learn_dictionary(x[train], codes=codes, starts=starts, generator=generator)
    y = found.encode(x)
    used = (y[test] > 0).double()
    least = found.starts.amin(dim=0).tolist() if len(found.starts) else None
    unused = int((used.sum(dim=0) == 0).sum())
    components = tuple(
        Component(
            name=f"a{j + 1}",
            contrast=used[:, j].mean().item(),
            group=j + 1,
            alone=least is not None and least[j] >= FOUND_AGAIN,
            starts=None if least is None else least[j],
            resamples=None,
        )
        for j in range(codes)
    )
    words = f"{unused} of {codes} atoms are in use for no held-out sample"
    result = data.result(
        components,
        mean=torch.zeros_like(data.white.mean),
        weights=axes @ found.atoms.T,
        converged=True,
        status=(words,) if unused else (),
    )

    def arbitrary(generator: torch.Generator) -> Tensor:
        atoms = torch.randn(found.atoms.shape, generator=generator, dtype=torch.float64)
        return encoded(x, torch.nn.functional.normalize(atoms, dim=1), penalty=found.penalty)

    return _Found(
        result=replace(
            result,
            method="sparse",
            penalty=found.penalty,
            active=used.sum(dim=1).mean().item(),
            coherence=found.coherence,
        ),
        y=y,
        arbitrary=arbitrary,
        times=DICTIONARIES,
    )


def _components(found: Unmixed, planes: Planes, size: Tensor) -> tuple[Component, ...]:
    levels = torch.tensor([0.5, 0.025, 0.975], dtype=torch.float64)
    spread = found.resamples.quantile(levels, dim=0).T.tolist() if len(found.resamples) else None
    least = found.starts.amin(dim=0).tolist() if len(found.starts) else None
    return tuple(
        Component(
            name=f"c{j + 1}",
            contrast=size[j].item(),
            group=planes.group[j] + 1,
            alone=bool(planes.alone[j]),
            starts=None if least is None else least[j],
            resamples=None if spread is None else Estimate(*spread[j]),
        )
        for j in range(len(size))
    )


def _status(found: Unmixed, white: White, n: int) -> tuple[str, ...]:
    k, said = white.x.shape[1], []
    if not found.converged:
        said.append(
            f"ICA did not settle in {ITERATIONS} iterations: no rotation is clearly better than "
            "others near it"
        )
    if white.rank < min(len(white.mean), n - 1):
        said.append(
            f"h varies in {white.rank} of its {len(white.mean)} dimensions: the others are "
            "constant, combinations of these, or below the precision of the numbers"
        )
    if k < white.rank:
        said.append(
            f"{k} components of the {white.rank} directions in which h varies; they hold "
            f"{white.share:.2%} of its variance"
        )
    if n < FEW * k:
        said.append(f"few samples: {n} to find {k} components; they may be the sample's own")
    return tuple(said)


def numbers(factors: Factors, n: int, *, room: int) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Factors of every sample as numbers, levels as 0 and 1 each, and which cannot be.

    Args:
        factors: All of them.
        n: Samples.
        room: Components at most; levels that go beyond are left out, numbers are not.
    """
    if factors.n_samples != n:
        raise InputError(
            f"h and the factors must have the same number of rows; got {n} and {factors.n_samples}."
        )
    whole = {name: f for name, f in factors.items() if f.missing is None}
    plain = {n: f for n, f in whole.items() if f.kind not in (Kind.CATEGORICAL, Kind.CIRCULAR)}
    kept, left = {name: f.values.double() for name, f in plain.items()}, []
    for name in (name for name in factors if name not in plain):
        factor = factors[name]
        levels = torch.unique(factor.values).tolist()
        if name not in whole or factor.kind is Kind.CIRCULAR or len(kept) + len(levels) > room:
            left.append(name)
            continue
        for level in map(int, levels):
            word = factor.levels[level] if factor.levels else level
            kept[f"{name}: {word}"] = (factor.values == level).double()
    words = "no numbers of every sample, or more levels than components, so that none is theirs"
    return kept, (f"{', '.join(left)}: {words}",) if left else ()


def _with_factors(found: _Found, data: _Data, factors: dict[str, Tensor]) -> Unmixing:
    """The result with what each factor's component is, and what theory says of it."""
    result, y, h, white = found.result, found.y, data.h, data.white
    names, z = list(factors), torch.stack(list(factors.values()), dim=1)
    if len(names) > y.shape[1]:
        raise InputError(
            f"each factor needs a component of its own; got {len(names)} factors and "
            f"{y.shape[1]} components. Name fewer factors, or give features of more directions."
        )
    split, seed = data.split, data.seed
    train, test = split.train, split.test
    chosen = _assigned(y[train], z[train])
    best = _aligned(y, z, chosen, train)[test]
    bootstrap = Bootstrap(
        data.groups[test], resamples=RESAMPLES, generator=stream(seed, "bootstrap")
    )
    folds = training_folds(data.groups[train], seed=seed)
    linear, kept = (
        torch.cat(regress(x, list(z.split(1, dim=1)), split=split, folds=folds), dim=1)
        for x in (h, white.x)
    )
    held = [best, linear]
    if len(names) <= h.shape[1]:
        held.append(_aligned(h, z, _assigned(h[train].double(), z[train]), train)[test])
    correlation = measures.correlation(torch.cat(held, dim=1), z[test])
    scores = bootstrap.scores(correlation, maps=len(held))
    raw = None if len(held) < 3 else scores[2]
    generator = stream(seed, "rotations")
    random = torch.stack(
        [_held_out(found.arbitrary(generator), z, split) for _ in range(found.times)]
    )
    shuffles = max(SHUFFLES, PER_FACTOR * len(names))
    permutations = Permutations(outer=Units.of(data.groups, split), shuffles=shuffles, seed=seed)
    pairings = [
        Pairing(u=part[:, [j]], v=z[test][:, [j]]) for part in held[:2] for j in range(len(names))
    ]
    every_p = permutations.p_values(pairings)[0]
    p, p_linear = holm(every_p[: len(names)]), holm(every_p[len(names) :])
    shuffled = torch.stack(
        [
            _held_out(
                y, _shuffled(z, order, data.groups, stream(seed, f"within {k}")), split
            ).mean()
            for k, order in enumerate(
                shuffled_orders(data.groups, split, shuffles=ROTATIONS, seed=seed)
            )
        ]
    )
    linear_r, kept_r = (_correlation(part, z[test]) for part in (linear, kept))
    shown = ((torch.tensor(p_linear) <= LEVEL) & (linear_r > 0)).nonzero().flatten()
    parts = _parts(held, z[test], shown, bootstrap)
    of_random, of_linear = random[:, shown].square(), linear_r[shown].square()
    predicted, alone, gaussian, partner = _theory(z, names, n=len(train))
    sparse = result.method == "sparse"
    if sparse:
        predicted = [None] * len(names)
    own = tuple(
        FactorComponent(
            name=name,
            component=result.components[chosen[j]].name,
            correlation=_absolute(scores[0].per_factor[j]),
            predicted=predicted[j],
            linear=scores[1].per_factor[j].value,
            kept=kept_r[j].item(),
            raw=None if raw is None else abs(raw.per_factor[j].value),
            random=random[:, j].mean().item(),
            p=p[j],
            held=dict(zip(shown.tolist(), parts[0][:-1], strict=True)).get(j),
            alone=alone[j],
            gaussian=gaussian[j],
            partner=partner[j],
        )
        for j, name in enumerate(names)
    )
    named = {factor.component: factor.name for factor in own}
    order = torch.randperm(len(test), generator=stream(seed, "axes shuffled"))
    drawn = found.arbitrary(stream(seed, "axes"))[test]
    sets = {"components": y[test], arbitrary(result): drawn, "shuffled": y[test][order]}
    axes, why = axis_scores(sets, z[test], groups=data.groups[test], seed=seed)
    return replace(
        result,
        axes=axes,
        status=(*result.status, *why),
        components=tuple(replace(c, factor=named.get(c.name, "")) for c in result.components),
        factors=own,
        mcc=_absolute(scores[0].mean),
        predicted=_mean(predicted),
        shuffled=shuffled.mean().item(),
        random=random.mean().item(),
        raw=None if raw is None else raw.mean,
        linear=scores[1].mean,
        own=_own(parts[0]),
        own_raw=None if raw is None else _own(parts[1]),
        own_random=Own(
            held=(of_random.sum(dim=1) / of_linear.sum()).mean().item() if len(shown) else 0.0,
            factors=(of_random > HALF * of_linear).sum(dim=1).double().mean().item(),
        ),
        enough=enough_samples(z) if len(names) > 1 and all(alone) and not sparse else None,
    )


def _parts(
    held: list[Float[Tensor, "n m"]],
    z: Float[Tensor, "n m"],
    shown: Int[Tensor, " some"],
    bootstrap: Bootstrap,
) -> list[list[Estimate]]:
    """r² of some factors over that of the best linear map, the second in the list.

    Last that of all together: their sum over the sum of the linear map's, which a resample without
    one of the factors leaves defined.
    """
    if not len(shown):
        return [[Estimate(0.0, 0.0, 0.0)]] * (len(held) - 1)
    maps = [held[1], held[0], *held[2:]]
    r = measures.correlation(torch.cat([one[:, shown] for one in maps], dim=1), z[:, shown])

    def statistic(weights: Tensor) -> Tensor:
        square = r(weights).square().unflatten(1, (len(maps), -1))
        square = torch.cat([square, square.sum(dim=2, keepdim=True)], dim=2)
        found: Tensor = (square[:, 1:] / square[:, :1]).flatten(1)
        return found

    found, width = bootstrap.estimates(Statistic(statistic, ((0.0, math.inf),))), len(shown) + 1
    return [found[start : start + width] for start in range(0, len(found), width)]


def _shuffled(
    z: Float[Tensor, "n m"], order: Tensor, groups: Tensor, generator: torch.Generator
) -> Float[Tensor, "n m"]:
    """Factors with their groups in another order; those that vary in groups also within them."""
    place = groups.argsort(stable=True)
    drawn = torch.randperm(len(z), generator=generator)
    within = torch.empty_like(place)
    within[place] = drawn[groups[drawn].argsort(stable=True)]
    together = (groups[place][1:] == groups[place][:-1])[:, None]
    varies = ((z[place][1:] != z[place][:-1]) & together).any(dim=0)
    return torch.where(varies, z[within], z)[order]


def _own(parts: list[Estimate]) -> Own:
    return Own(held=parts[-1], factors=sum(one.value > HALF for one in parts[:-1]))


def _theory(
    z: Float[Tensor, "n m"], names: list[str], *, n: int
) -> tuple[list[Estimate | float | None], list[bool], list[bool], list[str]]:
    """Of each factor: what is predicted, if it is determined, Gaussian, and what it depends on.

    Args:
        z: Factors of all rows.
        names: Theirs.
        n: Rows that components are found from.
    """
    s = standardised(z)
    signs, g = contrast_signs(s), torch.tanh(s)
    groups = torch.tensor(Planes.of(s, signs).group)
    rows = s * g - (1 - g.square())
    gaussian = (rows.mean(dim=0).abs() < SURE * rows.std(dim=0) / len(s) ** 0.5).tolist()
    dependence = torch.maximum(_dependence(s), _dependence(s.square())).fill_diagonal_(0)
    there = (z > 0).double()
    by_chance = there.sum(dim=0)[:, None] * there.mean(dim=0)
    dependence[(there.T @ there == 0) & (by_chance > TOGETHER)] = torch.inf
    expected = expected_correlation(z, n=n).tolist()
    predicted: list[Estimate | float | None] = []
    alone, partner = [], []
    for j in range(len(names)):
        inside = (groups == groups[j]).nonzero().flatten()
        alone.append(len(inside) == 1 or pooled(s, signs, inside) > SURE)
        others = dependence[j].clone()
        if not alone[j]:
            others[inside] = 0.0  # an isotropic group is one thing, whatever depends in it
        strongest = int(others.argmax())
        depends = bool(others[strongest] > SURE)
        partner.append(names[strongest] if depends else "")
        if depends:
            predicted.append(None)
        elif alone[j]:
            predicted.append(expected[j])
        else:
            k = len(inside)
            predicted.append(random_correlations(components=k, factors=k)[1])
    return predicted, alone, gaussian, partner


def _dependence(s: Tensor) -> Float[Tensor, "m m"]:
    """|Correlation| of all pairs of columns over its standard error under independence."""
    found: Tensor = correlations(s, s).abs() * len(s) ** 0.5
    return found


def _mean(predicted: list[Estimate | float | None]) -> Estimate | float | None:
    """Of all factors, where there is a prediction for each."""
    ranges = [with_ends(value) for value in predicted if value is not None]
    if len(ranges) < len(predicted):
        return None
    value, low, high = (sum(ends) / len(ranges) for ends in zip(*ranges, strict=True))
    return value if low == high else Estimate(value, low, high)


def _correlation(a: Tensor, b: Tensor) -> Float[Tensor, " k"]:
    """Of each column with its partner."""
    return (standardised(a) * standardised(b)).mean(dim=0)


def _assigned(y: Float[Tensor, "n k"], z: Float[Tensor, "n m"]) -> list[int]:
    """The column of y for each of z: one to one, of the largest sum of |r|."""
    rows, columns = linear_sum_assignment(correlations(y, z).abs().numpy(), maximize=True)
    chosen: list[int] = rows[columns.argsort()].tolist()
    return chosen


def _aligned(y: Tensor, z: Tensor, chosen: list[int], train: Tensor) -> Float[Tensor, "n m"]:
    """The chosen columns, turned so that they go with their factors on the rows fitted on."""
    y = y[:, chosen].double()
    return y * _correlation(y[train], z[train]).sign()


def _held_out(y: Tensor, z: Tensor, split: Split) -> Float[Tensor, " m"]:
    """|r| of each factor with its column, assigned on one part and scored on the other."""
    y = y.double()
    chosen = _assigned(y[split.train], z[split.train])
    return _correlation(y[split.test][:, chosen], z[split.test]).abs()


def _absolute(r: Estimate) -> Estimate:
    """|r| of an r that is at least 0 but for chance."""
    ends = sorted((abs(r.low), abs(r.high)))
    low = 0.0 if r.low < 0 < r.high else ends[0]
    return Estimate(abs(r.value), low, ends[1])
