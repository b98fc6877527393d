"""How alike two representations of the same samples are, from additive statistics.

A (n, p) and B (n, q) have matched rows; a and b are these less their means, C_ab = sum a b'
(`moments`). Nothing here touches the rows again.

linear R²   1 - |B - A M|² / |B|² on held-out rows, M = C_aa^+ C_ab or ridge (C_aa + t)^-1 C_ab
Procrustes  the same for M = s R, R = U V', s = tr S / tr C_aa, U S V' = C_ab (Schönemann 1966);
            the narrower set is filled up with zero columns, in the error too. On the rows fitted
            it is cos² of the angle of Williams et al. 2021 (arXiv:2110.14739), the same both ways
CCA         U' Ka' C_ab Kb V, where K' C K = 1: Hotelling 1936. Held-out correlations of the pairs
            of directions found: on the rows fitted they are too high
SVCCA       CCA of the principal axes that hold 99 % of the variance (Raghu et al. 2017,
            arXiv:1706.05806)
HSIC        [|C_ab|² - S + tr C_aa tr C_bb / ((n - 1)(n - 2)) - 2 S / (n - 2)] / (n (n - 3)),
            S = sum |a_i|² |b_i|²: the unbiased estimator of Song et al. 2012 (JMLR 13, eq. 5) for
            linear kernels, whose n x n matrices are never made: the rows of a centred one sum to
            zero, so that without its diagonal they sum to -|a_i|². Biased: |C_ab|² / (n - 1)²
CKA         HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b)) (Kornblith et al. 2019, arXiv:1905.00414)

What no alignment can exceed: R² the share of C_bb in its first rank(a) axes; with eigenvalues l
of C_aa and m of C_bb in order, CKA sum l m / (|l| |m|), and Procrustes
(sum sqrt(l m))² / (sum l sum m) (both by von Neumann's trace inequality).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import Procrustes, above_cut_off
from identikit.probing.linear import equal_norm
from identikit.probing.moments import Moments
from identikit.probing.regression import GAIN, PENALTIES

LEAST_COMMON_SAMPLES = 16
SVCCA_SHARE = 0.99
EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Statistics of matched rows of a and b: means, and sums of centred products."""

    n: int
    mean_a: Float[Tensor, " p"]
    mean_b: Float[Tensor, " q"]
    aa: Float[Tensor, "p p"]
    ab: Float[Tensor, "p q"]
    bb: Float[Tensor, "q q"]

    @classmethod
    def of(cls, joint: Moments, *, p: int) -> "Pair":
        """From the moments of rows (a, b)."""
        return cls(
            n=joint.n,
            mean_a=joint.mean_h[:p],
            mean_b=joint.mean_h[p:],
            aa=joint.hh[:p, :p],
            ab=joint.hh[:p, p:],
            bb=joint.hh[p:, p:],
        )

    def with_cross(self, ab: Float[Tensor, "p q"]) -> "Pair":
        """The same rows of a and of b, matched in another way."""
        return replace(self, ab=ab)

    def alone(self, *, eps: float) -> Moments:
        """Of a by itself.

        Args:
            eps: Relative rounding of its numbers as they came.
        """
        none = self.aa.new_empty(len(self.aa), 0)
        return Moments(
            n=self.n,
            mean_h=self.mean_a,
            mean_y=none[0],
            hh=self.aa,
            hy=none,
            yy=none[0],
            eps=eps,
        )

    def turned(self) -> "Pair":
        """The same with a and b in each other's place."""
        return Pair(
            n=self.n, mean_a=self.mean_b, mean_b=self.mean_a, aa=self.bb, ab=self.ab.T, bb=self.aa
        )

    def within(self, a: "Space", b: "Space") -> "Pair":
        """Of the coordinates in a subspace of each."""
        return Pair(
            n=self.n,
            mean_a=a.inner(self.mean_a),
            mean_b=b.inner(self.mean_b),
            aa=a.inner(a.inner(self.aa).T),
            ab=b.inner(a.inner(self.ab.T).T),
            bb=b.inner(b.inner(self.bb).T),
        )

    def about(self, other: "Pair") -> "Pair":
        """Sums of products of the rows less the means of others; the means are what is left."""
        a, b = self.mean_a - other.mean_a, self.mean_b - other.mean_b
        n = self.n
        return Pair(
            n=n,
            mean_a=a,
            mean_b=b,
            aa=self.aa + n * torch.outer(a, a),
            ab=self.ab + n * torch.outer(a, b),
            bb=self.bb + n * torch.outer(b, b),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The directions in which the training rows of one representation vary, or of a part of it."""

    into: Float[Tensor, "p r"] | None
    """From its columns to orthonormal coordinates; None where these are the columns."""
    own: Float[Tensor, "d r"] | None
    """Of the coordinates, in the dimensions that the representation came with; None for these."""
    whiten: Float[Tensor, "r k"]
    """K with K' C K = 1, one column for each direction in which the part varies."""
    whiten_top: Float[Tensor, "r k99"]
    """Those of the first principal axes, which hold 99 % of the variance."""
    spectrum: Float[Tensor, " r"]
    """Eigenvalues of C, the largest first."""
    alive: Bool[Tensor, " d"]
    """Which of its own dimensions vary."""

    @property
    def rank(self) -> int:
        """Directions in which it varies."""
        return self.whiten.shape[1]

    def inner(self, a: Float[Tensor, "*n p"]) -> Float[Tensor, "*n r"]:
        """Coordinates of centred rows."""
        return a if self.into is None else a @ self.into

    def outer(self, a: Float[Tensor, "*n r"]) -> Float[Tensor, "*n d"]:
        """Rows of coordinates in the dimensions that the representation came with."""
        return a if self.own is None else a @ self.own.T

    def own_diagonal(self, a: Float[Tensor, "r r"]) -> Float[Tensor, " d"]:
        """Of a matrix of products of coordinates, for the dimensions that came."""
        return a.diagonal() if self.own is None else ((self.own @ a) * self.own).sum(dim=1)


def require_common(n: int) -> None:
    """Enough samples that both sets have, or an error that says how many there are.

    Raises:
        InputError: fewer than are needed.
    """
    if n < LEAST_COMMON_SAMPLES:
        raise InputError(
            f"A and B have {n} samples in common; at least {LEAST_COMMON_SAMPLES} are needed to "
            "fit maps on some and score them on others."
        )


def whole_space(moments: Moments, *, basis: Float[Tensor, "d p"] | None = None) -> Space:
    """All directions, of columns at equal norm, above the cut-off of `linalg`.

    Args:
        moments: Of the training rows.
        basis: Orthonormal, where the columns are coordinates in it.
    """
    gram, _, unit, worst = equal_norm(moments, intercept=True)
    values, vectors = torch.linalg.eigh(gram)
    kept = above_cut_off(values, shape=(moments.n, len(gram)), noise=worst, squared=True)
    spectrum, axes = (x.flip(-1) for x in torch.linalg.eigh(moments.hh))
    alive = unit[:, 0] > 0
    if basis is not None:
        alive = ((basis @ moments.hh) * basis).sum(dim=1) > _rounding(moments)
    return Space(
        into=None,
        own=basis,
        whiten=unit * vectors[:, kept] / values[kept].sqrt(),
        whiten_top=_top(spectrum, axes, most=int(kept.sum())),
        spectrum=spectrum.clamp(min=0),
        alive=alive,
    )


def part_space(
    moments: Moments,
    directions: Float[Tensor, "d k"],
    *,
    basis: Float[Tensor, "d p"] | None = None,
) -> Space | None:
    """The part in a subspace; None where what is there is no more than rounding.

    What rounding h, or the head, leaves in a subspace is no information, however well a map can
    scale it: a direction counts from four times the rounding of a whole row.

    Args:
        moments: Of the training rows.
        directions: Orthonormal, in the dimensions that the representation came with.
        basis: Orthonormal, where the columns are coordinates in it.
    """
    into = directions if basis is None else basis.T @ directions
    n, p = moments.n, len(moments.hh)
    values, vectors = (x.flip(-1) for x in torch.linalg.eigh(into.T @ moments.hh @ into))
    least = _rounding(moments)
    kept = values > torch.maximum(least, EPS * max(n, p) * moments.hh.trace())
    if not bool(kept.any()):
        return None
    values, vectors = values[kept], vectors[:, kept]
    own = directions @ vectors
    return Space(
        into=into @ vectors,
        own=own,
        whiten=(1 / values.sqrt()).diag(),
        whiten_top=_top(values, torch.eye(len(values), dtype=values.dtype), most=len(values)),
        spectrum=values,
        alive=own.square() @ values > least,
    )


def _rounding(moments: Moments) -> Tensor:
    """Sum of squares along any direction that rounding can leave: of four times that of a row."""
    return 16 * moments.n * moments.noise().square().sum()


def _top(spectrum: Tensor, axes: Tensor, *, most: int) -> Tensor:
    share = spectrum.clamp(min=0).cumsum(0) / spectrum.clamp(min=0).sum()
    k = min(int((share < SVCCA_SHARE).sum()) + 1, most)
    return axes[:, :k] / spectrum[:k].sqrt()


def linear_map(train: Pair, space: Space, *, penalty: float = 0.0) -> Float[Tensor, "p q"]:
    """From a to b: of least squares, of least norm at equal norm of columns, or of ridge."""
    if not penalty:
        return space.whiten @ (space.whiten.T @ train.ab)
    ridged = train.aa.clone()
    ridged.diagonal().add_(penalty * train.aa.trace())
    return torch.cholesky_solve(train.ab, torch.linalg.cholesky(ridged))


def scaled_rotation(train: Pair) -> Procrustes:
    """The scaled rotation from a to b; the narrower is filled up with zero columns."""
    return Procrustes.of(train.ab, norm=train.aa.trace().item())


def choose_penalty(errors: list[Float[Tensor, " maps"]]) -> float:
    """0 for least squares, unless it overfits: then that of ridge with the least error.

    Penalties are in units of tr C_aa, as for linear probes (`regression`).

    Args:
        errors: The `left_out_errors` of every fold of the training rows.
    """
    plain, *ridged = torch.stack(errors).sum(dim=0)
    least, best = torch.stack(ridged).min(dim=0)
    return PENALTIES[int(best)] if bool(least < GAIN * plain) else 0.0


def left_out_errors(train: Pair, test: Pair) -> Float[Tensor, " maps"]:
    """Squared error on the rows left out: of least squares, then of ridge with every penalty.

    In axes of C_aa all maps are D V'C_ab with diagonal D, so that |A M|² = d'(H * G) d.
    """
    test = test.about(train)
    values, vectors = torch.linalg.eigh(train.aa)
    kept = above_cut_off(values, shape=(train.n, len(values)), noise=0.0, squared=True)
    turned = vectors.T @ train.ab
    linear = (turned * (vectors.T @ test.ab)).sum(dim=1)
    square = (vectors.T @ test.aa @ vectors) * (turned @ turned.T)
    penalties = values.new_tensor((0.0, *PENALTIES)) * train.aa.trace()
    weight = kept / torch.where(kept, values, 1.0).add(penalties[:, None])
    errors: Tensor = test.bb.trace() - 2 * weight @ linear + ((weight @ square) * weight).sum(dim=1)
    if train.n <= len(values) + 1:
        errors[0] = torch.inf
    return errors


def explained(
    train: Pair, test: Pair, map_: Float[Tensor, "p q"], *, target: Space
) -> tuple[float, float]:
    """R² on held-out rows, weighted by variance, and its mean over the dimensions that vary.

    Args:
        train: Its means are where the map is pinned.
        test: Of the rows to score.
        map_: From coordinates of a to those of b.
        target: The space of b.
    """
    off = test.about(train)
    cross = map_.T @ off.ab
    error = target.own_diagonal(off.bb - cross - cross.T + map_.T @ off.aa @ map_)
    spread = target.own_diagonal(test.bb)
    each = 1 - error / spread.where(target.alive & (spread > 0), torch.nan)
    return 1 - (error.sum() / spread.sum()).item(), each.nanmean().item()


def explained_by_turning(train: Pair, test: Pair, turn: Procrustes) -> float:
    """R² on held-out rows of a scaled rotation; what it moves into columns filled up is error.

    Args:
        train: Its means are where the map is pinned.
        test: Of the rows to score.
        turn: From coordinates of a to those of b.
    """
    off = test.about(train)
    inner = (turn.rotation * off.ab).sum()
    error = off.bb.trace() - 2 * turn.scale * inner + turn.scale**2 * off.aa.trace()
    return 1 - (error / test.bb.trace()).item()


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """Pairs of directions, in coordinates, and their correlations on the rows fitted."""

    a: Float[Tensor, "p k"]
    b: Float[Tensor, "q k"]
    fitted: Float[Tensor, " k"]

    def held_out(self, test: Pair) -> Float[Tensor, " k"]:
        """Their correlations on other rows; 0 where one side does not vary."""
        return correlations(
            ((self.a.T @ test.aa) * self.a.T).sum(dim=1),
            ((self.a.T @ test.ab) * self.b.T).sum(dim=1),
            ((self.b.T @ test.bb) * self.b.T).sum(dim=1),
        )


def canonical(
    train: Pair, whiten_a: Float[Tensor, "p ka"], whiten_b: Float[Tensor, "q kb"]
) -> Canonical | None:
    """Canonical correlations; None where rows are too few: then some are 1 for any two sets."""
    if train.n - 1 <= whiten_a.shape[1] + whiten_b.shape[1]:
        return None
    u, s, vt = torch.linalg.svd(whiten_a.T @ train.ab @ whiten_b, full_matrices=False)
    return Canonical(a=whiten_a @ u, b=whiten_b @ vt.T, fitted=s.clamp(max=1))


def correlations(
    xx: Float[Tensor, "*k"], xy: Float[Tensor, "*k"], yy: Float[Tensor, "*k"]
) -> Float[Tensor, "*k"]:
    """Of centred sums of products; 0 where one side does not vary."""
    square = xx.clamp(min=0) * yy.clamp(min=0)
    return torch.where(square > 0, xy / square.where(square > 0, 1.0).sqrt(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """Sums over rows of |a|²|a|², |a|²|b|² and |b|²|b|²: what the unbiased HSIC takes off."""

    aa: float
    ab: float
    bb: float


def unbiased_hsic(pair: Pair, products: Products) -> Float[Tensor, "3"]:
    """HSIC(a, a), HSIC(a, b) and HSIC(b, b) with linear kernels (Song et al. 2012)."""
    n, ta, tb = pair.n, pair.aa.trace(), pair.bb.trace()
    norms = torch.stack([x.square().sum() for x in (pair.aa, pair.ab, pair.bb)])
    traces = torch.stack([ta * ta, ta * tb, tb * tb])
    s = norms.new_tensor([products.aa, products.ab, products.bb])
    return (norms - s + traces / ((n - 1) * (n - 2)) - 2 * s / (n - 2)) / (n * (n - 3))


def biased_cka(pair: Pair) -> float:
    """|C_ab|² / (|C_aa| |C_bb|); near 1 for any two sets where dimensions outnumber rows."""
    aa, ab, bb = (x.square().sum().item() for x in (pair.aa, pair.ab, pair.bb))
    return float(ab / (aa * bb) ** 0.5)


def cka(hsic: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b)); NaN where one of these is not above 0."""
    aa, ab, bb = hsic.unbind(dim=-1)
    scale = (aa.clamp(min=0) * bb.clamp(min=0)).sqrt()
    return ab / scale.where(scale > 0, torch.nan)


def ceilings(a: Space, b: Space) -> dict[str, float]:
    """What no alignment of two spaces with these spectra can exceed, for each measure."""
    k = min(len(a.spectrum), len(b.spectrum))
    x, y = a.spectrum[:k], b.spectrum[:k]
    total_a, total_b = a.spectrum.sum(), b.spectrum.sum()
    turned = ((x * y).sqrt().sum().square() / (total_a * total_b)).item()
    aligned = ((x * y).sum() / (a.spectrum.norm() * b.spectrum.norm())).item()
    return {
        "r2_ab": _reach(b, a.rank),
        "r2_ba": _reach(a, b.rank),
        "procrustes_ab": turned,
        "procrustes_ba": turned,
        "cca": 1.0,
        "svcca": 1.0,
        "cka": aligned,
        "cka_biased": aligned,
    }


def _reach(target: Space, rank: int) -> float:
    if rank >= target.rank:
        return 1.0
    return (target.spectrum[:rank].sum() / target.spectrum.sum()).item()
