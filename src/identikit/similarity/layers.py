"""`compare_layers(A, B)`: every layer of one model beside every layer of another, calibrated.

Each layer is reduced once to the coordinates in its first principal axes, x (n, AXES), and to the
nearest neighbours of each sample (`neighbours`). From x follow, for all pairs of layers at once,

linear R²   of the axes of b from those of a: least squares, fitted on one part of the rows and
            scored on the other, weighted by variance; and back
CKA         unbiased, linear (`scores`), over all rows

and for every shuffle of the rows of B (within the two parts, groups as wholes) the same again, one
shuffle for all pairs. With s the score of a pair, s_r that of shuffle r and t = (s - mean) / sd,
over the rows as they are and all shuffles alike,

chance      mean of s_r            calibrated   (s - chance) / (1 - chance)
p           (1 + #{r: max over pairs of t_r >= t}) / (1 + shuffles)

so that p is corrected for the number of pairs: if nothing in A goes with anything in B, the chance
that any pair has p <= a is at most a (Westfall and Young 1993, single-step max-T; the shuffles are
exchangeable with the rows as they are). The largest of many scores is held against the mean of the
largest of as many under shuffles. Layers are (n, d) each; scores (layers of A, layers of B).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import above_cut_off
from identikit.core.memory_mapped import row_blocks
from identikit.core.randomness import stream
from identikit.features.columns import as_labels
from identikit.features.inputs import as_features
from identikit.similarity.layer_comparison import LABELS, LayerComparison, PairScores
from identikit.similarity.neighbours import nearest, sampled, shuffled
from identikit.similarity.paired import match_rows, matched_features, shuffled_orders
from identikit.similarity.scores import require_common
from identikit.statistics.split import Split, random_split

AXES = 50
"""Principal axes of a layer that are compared, at most; fewer where samples are few."""
ROWS_FOR_EACH = 4
"""Samples to fit on for each axis, at least."""


def compare_layers(
    A: Mapping[str, Any],
    B: Mapping[str, Any],
    *,
    keys_a: Any = None,
    keys_b: Any = None,
    groups: Any = None,
    names: tuple[str, str] = ("A", "B"),
    seed: int = 0,
    train_share: float = 0.5,
    shuffles: int = 200,
) -> LayerComparison:
    """Compare every layer of one model with every layer of another, on the same samples.

    Args:
        A: Features (n, d) of the same n samples by the name of the layer, in the order of
            computation. Each is asked for once and let go of, so a mapping may load them.
        B: The same of the other model.
        keys_a: Name of each sample of A; with `keys_b` rows are matched by these, else by order.
        keys_b: Name of each sample of B.
        groups: Labels of A's samples; those of a group are held out and shuffled together.
        names: Of the two models, for tables.
        seed: Of the split and the shuffles.
        train_share: Share of samples, or of groups, to fit maps on.
        shuffles: Of the rows of B, for chance and p-values; the least p is 1 / (1 + shuffles).

    Raises:
        InputError: features that cannot be used or matched, with what would do.
    """
    if shuffles < 19:
        raise InputError(
            f"shuffles must be at least 19, or no p-value could be 0.05 or less; got {shuffles}. "
            "200 do."
        )
    for which, layers in (("A", A), ("B", B)):
        if not layers:
            raise InputError(f"{which} has no layers; give features of one or more, by name.")
    firsts = [as_features(next(iter(layers.values())), name="a layer") for layers in (A, B)]
    matched = match_rows(len(firsts[0]), len(firsts[1]), keys_a=keys_a, keys_b=keys_b)
    require_common(len(matched.a))
    every = torch.arange(len(firsts[0]))
    if groups is not None:
        every = as_labels(groups, name="groups", n=len(every))
    group = every[matched.a]
    split = random_split(group, train_share=train_share, generator=stream(seed, "split"))
    axes = max(1, min(AXES, len(split.train) // ROWS_FOR_EACH))
    some, near_split = sampled(len(group), split, seed=seed)
    a = _Side.of(A, matched.a, split, some, n=len(firsts[0]), axes=axes, name="A")
    b = _Side.of(B, matched.b, split, some, n=len(firsts[1]), axes=axes, name="B")

    def orders(own: Tensor, parts: Split) -> Iterator[Tensor]:
        yield torch.arange(len(own))
        yield from shuffled_orders(own, parts, shuffles=shuffles, seed=seed)

    linear = torch.stack([_scores(a, b, split, order) for order in orders(group, split)])
    near = torch.stack(
        [_shared(a.near, shuffled(b.near, order)) for order in orders(group[some], near_split)]
    )
    drawn = torch.cat([linear, near[:, None]], dim=1)
    return LayerComparison(
        names=names,
        layers=(tuple(A), tuple(B)),
        dims=(a.dims, b.dims),
        kept=(a.kept, b.kept),
        axes=axes,
        n_train=len(split.train),
        n_test=len(split.test),
        groups=None if groups is None else len(group.unique()),
        scores=tuple(_calibrated(measure, drawn[:, k]) for k, measure in enumerate(LABELS)),
        n_near=len(some),
        status=() if matched.note is None else (matched.note,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """All layers of one model, reduced."""

    x: Float[Tensor, "layers n axes"]
    """Centred coordinates in the first principal axes; zero where a layer has not so many."""
    mean: Float[Tensor, "layers axes"]
    """Of the rows to fit on."""
    whiten: Float[Tensor, "layers axes axes"]
    """P with P' C P = 1 on the directions in which the rows to fit on vary."""
    tested: Float[Tensor, "layers axes axes"]
    """C of the rows to score, about the mean of those to fit on."""
    spread: Float[Tensor, " layers"]
    """Sum of squares of the rows to score, about their own mean."""
    squares: Float[Tensor, "n layers"]
    trace: Float[Tensor, " layers"]
    hsic: Float[Tensor, " layers"]
    """Of each layer with itself."""
    near: Int[Tensor, "layers some k"]
    """Of the samples that stand for all."""
    dims: tuple[int, ...]
    kept: tuple[float, ...]
    """Share of each layer's variance in its axes."""

    @classmethod
    def of(
        cls,
        layers: Mapping[str, Any],
        rows: Int[Tensor, " m"],
        split: Split,
        some: Int[Tensor, " some"],
        *,
        n: int,
        axes: int,
        name: str,
    ) -> "_Side":
        """One layer after the other, each read and let go of."""
        xs, near, dims, kept = [], [], [], []
        for layer, values in layers.items():
            h = as_features(values, name=f"layer {layer!r} of {name}")
            if len(h) != n:
                raise InputError(
                    f"layer {layer!r} of {name} has {len(h):,} rows and the first one {n:,}; all "
                    "layers must be of the same samples."
                )
            x, share = _principal(h, rows, axes)
            if not bool(x[split.train].ne(x[split.train[0]]).any()):
                raise InputError(
                    f"layer {layer!r} of {name} does not vary over the {len(split.train)} samples "
                    "that maps are fitted on. Leave it out."
                )
            xs.append(x)
            near.append(nearest(h, rows[some]))
            dims.append(h.shape[1])
            kept.append(share)
        x = torch.stack(xs)
        fit, out = x[:, split.train], x[:, split.test]
        mean = fit.mean(dim=1)
        fitted, off = fit - mean[:, None], out - mean[:, None]
        values, vectors = torch.linalg.eigh(fitted.mT @ fitted)
        alive = values > 1e-12 * values.amax(dim=1, keepdim=True)
        size = torch.where(alive, values.clamp(min=0), 1.0).rsqrt() * alive
        squares = x.square().sum(dim=2).T
        trace, norm = squares.sum(dim=0), (x.mT @ x).square().sum(dim=(1, 2))
        return cls(
            x=x,
            mean=mean,
            whiten=vectors * size[:, None],
            tested=off.mT @ off,
            spread=(out - out.mean(dim=1, keepdim=True)).square().sum(dim=(1, 2)),
            squares=squares,
            trace=trace,
            hsic=_hsic(norm, squares.square().sum(dim=0), trace.square(), len(squares)),
            near=torch.stack(near),
            dims=tuple(dims),
            kept=tuple(kept),
        )


def _principal(h: Tensor, rows: Tensor, axes: int) -> tuple[Float[Tensor, "m axes"], float]:
    """Centred coordinates in the first principal axes, and their share of the variance."""
    own, rows = matched_features(h, rows)
    n, d = len(rows), own.h.shape[1]
    mean = torch.stack([own.h[part].double().sum(0) for part in row_blocks(own.h, rows)]).sum(0) / n
    gram = mean.new_zeros(d, d)
    for part in row_blocks(own.h, rows):
        block = own.h[part].double() - mean
        gram.addmm_(block.T, block)
    values, vectors = (found.flip(-1) for found in torch.linalg.eigh(gram))
    noise = own.eps * (mean.square() + values.clamp(min=0).sum() / (n * d)).max().sqrt().item()
    some = above_cut_off(values, shape=(n, d), noise=noise, squared=True)[:axes]
    basis = vectors[:, : len(some)] * some
    x = torch.cat([(own.h[p].double() - mean) @ basis for p in row_blocks(own.h, rows)])
    share = (values[: len(some)] * some).sum() / values.clamp(min=0).sum().clamp(min=1e-300)
    return torch.nn.functional.pad(x, (0, axes - x.shape[1])), share.item()


def _scores(a: _Side, b: _Side, split: Split, order: Tensor) -> Float[Tensor, "3 la lb"]:
    """Linear R² both ways and CKA of all pairs, the rows of b in an order."""
    n, fitted, held = len(order), len(split.train), len(split.test)
    train, test = (
        _products(a.x[:, part], b.x[:, order[part]]) for part in (split.train, split.test)
    )
    whole = train + test  # centred, since shuffles stay within the parts
    means = torch.einsum("ip,jq->ijpq", a.mean, b.mean)
    train = train - fitted * means
    test = test + (2 * fitted + held) * means  # about the means of the rows to fit on
    forth = _r2(train, test, a, b)
    back = _r2(train.transpose(0, 1).mT, test.transpose(0, 1).mT, b, a).T
    common = a.squares.T @ b.squares[order]
    cross = _hsic(whole.square().sum(dim=(2, 3)), common, torch.outer(a.trace, b.trace), n)
    scale = torch.outer(a.hsic.clamp(min=0), b.hsic.clamp(min=0)).sqrt()
    cka = cross / scale.where(scale > 0, torch.nan)
    return torch.stack([forth, back, cka])


def _products(a: Float[Tensor, "la n p"], b: Float[Tensor, "lb n q"]) -> Float[Tensor, "la lb p q"]:
    """Sums of products of all pairs, in one multiplication."""
    rows = [side.transpose(1, 2).flatten(0, 1) for side in (a, b)]
    return (rows[0] @ rows[1].T).view(len(a), a.shape[2], len(b), b.shape[2]).transpose(1, 2)


def _r2(train: Tensor, test: Tensor, a: _Side, b: _Side) -> Float[Tensor, "la lb"]:
    """R² on the rows to score of least squares on the rows to fit."""
    whiten, tested = a.whiten[:, None], a.tested[:, None]
    map_ = whiten @ (whiten.mT @ train)
    goal = b.tested.diagonal(dim1=1, dim2=2).sum(dim=1)
    error = goal - 2 * (map_ * test).sum(dim=(2, 3)) + (map_ * (tested @ map_)).sum(dim=(2, 3))
    return 1 - error / b.spread


def _hsic(norm: Tensor, squares: Tensor, traces: Tensor, n: int) -> Tensor:
    """Unbiased, up to n (n - 3), as in `scores`."""
    return norm - squares + traces / ((n - 1) * (n - 2)) - 2 * squares / (n - 2)


def _shared(a: Int[Tensor, "la n k"], b: Int[Tensor, "lb n k"]) -> Float[Tensor, "la lb"]:
    """Mean share of neighbours that are the same, of all pairs: edges of b looked up among a's."""
    n, k = a.shape[1:]
    start = torch.arange(n)[:, None] * n
    edges, place = torch.unique(a + start, return_inverse=True)
    belongs = torch.zeros(len(edges), len(a), dtype=torch.float32)
    for layer, own in enumerate(place):
        belongs[own.flatten(), layer] = 1
    found = torch.empty(len(a), len(b), dtype=torch.float64)
    for layer, other in enumerate(b):
        wanted = (other + start).flatten()
        at = torch.searchsorted(edges, wanted).clamp(max=len(edges) - 1)
        found[:, layer] = belongs[at[edges[at] == wanted]].sum(dim=0).double()
    return found / (n * k)


def _calibrated(measure: str, drawn: Float[Tensor, "draws la lb"]) -> PairScores:
    """The first draw, of the rows as they are, against the others."""
    score, null = drawn[0], drawn[1:]
    spread = drawn.std(dim=0)
    t = (drawn - drawn.mean(dim=0)) / spread.where(spread > 0, 1.0)
    largest = t[1:].amax(dim=(1, 2))
    p = (1 + (largest[:, None, None] >= t[0]).sum(dim=0).double()) / len(drawn)
    return PairScores(
        measure=measure,
        score=_rows(score),
        chance=_rows(null.mean(dim=0)),
        p=_rows(p),
        chance_of_best=null.amax(dim=(1, 2)).mean().item(),
    )


def _rows(values: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
