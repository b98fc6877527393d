"""All that linear probes need of the data: counts, means and centred products.

C = sum (u - m)(u - m)' for u = (h, y), in float64. Statistics of two sets of rows merge into
those of both, so they add up over blocks, files and ranks, and data of any size stream
through in constant memory:

    n = n1 + n2,  m = (n1 m1 + n2 m2) / n,  C = C1 + C2 + n1 n2 / n (m1 - m2)(m1 - m2)'

(Chan, Golub and LeVeque 1983). Everything is centred before it is multiplied, so a shift
cancels no digits; Gram matrices of float32 features, and sums of raw squares, do.
h is (n, d), y is (n, k); rows are samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from scipy.linalg.blas import dsyrk
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import relative_rounding
from identikit.core.memory_mapped import release
from identikit.statistics.split import Split

BLOCK = 1 << 23
"""Numbers in float64 at a time."""
SIDE = 512
"""Rows of a matrix that are mirrored at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Of one set of rows."""

    n: int
    mean_h: Float[Tensor, " d"]
    mean_y: Float[Tensor, " k"]
    hh: Float[Tensor, "d d"]
    """Sum of (h - mean)(h - mean)'."""
    hy: Float[Tensor, "d k"]
    yy: Float[Tensor, " k"]
    """Sum of (y - mean)², each column by itself."""
    eps: float
    """Relative rounding of the numbers as they came: 1.2e-7 for float32."""
    turned: bool = False
    """Whether columns of h are coordinates along principal directions, whose sizes must stay."""

    def scaled(self, unit: Float[Tensor, " d"]) -> "Moments":
        """The statistics that h times a number for each column would have given."""
        if bool((unit == 1).all()):
            return self
        return replace(
            self,
            mean_h=self.mean_h * unit,
            hh=unit[:, None] * self.hh * unit,
            hy=unit[:, None] * self.hy,
        )

    def noise(self) -> Float[Tensor, " d"]:
        """Root mean square error of each column of h from having been rounded."""
        square = self.hh.diagonal() / max(self.n, 1) + self.mean_h.square()
        return self.eps * square.sqrt()


@dataclass(slots=True, kw_only=True)
class PartMoments:
    """Running statistics of several disjoint parts of the rows, such as folds."""

    packed: Float[Tensor, "parts side side"]
    """For each part n in the corner, the means right of it, C (lower half) below; side is
    1 + d + k. One tensor, so that one operation moves or merges all of it."""
    d: int
    """Columns of h."""
    eps: float = 0.0
    turned: bool = False

    @classmethod
    def empty(
        cls, *, parts: int, d: int, k: int, device: torch.device | str = "cpu"
    ) -> "PartMoments":
        """Statistics of no rows."""
        side = 1 + d + k
        packed = torch.zeros(parts, side, side, dtype=torch.float64, device=device)
        return cls(packed=packed, d=d)

    def add(
        self,
        h: Float[Tensor, "n d"],
        y: Float[Tensor, "n k"],
        *,
        part: Int[Tensor, " n"] | None = None,
    ) -> None:
        """Take in more rows.

        Args:
            h: Features of any floating dtype, on any device; memory-mapped ones are read
                block by block.
            y: Targets of the same rows.
            part: The part each row belongs to, negative for none; the first if not given.

        Raises:
            InputError: lengths or widths that do not fit, NaN or infinity.
        """
        wanted = (self.d, self.packed.shape[1] - 1 - self.d)
        if h.ndim != 2 or y.ndim != 2 or (h.shape[1], y.shape[1]) != wanted or len(h) != len(y):
            raise InputError(
                f"h and y must have the same rows and {wanted[0]} and {wanted[1]} columns; got "
                f"shapes {tuple(h.shape)} and {tuple(y.shape)}."
            )
        self.eps = max(self.eps, relative_rounding(h))
        step = max(1, BLOCK // sum(wanted))
        for start in range(0, len(h), step):
            rows = slice(start, min(start + step, len(h)))
            if part is None:
                _absorb(self.packed[0], h[rows], y[rows])
            else:
                self._add_to_parts(h[rows], y[rows], part[rows])
            release(h)

    def _add_to_parts(self, h: Tensor, y: Tensor, part: Tensor) -> None:
        for p in range(len(self.packed)):
            own = (part == p).nonzero().flatten()
            if len(own):
                _absorb(self.packed[p], h[own.to(h.device)], y[own.to(y.device)])

    def __add__(self, other: "PartMoments") -> "PartMoments":
        if self.packed.shape != other.packed.shape or self.d != other.d:
            raise InputError(
                "statistics can be merged for the same parts and columns only; got "
                f"{tuple(self.packed.shape)} and {tuple(other.packed.shape)}."
            )
        packed = merge(torch.stack([self.packed, other.packed.to(self.packed.device)]))
        return replace(self, packed=packed, eps=max(self.eps, other.eps))

    def projected(self, basis: Float[Tensor, "d r"]) -> "PartMoments":
        """The statistics that B'h would have given in place of h, for orthonormal columns B."""
        basis = basis.to(self.packed)
        k = self.packed.shape[1] - 1 - self.d
        turn = basis.new_zeros(self.d + k, basis.shape[1] + k)
        turn[: self.d, : basis.shape[1]] = basis
        turn[self.d :, basis.shape[1] :].fill_diagonal_(1)
        lower = self.packed[:, 1:, 1:].tril()
        whole = lower + lower.tril(-1).mT
        packed = torch.zeros(len(whole), 1 + turn.shape[1], 1 + turn.shape[1]).to(basis)
        packed[:, 0, 0] = self.packed[:, 0, 0]
        packed[:, 0, 1:] = self.packed[:, 0, 1:] @ turn
        packed[:, 1:, 1:] = turn.T @ whole @ turn
        return PartMoments(packed=packed, d=basis.shape[1], eps=self.eps)

    def pooled(self, parts: Bool[Tensor, " parts"] | None = None) -> Moments:
        """The statistics of some parts, or of all, as one set of rows."""
        every = torch.ones(len(self.packed), dtype=torch.bool) if parts is None else parts
        chosen = [self.packed[p] for p in every.nonzero().flatten().tolist()]
        first, d = torch.stack([packed[0] for packed in chosen]), self.d
        n, total = first[:, :1], first[:, 0].sum()
        mean = (n * first[:, 1:]).sum(dim=0) / total.clamp(min=1)
        off = n.sqrt() * (first[:, 1:] - mean)
        below = off.T @ off[:, :d]
        for packed in chosen:
            below += packed[1:, 1 : 1 + d]
        _mirror(below[:d])
        return Moments(
            n=round(total.item()),
            mean_h=mean[:d],
            mean_y=mean[d:],
            hh=below[:d],
            hy=below[d:].T,
            yy=off[:, d:].square().sum(0) + sum(p.diagonal()[1 + d :] for p in chosen),
            eps=self.eps,
            turned=self.turned,
        )


def _mirror(a: Tensor) -> None:
    """Copy the lower half of a square matrix over its upper half, in place: it may be large."""
    for start in range(0, len(a), SIDE):
        stop = min(start + SIDE, len(a))
        corner = a[start:stop, start:stop]
        corner.copy_(corner.tril() + corner.tril(-1).T)
        a[start:stop, stop:] = a[stop:, start:stop].T


def merge(packed: Float[Tensor, "sets *parts side side"]) -> Float[Tensor, "*parts side side"]:
    """Packed statistics of several sets of rows as those of all their rows."""
    n, mean = packed[..., 0, :1], packed[..., 0, 1:]
    whole: Tensor = packed.sum(dim=0)
    total_mean = (n * mean).sum(dim=0) / whole[..., 0, :1].clamp(min=1)
    off = n.sqrt() * (mean - total_mean)
    whole[..., 1:, 1:] += torch.einsum("s...i,s...j->...ij", off, off)
    whole[..., 0, 1:] = total_mean
    return whole


def _absorb(packed: Tensor, h: Tensor, y: Tensor) -> None:
    """Merge a block of rows into one part's statistics, in place."""
    n, d = h.shape
    before, old = packed[0, 0].item(), packed[0, 1:].clone()
    blocks, offs, done = [], [], before + n
    for given, mean_before in ((h, old[:d]), (y, old[d:])):
        u = torch.empty(n + 1, given.shape[1], dtype=torch.float64, device=packed.device)
        block = u[:n]
        block.copy_(given)
        mean = block.mean(dim=0)
        if not bool(torch.isfinite(mean).all()):
            column = int((~torch.isfinite(mean)).nonzero()[0])
            which = f"column {column} of h" if given is h else f"target {column}"
            raise InputError(f"{which} has values that are NaN or infinite. Drop those rows.")
        block -= mean
        rest = block.mean(dim=0)  # the first mean is off by rounding
        block -= rest
        offs.append(mean + rest - mean_before)
        u[n] = offs[-1] * (before * n / done) ** 0.5  # the last term of C as one more row
        blocks.append(u)
    own, targets = blocks
    packed[1 : 1 + d, 1 : 1 + d] += _gram(own)
    packed[1 + d :, 1 : 1 + d].addmm_(targets.T, own)
    packed.diagonal()[1 + d :] += targets.square().sum(dim=0)
    packed[0, 1:] += torch.cat(offs) * (n / done)
    packed[0, 0] += n


def _gram(u: Tensor) -> Tensor:
    """U'U, of which only the lower half need be right."""
    if u.device.type == "cpu":  # half the work of a product, and scipy's BLAS is the faster one
        half: Tensor = torch.from_numpy(dsyrk(1.0, u.numpy().T)).T
        return half
    return u.T @ u


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldMoments:
    """Statistics of the training and test rows of several splits, from one pass.

    Rows that are in the same training and test sets share a part, so each product is computed
    once however many splits use it, and no split's rows need to be the rest of its test rows.
    """

    moments: PartMoments
    training: Bool[Tensor, "splits parts"]
    testing: Bool[Tensor, "splits parts"]

    @classmethod
    def of(
        cls,
        h: Float[Tensor, "n d"],
        y: Float[Tensor, "n k"],
        *,
        splits: list[Split],
        eps: float = 0.0,
        turned: bool = False,
    ) -> "FoldMoments":
        """One pass over the rows.

        Args:
            h: Features.
            y: Targets of the same rows.
            splits: Row numbers to fit on and to score.
            eps: Relative rounding of h, where it is coarser than that of its dtype.
            turned: Whether columns of h are coordinates along principal directions.
        """
        part, training, testing = parts_of(len(h), splits)
        moments = PartMoments.empty(
            parts=training.shape[1], d=h.shape[1], k=y.shape[1], device=h.device
        )
        moments.eps, moments.turned = eps, turned
        moments.add(h, y, part=part)
        return cls(moments=moments, training=training, testing=testing)

    @classmethod
    def nested(cls, moments: PartMoments, *, test: int) -> "FoldMoments":
        """One part is for scores and all others fit; then each of these is left out once.

        Args:
            moments: Of the parts.
            test: The part for scores.
        """
        parts = torch.arange(len(moments.packed))
        testing = torch.stack([parts == p for p in (test, *parts[parts != test])])
        training = ~testing
        training[1:, test] = False
        return cls(moments=moments, training=training, testing=testing)

    def projected(self, basis: Float[Tensor, "d r"]) -> "FoldMoments":
        """The same splits with B'h in place of h, for orthonormal columns B."""
        return replace(self, moments=self.moments.projected(basis))

    def train(self, split: int) -> Moments:
        """Of the rows that the split fits on."""
        return self.moments.pooled(self.training[split])

    def test(self, split: int) -> Moments:
        """Of the rows that it scores."""
        return self.moments.pooled(self.testing[split])

    def folds(self) -> Iterator[tuple[Moments, Moments]]:
        """Training and test statistics of all splits but the first."""
        return self.pairs(range(1, len(self.training)))

    def pairs(self, splits: range) -> Iterator[tuple[Moments, Moments]]:
        """Training and test statistics of some splits."""
        return ((self.train(i), self.test(i)) for i in splits)


def parts_of(
    n: int, splits: list[Split]
) -> tuple[Int[Tensor, " n"], Bool[Tensor, "splits parts"], Bool[Tensor, "splits parts"]]:
    """The part of each row (-1: in no split), and which parts each split trains and tests on."""
    member = torch.zeros(2 * len(splits), n, dtype=torch.bool)
    for i, split in enumerate(splits):
        member[i, split.train] = True
        member[len(splits) + i, split.test] = True
    used = member.any(dim=0).nonzero().flatten()
    code = torch.zeros(len(used), dtype=torch.long)
    for row in member:
        code = torch.unique(2 * code + row[used], return_inverse=True)[1]
    first = torch.zeros(int(code.max()) + 1, dtype=torch.long).scatter_(0, code, used)
    part = torch.full((n,), -1).scatter_(0, used, code)
    training, testing = member[:, first].chunk(2)
    return part, training, testing
