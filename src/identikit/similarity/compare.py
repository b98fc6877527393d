"""`compare(A, B)`: how alike two representations of the same samples are, and how sure that is.

Two passes over the rows. The first gathers joint moments of (a, b), from which all maps and all
scores follow (`similarity`). The second sums over bags of rows what the scores are ratios of, so
that resampled bags give intervals in constant memory (`resampling`). One more pass for each
shuffle of the rows of B, with everything fitted again, gives the chance level.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.memory_mapped import BLOCK
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.features.columns import as_labels
from identikit.features.inputs import as_features
from identikit.similarity import scores as similarity
from identikit.similarity.comparison import Comparison
from identikit.similarity.likelihoods import likelihood_distances
from identikit.similarity.neighbours import nearest, sampled, shared, shuffled
from identikit.similarity.paired import (
    PairedRows,
    PairMoments,
    match_rows,
    shuffled_orders,
)
from identikit.similarity.resampling import Fit, Sums, resampled
from identikit.similarity.result import MEASURES, LikelihoodDistances, Similarity, SpaceScores
from identikit.similarity.scores import Pair, Space
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.intervals import SCORE
from identikit.statistics.split import Split, random_split, training_folds
from identikit.theory.coverage import class_rows, head_row_space

FEW_GROUPS = 50
"""Held-out groups below which the status says that intervals are not quite sure."""
UNIT_NORM = 1e-3
"""Relative spread of norms below which they count as one."""


def compare(
    A: Any,
    B: Any,
    *,
    head_a: Any = None,
    head_b: Any = None,
    head_class_a: Any = None,
    head_class_b: Any = None,
    keys_a: Any = None,
    keys_b: Any = None,
    groups: Any = None,
    names: tuple[str, str] = ("A", "B"),
    seed: int = 0,
    train_share: float = 0.5,
    resamples: int = 1000,
    shuffles: int = 5,
) -> Comparison:
    """Compare two representations of the same samples, without annotations.

    Args:
        A: Features (n, p), NumPy or torch, or a `Representation` that brings its head.
        B: Features (n, q) of the same samples.
        head_a: Rows W (labels, p) of the classifier trained on A; with `head_b` the covered
            parts and the rest are compared by themselves.
        head_b: Rows (labels, q) of that trained on B.
        head_class_a: Class of each row, where several rows of A's head belong to one class.
        head_class_b: The same for B.
        keys_a: Name of each sample of A; with `keys_b` rows are matched by these, else by order.
        keys_b: Name of each sample of B.
        groups: Labels of A's samples; those of a group are held out, resampled and shuffled
            together.
        names: Of A and B, for tables.
        seed: Of the split, the resamples and the shuffles.
        train_share: Share of samples, or of groups, to fit maps on.
        resamples: Bootstrap resamples behind each interval.
        shuffles: Of the rows of B, for the chance levels; 0 for none.

    Raises:
        InputError: features that cannot be used or matched, with what would do.
    """
    if shuffles < 0:
        raise InputError(f"shuffles must be 0 or more; got {shuffles}. 5 do for a chance level.")
    A, W_a = _opened(A, head_a, head_class_a, "A")
    B, W_b = _opened(B, head_b, head_class_b, "B")
    matched = match_rows(len(A), len(B), keys_a=keys_a, keys_b=keys_b)
    similarity.require_common(len(matched.a))
    rows = PairedRows.of(A, B, matched=matched)
    every = torch.arange(len(A)) if groups is None else as_labels(groups, name="groups", n=len(A))
    group = every[matched.a]
    split = random_split(group, train_share=train_share, generator=stream(seed, "split"))
    moments = PairMoments.of(rows, split=split, folds=training_folds(group[split.train], seed=seed))
    spaces = _spaces(rows, moments.train, W_a, W_b)
    penalties = _penalties(moments, list(spaces.values()))
    fits = [
        Fit.of(moments, a, b, penalties=own)
        for (a, b), own in zip(spaces.values(), penalties, strict=True)
    ]
    sums = Sums.of(rows, moments, fits, split=split, group=group, seed=seed)
    chances = [
        _shuffled_values(rows, moments, fits, sums, split, order)
        for order in shuffled_orders(group, split, shuffles=shuffles, seed=seed)
    ]
    estimates = resampled(sums, moments, fits, resamples=resamples, seed=seed)
    some, part = sampled(len(group), split, seed=seed)
    near = [_neighbours(rows, some, fit) for fit in fits]
    bootstrap = Bootstrap(group[some], resamples=resamples, generator=stream(seed, "neighbours"))
    for own, (a, b) in zip(estimates, near, strict=True):
        (own["knn"],) = bootstrap.estimates(_mean_of(shared(a, b)))
    orders = shuffled_orders(group[some], part, shuffles=shuffles, seed=seed)
    for chance, order in zip(chances, orders, strict=True):
        for own_chance, (a, b) in zip(chance, near, strict=True):
            own_chance["knn"] = shared(a, shuffled(b, order)).mean().item()
    scores = tuple(
        _scores(name, fits[k], estimates[k], [chance[k] for chance in chances])
        for k, name in enumerate(spaces)
    )
    return Comparison(
        names=names,
        spaces=scores,
        n_train=moments.train.n,
        n_test=moments.test.n,
        dims=(A.shape[1], B.shape[1]),
        unit_norm=_unit_norm(sums, W_a, W_b),
        likelihoods=_likelihoods(rows, W_a, W_b),
        status=(
            *_status(matched.note, (A, B), (W_a, W_b), scores, moments.train.n),
            *_few_groups(len(sums.tested)),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    rows: Tensor
    """As they came."""
    independent: Tensor
    """One for each class, where classes are known."""


def _opened(features: Any, head: Any, head_class: Any, name: str) -> tuple[Tensor, _Head | None]:
    """Features and their head, from what was passed or what a representation brings."""
    if isinstance(features, Representation):
        head = features.head if head is None else head
        head_class = features.head_class if head_class is None else head_class
        features = features.h
    h = as_features(features, name=name)
    if head is None:
        return h, None
    rows = as_features(head, name=f"the head of {name}")
    if rows.shape[1] != h.shape[1]:
        raise InputError(
            f"the head of {name} must have one column per dimension of {name} ({h.shape[1]}); "
            f"got shape {tuple(rows.shape)}. Pass W as (labels, dimensions)."
        )
    if head_class is None:
        return h, _Head(rows=rows, independent=rows)
    label = as_labels(head_class, name=f"head_class of {name}", n=len(rows))
    return h, _Head(rows=rows, independent=class_rows(rows, label))


def _spaces(
    rows: PairedRows, train: Pair, head_a: _Head | None, head_b: _Head | None
) -> dict[str, tuple[Space, Space]]:
    """The whole spaces and, with both heads, the covered parts and the rest, where not empty."""
    sides = train.alone(eps=rows.eps[0]), train.turned().alone(eps=rows.eps[1])
    whole = [similarity.whole_space(s, basis=b) for s, b in zip(sides, rows.basis, strict=True)]
    for space, name in zip(whole, "AB", strict=True):
        if not space.rank:
            raise InputError(
                f"{name} does not vary over the {train.n} samples that maps are fitted on: all "
                "of its dimensions are constant. Nothing can be compared with it."
            )
    spaces = {"whole": (whole[0], whole[1])}
    if head_a is None or head_b is None:
        return spaces
    covers = [head_row_space(head.independent) for head in (head_a, head_b)]
    for name in ("head row space", "complement"):
        parts = [
            similarity.part_space(
                side,
                cover.basis if name == "head row space" else cover.complement_basis,
                basis=basis,
            )
            for side, cover, basis in zip(sides, covers, rows.basis, strict=True)
        ]
        if parts[0] is not None and parts[1] is not None:
            spaces[name] = parts[0], parts[1]
    return spaces


def _penalties(
    moments: PairMoments, spaces: list[tuple[Space, Space]]
) -> list[tuple[float, float]]:
    """Of the maps both ways between each two spaces, chosen within the training rows."""
    errors: list[list[Tensor]] = [[] for _ in range(2 * len(spaces))]
    for fit, out in moments.folds():
        inside = [(fit.within(a, b), out.within(a, b)) for a, b in spaces]
        both_ways = [way for x, y in inside for way in ((x, y), (x.turned(), y.turned()))]
        for own, (x, y) in zip(errors, both_ways, strict=True):
            own.append(similarity.left_out_errors(x, y))
    found = [similarity.choose_penalty(own) for own in errors]
    return list(zip(found[::2], found[1::2], strict=True))


def _shuffled_values(
    rows: PairedRows,
    moments: PairMoments,
    fits: list[Fit],
    sums: Sums,
    split: Split,
    order: Tensor,
) -> list[dict[str, float]]:
    """Every score with the rows of B in another order, all maps fitted again."""
    crossed = moments.shuffled(rows, split=split, order=order)
    return [
        Fit.of(crossed, fit.a, fit.b, penalties=fit.penalties).values(crossed, own.products(order))
        for fit, own in zip(fits, sums.spaces, strict=True)
    ]


def _neighbours(rows: PairedRows, some: Tensor, fit: Fit) -> tuple[Tensor, Tensor]:
    """Of the samples that stand for all, in both spaces."""
    return (
        nearest(rows.a, rows.rows_a[some], into=fit.a.into),
        nearest(rows.b, rows.rows_b[some], into=fit.b.into),
    )


def _mean_of(values: Tensor) -> Statistic:
    """The mean of a share."""
    return Statistic(lambda w: (w @ values / w.sum(dim=1))[:, None], SCORE)


def _likelihoods(
    rows: PairedRows, head_a: _Head | None, head_b: _Head | None
) -> LikelihoodDistances | None:
    """Of the two posteriors, if they are over as many labels, which are taken for the same."""
    if head_a is None or head_b is None or len(head_a.rows) != len(head_b.rows):
        return None
    W_a, W_b = (
        head.rows.double() if basis is None else head.rows.double() @ basis
        for head, basis in zip((head_a, head_b), rows.basis, strict=True)
    )
    step = max(1, BLOCK // len(W_a))
    logits = (
        (a @ W_a.T, b @ W_b.T)
        for _, whole_a, whole_b in rows.blocks()
        for a, b in zip(whole_a.split(step), whole_b.split(step), strict=True)
    )
    return likelihood_distances(logits, labels=len(W_a))


def _scores(
    name: str,
    fit: Fit,
    estimates: dict[str, Any],
    chances: list[dict[str, float]],
) -> SpaceScores:
    ceilings = similarity.ceilings(fit.a, fit.b)
    canonical = estimates.pop("canonical", ())
    values = torch.linalg.svdvals(fit.linear[0])
    rank = max(1, int(torch.linalg.matrix_rank(fit.linear[0])))  # what comes after is rounding
    return SpaceScores(
        name=name,
        rank_a=fit.a.rank,
        rank_b=fit.b.rank,
        scores=tuple(
            Similarity(
                measure=measure,
                estimate=estimates[measure],
                chance=sum(c[measure] for c in chances) / len(chances) if chances else None,
                ceiling=ceilings.get(measure),
            )
            for measure in MEASURES
            if measure in estimates
        ),
        canonical=tuple(canonical),
        canonical_fitted=() if fit.cca is None else tuple(fit.cca.fitted.tolist()),
        singular_values=tuple((values / values.square().mean().sqrt())[:rank].tolist()),
        penalties=fit.penalties,
    )


def _unit_norm(sums: Sums, head_a: _Head | None, head_b: _Head | None) -> bool | None:
    if head_a is None or head_b is None:
        return None
    norms = [head.rows.double().norm(dim=1) for head in (head_a, head_b)]
    ends = [*((n.min().item(), n.max().item()) for n in norms), *sums.norms]
    return all(high - low < UNIT_NORM * high for low, high in ends)


def _few_groups(held_out: int) -> tuple[str, ...]:
    if held_out >= FEW_GROUPS:
        return ()
    words = "samples or groups held out intervals are wide, and not quite sure"
    return (f"few groups: with {held_out} {words}",)


def _status(
    note: str | None,
    features: tuple[Tensor, Tensor],
    heads: tuple[_Head | None, _Head | None],
    scores: tuple[SpaceScores, ...],
    n_train: int,
) -> tuple[str, ...]:
    found = [] if note is None else [note]
    whole = scores[0]
    for name, h, rank in zip("AB", features, (whole.rank_a, whole.rank_b), strict=True):
        if rank < min(h.shape[1], n_train - 1):
            found.append(
                f"{name} varies in {rank} of its {h.shape[1]} dimensions: the others are constant, "
                "combinations of these, or below the precision of the numbers"
            )
    if n_train < 2 * max(whole.rank_a, whole.rank_b):
        found.append(
            f"few samples: {n_train} to fit maps of {whole.rank_a} and {whole.rank_b} directions; "
            "what falls short of 1 may be the sample"
        )
    for space in scores:
        if any(space.penalties):
            found.append(f"{space.name}: ridge replaces least squares, which overfits")
        if not space.canonical:
            found.append(
                f"{space.name}: no canonical correlations, since {n_train} samples to fit do not "
                f"outnumber {space.rank_a} + {space.rank_b} directions"
            )
    if (heads[0] is None) != (heads[1] is None):
        found.append("only one has a head; what the heads cover is compared where both have one")
    elif heads[0] is not None and scores[-1].name == "whole":
        found.append("what the heads cover does not vary in the features of one of the two")
    return tuple(found)
