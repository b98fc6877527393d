"""How little excess loss a distortion of h costs, so how far R² may stray at a given excess.

With h* the optimum and h = h* + delta, to second order (first-order terms of the loss vanish there)

    excess ~ E_z [1/2 Var_q(l_i(z)) + sum_i (q_i - p_i) dw_i . delta(z)],
    l_i = w_i . delta(z) + dw_i . h*(z),

which for fixed rows is 1/2 E delta' F(z) delta with F(z) = Cov_q(w) the Fisher information
of the label in h; p is the true posterior, q the optimum's, and they are equal where the
width suffices. R² is that of an affine probe, mean over latents, and changes twice:

* To first order by E g(z) . delta(z), g = mean_j 2 r_j a_j / Var(z_j), with a_j the linear probe of
  latent j and r_j what it misses: nothing at a ceiling of 1, where nothing is missed, and
  either way below it. At a given excess this is at most s sqrt(excess), s² = 2 g' M^-1 g with M
  the second derivative of the loss.
* To second order delta = B phi(z), phi polynomials of h* less their affine part, loses
  tr(G B Cov(phi) B'). The cheapest distortion is the least generalised eigenvalue of one
  quadratic form against the other.

Rows dw and a shift of h, which could answer to delta, do their best in both (Schur complement;
an affine change of h is a change of rows). Derivation (ours) on the loss of arXiv:2410.21869,
equation 2. features are (n, m), rows (k, m), phi (n, p), B (m, p).
"""

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import centred, least_squares
from identikit.theory.cases import Case
from identikit.theory.optimum import Optimum, rank_optimum
from identikit.worlds.world import ClusterWorld

MAX_UNKNOWNS = 1000  # size of an eigenproblem that takes about a second
MAX_DIRECTIONS = 20  # coordinates of h that are distorted: all, or the first (strongest)
MAX_SAMPLES = 2048  # over which distortions are averaged
FLOOR = 1e-12  # nats: what float64 sees of a loss
SLOPE_CHUNK = 128  # samples at a time
NO_COST = 1e-8  # relative: affine changes of h, which rows undo, cost this or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What distortions of the optimal representation cost, in nats of excess loss."""

    cheapest: float
    """Least excess in nats per unit of R² lost, over the polynomial distortions; of more than
    20 dimensions the strongest 20 are distorted, and the least of all may be less."""
    equipartition: float
    """The same where every polynomial distortion carries the same share of the excess, so
    that most of the R² is lost in the cheap ones: what to expect of slow training."""
    typical: float
    """The same for a distortion without structure: equal size in all directions (in units
    of each latent's spread), unrelated to z, nothing of it answered by the head."""
    slope: float
    """s: R² changes by up to s sqrt(excess), up or down, by the same polynomials. 0 where the
    ceiling is 1."""
    steepest: float
    """s of a distortion that is free at each sample, polynomial or not: no encoder's is larger."""
    degree: int
    """Highest degree of the polynomials searched: 3, or 2 where there are too many."""
    ceiling_excess: float
    """Excess of the undistorted optimum in nats, to be taken off a run's own."""
    samples: int

    def above(self, excess: float) -> float:
        """What of an excess is not the optimum's own, in nats."""
        return max(0.0, excess - self.ceiling_excess)

    def r2_range(self, excess: float, *, ceiling_r2: float) -> tuple[float, float]:
        """Between which R² a run of this excess lies, around the R² of the optimum.

        First order free at each sample, second order by the cheapest polynomial; good for
        errors that are small, and near this optimum.
        """
        above = self.above(excess)
        stray = self.steepest * math.sqrt(above)
        low = ceiling_r2 * (1 - above / self.cheapest) - stray
        return max(0.0, low), min(1.0, ceiling_r2 + stray)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistortionForms:
    """Quadratic forms over B, flattened to (p m): excess and lost R² of delta = B phi."""

    phi: Float[Tensor, "n p"]
    """Distortion features: zero mean, unit covariance, uncorrelated with h*."""
    cost: Float[Tensor, "pm pm"]
    """vec(B)' cost vec(B) is the excess in nats."""
    weight: Float[Tensor, "m m"]
    """G: B phi loses tr(B' G B) of R²."""
    gain: Float[Tensor, " pm"]
    """vec(B) . gain is what R² gains to first order."""


def loss_sensitivity(
    world: ClusterWorld,
    *,
    dim: int | None = None,
    samples: int = 2048,
    optimum: Optimum | None = None,
    generator: torch.Generator,
) -> Sensitivity:
    """Compute the curvature of the loss around the optimum of a world.

    Args:
        world: Whose log-density is known.
        dim: Width of the representation; by default the number of latents.
        samples: Number of z on which the optimum is found.
        optimum: Of this world and width; found if not given. From one of unit norm the search for
            free features and rows goes on.
        generator: On the world's device.

    Raises:
        InputError: dim < 1 or too few samples for it.
    """
    if optimum is None:
        width = dim or world.dim
        optimum = rank_optimum(world, dim=width, samples=samples, generator=generator)
    elif optimum.case is not Case.C4:
        optimum = optimum.freed()
    m = min(MAX_DIRECTIONS, optimum.features.shape[1])
    degree = 3 if m * math.comb(m + 3, 3) <= MAX_UNKNOWNS else 2
    forms = distortion_forms(optimum, degree=degree)
    rates = distortion_rates(forms)
    slope = (forms.gain @ pseudo_inverse(2 * forms.cost) @ forms.gain).clamp(min=0)
    return Sensitivity(
        cheapest=rates[0].item(),
        equipartition=1 / rates.reciprocal().mean().item(),
        typical=typical_rate(optimum, probe_weight(optimum.features, optimum.z)),
        slope=math.sqrt(2 * slope.item()),
        steepest=steepest_slope(optimum, degree=degree),
        degree=degree,
        ceiling_excess=optimum.excess,
        samples=len(optimum.z),
    )


def monomials(a: Float[Tensor, "n m"], *, degrees: range) -> Float[Tensor, "n p"]:
    """Products of standardised columns, of all the given degrees."""
    unit = centred(a) / a.std(dim=0)
    products = [
        unit[:, list(which)].prod(dim=1)
        for degree in degrees
        for which in combinations_with_replacement(range(a.shape[1]), degree)
    ]
    return torch.stack(products, dim=1)


def distortion_features(h: Float[Tensor, "n m"], *, degree: int) -> Float[Tensor, "n p"]:
    """Monomials of degree 2 and up, less their affine regression on h, whitened.

    Directions that the regression leaves empty (|z|² is constant on a sphere) are dropped.
    """
    raw = monomials(h, degrees=range(2, degree + 1))
    raw = raw / raw.std(dim=0)
    residual = raw - least_squares(h, raw).predict(h)
    u, s, _ = torch.linalg.svd(residual, full_matrices=False)
    kept = min(MAX_UNKNOWNS // h.shape[1], int((s > 1e-6 * s[0]).sum()))
    white: Tensor = u[:, :kept] * len(h) ** 0.5
    return white


def head_features(rows: Float[Tensor, "k m"], *, degree: int) -> Float[Tensor, "k r"]:
    """How head rows may answer: each on its own, or for many as a polynomial of the row.

    One degree above the distortion's: that came within 6 % of free rows (300 classes, d = 5).
    """
    k, m = rows.shape
    if k * m <= MAX_UNKNOWNS:
        return torch.eye(k, dtype=rows.dtype, device=rows.device)
    top = degree + 1 if math.comb(m + degree + 1, m) <= 2 * MAX_UNKNOWNS else degree
    powers = monomials(rows, degrees=range(1, top + 1))
    with_one = torch.cat([torch.ones_like(powers[:, :1]), powers], dim=1)
    u, s, _ = torch.linalg.svd(with_one / with_one.norm(dim=0), full_matrices=False)
    basis: Tensor = u[:, : min(MAX_UNKNOWNS // m, int((s > 1e-6 * s[0]).sum()))]
    return basis


def distortion_forms(optimum: Optimum, *, degree: int) -> DistortionForms:
    """Both quadratic forms, with the answers of head and shift taken out of the cost."""
    features = optimum.features[:MAX_SAMPLES]
    h, rows = features[:, :MAX_DIRECTIONS], optimum.rows[:, :MAX_DIRECTIONS]
    phi = distortion_features(h, degree=degree)
    p, m = phi.shape[1], h.shape[1]
    q = optimum.log_model(features).exp()
    missed = q - optimum.log_posterior[:MAX_SAMPLES].exp()
    with_shift = torch.cat([phi, torch.ones_like(phi[:, :1])], dim=1)
    across, answer = head_forms(with_shift, h, q, missed, rows, head_features(rows, degree=degree))
    left = fisher_form(with_shift, q, rows) - across @ pseudo_inverse(answer) @ across.T
    free, shift, cross = left[: p * m, : p * m], left[p * m :, p * m :], left[: p * m, p * m :]
    cost = free - cross @ pseudo_inverse(shift) @ cross.T
    weight = probe_weight(optimum.features, optimum.z)[:m, :m]
    gain = phi.T @ probe_gain(optimum)[:MAX_SAMPLES, :m] / len(phi)
    return DistortionForms(phi=phi, cost=(cost + cost.T) / 4, weight=weight, gain=gain.flatten())


def fisher_form(
    phi: Float[Tensor, "n p"], q: Float[Tensor, "n k"], rows: Float[Tensor, "k m"]
) -> Float[Tensor, "pm pm"]:
    """E[phi phi' (x) Cov_q(w)]."""
    n, p = phi.shape
    m = rows.shape[1]
    fisher = fisher_information(q, rows)
    form = torch.empty(p, m, p, m, dtype=phi.dtype, device=phi.device)
    for a in range(m):
        for b in range(m):
            form[:, a, :, b] = phi.T @ (fisher[:, a, b, None] * phi) / n
    return form.reshape(p * m, p * m)


def fisher_information(
    q: Float[Tensor, "n k"], rows: Float[Tensor, "k m"]
) -> Float[Tensor, "n m m"]:
    """Cov_q(w) for each sample."""
    k, m = rows.shape
    mean = q @ rows
    second = q @ (rows[:, :, None] * rows[:, None, :]).reshape(k, m * m)
    fisher: Tensor = second.reshape(-1, m, m) - mean[:, :, None] * mean[:, None, :]
    return fisher


def head_forms(
    phi: Float[Tensor, "n p"],
    h: Float[Tensor, "n m"],
    q: Float[Tensor, "n k"],
    missed: Float[Tensor, "n k"],
    rows: Float[Tensor, "k m"],
    basis: Float[Tensor, "k r"],
) -> tuple[Float[Tensor, "pm rm"], Float[Tensor, "rm rm"]]:
    """E [Cov_q(w . delta, dw . h) + missed' dw delta] and E Var_q(dw . h), rows within the basis.

    `missed` is q - p.
    """
    (n, p), m, r = phi.shape, rows.shape[1], basis.shape[1]
    mean, q_basis = q @ rows, q @ basis
    across = torch.empty(p, m, r, m, dtype=phi.dtype, device=phi.device)
    within = torch.empty(r, m, r, m, dtype=phi.dtype, device=phi.device)
    for a in range(m):
        joint = (q * rows[:, a]) @ basis - mean[:, a, None] * q_basis  # Cov_q(w_a, basis)
        for b in range(m):
            across[:, a, :, b] = phi.T @ (h[:, b, None] * joint) / n
            if a == b:
                across[:, a, :, b] += phi.T @ (missed @ basis) / n
            both = (h[:, a] * h[:, b])[:, None]
            spread = basis.T @ ((both * q).mean(dim=0)[:, None] * basis)
            within[:, a, :, b] = spread - q_basis.T @ (both * q_basis) / n
    return across.reshape(p * m, r * m), within.reshape(r * m, r * m)


def pseudo_inverse(form: Float[Tensor, "p p"], *, rtol: float = 1e-10) -> Float[Tensor, "p p"]:
    """Of a positive semi-definite form; directions without cost (a shift of all rows) drop."""
    inverse: Tensor = torch.linalg.pinv((form + form.T) / 2, rtol=rtol, hermitian=True)
    return inverse


def probe_gain(optimum: Optimum) -> Float[Tensor, "n m"]:
    """g(z): R² gains E g . delta to first order (the linear probe's own change does not count)."""
    fit = least_squares(optimum.features, optimum.z)
    missed = optimum.z - fit.predict(optimum.features)
    return (
        (2 / optimum.z.shape[1]) * (missed / optimum.z.var(dim=0, correction=0)) @ fit.coefficient.T
    )


def steepest_slope(optimum: Optimum, *, degree: int) -> float:
    """The largest s, of distortions that are free at each sample.

    Given rows each sample's delta has a closed form, F^-1 (g - A dw), so that only the rows'
    answer is left to solve for.
    """
    h, rows = optimum.features[:MAX_SAMPLES], optimum.rows
    basis = head_features(rows, degree=degree)
    q = optimum.log_model(h).exp()
    missed = (q - optimum.log_posterior[:MAX_SAMPLES].exp()) @ basis
    n = len(h)
    fisher = fisher_information(q, rows)
    values, vectors = torch.linalg.eigh(fisher)
    least = FLOOR * values[:, -1].mean() + torch.finfo(torch.float32).tiny  # whose root is a number
    whiten = values.clamp(min=least).rsqrt()[:, :, None] * vectors.mT
    gain = whiten @ probe_gain(optimum)[:MAX_SAMPLES, :, None]
    _, within = head_forms(torch.ones_like(h[:, :1]), h, q, q, rows, basis)
    pull = torch.zeros_like(within[0])
    for part in torch.split(torch.arange(n, device=h.device), SLOPE_CHUNK):
        joint = torch.einsum("nk,ka,kr->nar", q[part], rows, basis)
        joint -= (q[part] @ rows)[:, :, None] * (q[part] @ basis)[:, None, :]
        across = joint[:, :, :, None] * h[part][:, None, None, :]
        across.diagonal(dim1=1, dim2=3).add_(missed[part][:, :, None])
        answered = whiten[part] @ across.flatten(2)
        within -= answered.flatten(0, 1).T @ answered.flatten(0, 1) / n
        pull += answered.flatten(0, 1).T @ gain[part].flatten() / n
    answer = (pull @ pseudo_inverse(within, rtol=NO_COST) @ pull).clamp(min=0)
    slope = math.sqrt(2 * float(gain.square().sum() / n + answer))
    return min(slope, 1 / math.sqrt(FLOOR))  # that changes R² by 1 at a loss that nobody sees


def probe_weight(h: Float[Tensor, "n m"], z: Float[Tensor, "n d"]) -> Float[Tensor, "m m"]:
    """G = mean_j a_j a_j' / Var(a_j . h), a_j the affine probe of latent j from h.

    R² is lost relative to what h itself says of z, so that the ceiling is no part of it.
    """
    maps = least_squares(h, z).coefficient
    unit = maps / (centred(h) @ maps).std(dim=0)
    return unit @ unit.T / maps.shape[1]


def inverse_root(weight: Float[Tensor, "m m"]) -> Float[Tensor, "m r"]:
    """R with R' G R = 1 on the directions of h that some latent is read from."""
    values, vectors = torch.linalg.eigh(weight)
    read = values > 1e-9 * values[-1]
    root: Tensor = vectors[:, read] * values[read].rsqrt()
    return root


def distortion_rates(forms: DistortionForms) -> Float[Tensor, " rates"]:
    """Excess per unit of lost R², rising: generalised eigenvalues of the two forms.

    phi is white, so R² is lost at the rate 1 (x) G.
    """
    p, m = forms.phi.shape[1], len(forms.weight)
    root = inverse_root(forms.weight)
    cost = forms.cost.reshape(p, m, p, m)
    scaled = torch.einsum("ba,pbqc,cd->paqd", root, cost, root).flatten(0, 1).flatten(1, 2)
    rates: Tensor = torch.linalg.eigvalsh(scaled).clamp(min=FLOOR)
    return rates


def typical_rate(optimum: Optimum, weight: Float[Tensor, "m m"]) -> float:
    """1/2 tr(E[F] G^-1) / m: distortion that is white in the frame where G is the identity."""
    q = optimum.log_model(optimum.features).exp()
    mean = q @ optimum.rows
    fisher = (q.mean(dim=0)[:, None] * optimum.rows).T @ optimum.rows - mean.T @ mean / len(mean)
    root = inverse_root(weight)
    return 0.5 * float((root.T @ fisher @ root).trace()) / root.shape[1]
