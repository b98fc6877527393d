"""Two sets of features with matched rows: which rows belong together, and what passes see.

Rows are matched by their keys where both sets have them, else by their order. A (n, p), B (n, q).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError, look_alikes
from identikit.core.linalg import relative_rounding
from identikit.core.memory_mapped import BLOCK, release
from identikit.core.randomness import stream
from identikit.features.table import Keys, as_keys, examples
from identikit.probing.moments import FoldMoments, PartMoments
from identikit.probing.regression import CompressedFeatures
from identikit.similarity.scores import Pair
from identikit.statistics.split import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Which rows of A and of B are the same samples."""

    a: Int[Tensor, " n"]
    b: Int[Tensor, " n"]
    note: str | None
    """What was left out; None where every row has a partner."""


def match_rows(n_a: int, n_b: int, *, keys_a: Any = None, keys_b: Any = None) -> Matched:
    """Match by key where both have keys, by order else.

    Args:
        n_a: Rows of A.
        n_b: Rows of B.
        keys_a: Name of each row of A.
        keys_b: Name of each row of B.

    Raises:
        InputError: lengths that differ, keys that occur twice, or none in common.
    """
    if keys_a is None or keys_b is None:
        if n_a != n_b:
            raise InputError(
                f"A and B must have the same number of rows to be matched by their order; got "
                f"{n_a} and {n_b}. Pass features of the same samples, or keys of both."
            )
        return Matched(a=torch.arange(n_a), b=torch.arange(n_b), note=None)
    a, b = _index(keys_a, n_a, "A"), _index(keys_b, n_b, "B")
    partner = b.get_indexer(a)
    rows = np.flatnonzero(partner >= 0)
    if not len(rows):
        raise InputError(
            f"no key of A is a key of B: A has {examples(a)}, B has {examples(b)}."
            f"{look_alikes(a, b)} Pass the features of the same samples, under the same keys."
        )
    alone_a, alone_b = a[partner < 0], b.difference(a, sort=False)
    note = None
    if len(alone_a) or len(alone_b):
        note = f"{len(alone_a)} samples of A and {len(alone_b)} of B have no partner and were left "
        note += f"out, such as {examples(alone_a.append(alone_b))}{look_alikes(alone_a, alone_b)}"
    return Matched(a=torch.as_tensor(rows), b=torch.as_tensor(partner[rows]), note=note)


def _index(keys: Any, n: int, name: str) -> Keys:
    found = as_keys(keys, name)
    if len(found) != n:
        raise InputError(
            f"{name} needs a key for each of its rows; got {len(found)} keys and {n} rows."
        )
    return found


def shuffled_orders(
    group: Int[Tensor, " n"], split: Split, *, shuffles: int, seed: int
) -> Iterator[Int[Tensor, " n"]]:
    """Shuffles of rows within each part; groups, laid end to end, are shuffled as wholes."""
    generator = stream(seed, "shuffles")

    def layout(own: Tensor) -> Tensor:
        names, place = torch.unique(own, return_inverse=True)
        return torch.randperm(len(names), generator=generator)[place].argsort(stable=True)

    for _ in range(shuffles):
        order = torch.arange(len(group))
        for part in (split.train, split.test):
            order[part[layout(group[part])]] = part[layout(group[part])]
        yield order


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRows:
    """Matched rows, read block by block."""

    a: Float[Tensor, "n_a p"]
    """Features of A; where its dimensions outnumber the rows, their coordinates in the span."""
    b: Float[Tensor, "n_b q"]
    rows_a: Int[Tensor, " n"]
    rows_b: Int[Tensor, " n"]
    eps: tuple[float, float]
    """Relative rounding of the numbers as they came."""
    basis: tuple[Float[Tensor, "d_a p"] | None, Float[Tensor, "d_b q"] | None]
    """Whose coordinates the columns are; None where they are the features as they came."""

    @classmethod
    def of(
        cls, a: Float[Tensor, "n_a d_a"], b: Float[Tensor, "n_b d_b"], *, matched: Matched
    ) -> "PairedRows":
        """The matched rows of two sets of features."""
        own_a, rows_a = matched_features(a, matched.a)
        own_b, rows_b = matched_features(b, matched.b)
        return cls(
            a=own_a.h,
            b=own_b.h,
            rows_a=rows_a,
            rows_b=rows_b,
            eps=(own_a.eps, own_b.eps),
            basis=(own_a.basis, own_b.basis),
        )

    def __len__(self) -> int:
        return len(self.rows_a)

    def blocks(
        self, order: Int[Tensor, " n"] | None = None
    ) -> Iterator[tuple[slice, Float[Tensor, "b p"], Float[Tensor, "b q"]]]:
        """Which rows, and the two blocks in float64.

        Args:
            order: The rows of B to put beside those of A, where not their partners.
        """
        rows_b = self.rows_b if order is None else self.rows_b[order]
        step = max(1, BLOCK // (self.a.shape[1] + self.b.shape[1]))
        for start in range(0, len(self), step):
            rows = slice(start, min(start + step, len(self)))
            yield rows, self.a[self.rows_a[rows]].double(), self.b[rows_b[rows]].double()
            release(self.a)
            release(self.b)


def matched_features(h: Tensor, rows: Tensor) -> tuple[CompressedFeatures, Tensor]:
    """Features that need no more columns than matched rows, and which rows of them to take."""
    if len(rows) >= h.shape[1]:
        return CompressedFeatures(h=h, eps=relative_rounding(h)), rows
    return CompressedFeatures.of(h[rows], scaled=False), torch.arange(len(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMoments:
    """Joint statistics of the rows to fit on, of those to score, of all, and of the folds."""

    train: Pair
    test: Pair
    total: Pair
    parts: FoldMoments
    """Of rows (a, b): the split, and the folds of the rows to fit on."""

    @classmethod
    def of(cls, rows: PairedRows, *, split: Split, folds: list[Split]) -> "PairMoments":
        """One pass over the rows.

        Args:
            rows: Matched features.
            split: Rows to fit on and rows to score.
            folds: Splits of positions within `split.train`, whose test parts are all of it.
        """
        part = torch.full((len(rows),), len(folds))
        for k, fold in enumerate(folds):
            part[split.train[fold.test]] = k
        p = rows.a.shape[1]
        moments = PartMoments.empty(parts=len(folds) + 1, d=p + rows.b.shape[1], k=0)
        for which, a, b in rows.blocks():
            moments.add(torch.cat([a, b], dim=1), a.new_empty(len(a), 0), part=part[which])
        parts = FoldMoments.nested(moments, test=len(folds))
        train, test, total = (
            Pair.of(some, p=p) for some in (parts.train(0), parts.test(0), moments.pooled())
        )
        return cls(train=train, test=test, total=total, parts=parts)

    def folds(self) -> Iterator[tuple[Pair, Pair]]:
        """Of the rows to fit on, for choices among maps: fitted, and left out."""
        p = len(self.train.aa)
        return ((Pair.of(fit, p=p), Pair.of(out, p=p)) for fit, out in self.parts.folds())

    def shuffled(
        self, rows: PairedRows, *, split: Split, order: Int[Tensor, " n"]
    ) -> "PairMoments":
        """The same with other rows of B beside those of A, within each part: one more pass.

        Only cross-products change.
        """
        testing = torch.zeros(len(rows), dtype=torch.bool)
        testing[split.test] = True
        cross = [torch.zeros_like(self.train.ab), torch.zeros_like(self.test.ab)]
        for which, a, b in rows.blocks(order):
            for k, (pair, chosen) in enumerate(
                ((self.train, ~testing[which]), (self.test, testing[which]))
            ):
                cross[k].addmm_((a[chosen] - pair.mean_a).T, b[chosen] - pair.mean_b)
        train, test = self.train.with_cross(cross[0]), self.test.with_cross(cross[1])
        off = train.n * test.n / (train.n + test.n)
        between = torch.outer(train.mean_a - test.mean_a, train.mean_b - test.mean_b)
        total = self.total.with_cross(cross[0] + cross[1] + off * between)
        return replace(self, train=train, test=test, total=total)
