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
* To second order delta = B phi(z), phi polynomials of h*, loses E r' G r, r what an affine map of
  h* leaves of it. The cheapest distortion is the least generalised eigenvalue of one quadratic form
  against the other.

Rows dw, which could answer to delta, do their best in both, and so do affine changes of h, which
lose nothing (Schur complements). What has unit norm keeps it: features move in the plane that
touches the sphere, P delta, P = 1 - h h', rows in theirs and, with features of unit norm, by one
common factor; on a sphere the second derivative is Riemann's, F less (q - p)' W h, and the same for
rows. Derivation (ours) on the loss of arXiv:2410.21869, equation 2. features are (n, m), rows
(k, m), phi (n, p), B (p, m).
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
    """Quadratic forms over B, flattened to (p m): excess and lost R² of delta = P (phi B)."""

    phi: Float[Tensor, "n p"]
    """Polynomials of h*, white: a constant, linear ones (not in C4), those of higher degree."""
    tangent: Float[Tensor, "n m m"]
    """P of each sample: where h may go."""
    cost: Float[Tensor, "pm pm"]
    """vec(B)' cost vec(B) is the excess in nats."""
    lost: Float[Tensor, "pm pm"]
    """vec(B)' lost vec(B) is the lost R²."""
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
        optimum: Of this world and width; found for free features and rows, if not given.
        generator: On the world's device.

    Raises:
        InputError: dim < 1 or too few samples for it.
    """
    if optimum is None:
        width = dim or world.dim
        optimum = rank_optimum(world, dim=width, samples=samples, generator=generator)
    m = min(MAX_DIRECTIONS, optimum.features.shape[1])
    degree = 3 if m * math.comb(m + 3, 3) <= MAX_UNKNOWNS else 2
    forms = distortion_forms(optimum, degree=degree)
    rates = distortion_rates(forms)
    slope = (forms.gain @ pseudo_inverse(2 * forms.cost) @ forms.gain).clamp(min=0)
    return Sensitivity(
        cheapest=rates[0].item(),
        equipartition=1 / rates.reciprocal().mean().item(),
        typical=typical_rate(optimum),
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


def polynomials(h: Float[Tensor, "n m"], *, degree: int) -> Float[Tensor, "n p"]:
    """Monomials up to a degree, white, empty directions (|z|² on a sphere) dropped."""
    raw = monomials(h, degrees=range(1, degree + 1))
    affine = torch.cat([torch.ones_like(h[:, :1]), raw[:, : h.shape[1]]], dim=1)
    basis = torch.linalg.qr(affine).Q
    rest = raw[:, h.shape[1] :] / raw[:, h.shape[1] :].std(dim=0)
    u, s, _ = torch.linalg.svd(rest - basis @ (basis.T @ rest), full_matrices=False)
    kept = min(MAX_UNKNOWNS // h.shape[1], int((s > 1e-6 * s[0]).sum()))
    white: Tensor = torch.cat([basis, u[:, :kept]], dim=1) * len(h) ** 0.5
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
    """Both quadratic forms, with the answers of the head taken out of the cost."""
    features = optimum.features[:MAX_SAMPLES]
    h, rows = features[:, :MAX_DIRECTIONS], optimum.rows[:, :MAX_DIRECTIONS]
    phi, case, m = polynomials(h, degree=degree), optimum.case, h.shape[1]
    affine = phi[:, : m + 1] / len(h) ** 0.5
    if case is Case.C4:  # where rows undo whatever is linear in h
        phi = torch.cat([phi[:, :1], phi[:, m + 1 :]], dim=1)
    q = optimum.log_model(features).exp()
    missed = q - optimum.log_posterior[:MAX_SAMPLES].exp()
    tangent = tangents(h, case)
    basis, allowed, answer = head_answers(h, q, missed, rows, degree=degree, case=case)
    across = torch.zeros(phi.shape[1], m * len(allowed), dtype=phi.dtype, device=h.device)
    for part in chunks(len(h)):
        across += phi[part].T @ crossing(optimum, part, rows, basis).flatten(1) / len(h)
    across = across.reshape(-1, len(allowed)) @ allowed
    cost = field_form(phi, curvature(h, q, missed, rows, case))
    cost -= across @ pseudo_inverse(answer) @ across.T
    weight = probe_weight(optimum.features, optimum.z)[:m, :m]
    lost = field_form(phi, tangent @ weight @ tangent)
    for one in affine.T:  # what an affine map makes good
        fitted = torch.einsum("n,nca,nb->cba", one, tangent, phi).flatten(1)
        lost -= fitted.T @ weight @ fitted / len(h)
    gain = phi.T @ (tangent @ probe_gain(optimum)[: len(h), :m, None])[:, :, 0] / len(h)
    cost, lost = (cost + cost.T) / 4, (lost + lost.T) / 2
    return DistortionForms(phi=phi, tangent=tangent, cost=cost, lost=lost, gain=gain.flatten())


def tangents(h: Float[Tensor, "n m"], case: Case) -> Float[Tensor, "n m m"]:
    """P of each sample: the plane that touches the sphere, or all directions."""
    eye = torch.eye(h.shape[1], dtype=h.dtype, device=h.device).expand(len(h), -1, -1)
    return eye - h[:, :, None] * h[:, None, :] if case.unit_features else eye


def curvature(
    h: Float[Tensor, "n m"],
    q: Float[Tensor, "n k"],
    missed: Float[Tensor, "n k"],
    rows: Float[Tensor, "k m"],
    case: Case,
) -> Float[Tensor, "n m m"]:
    """The second derivative of the loss by each sample's h, where h may go."""
    fisher, tangent = fisher_information(q, rows), tangents(h, case)
    if not case.unit_features:
        return fisher
    radial = (missed @ rows * h).sum(1)[:, None, None]
    return tangent @ fisher @ tangent - radial * tangent


def field_form(
    phi: Float[Tensor, "n p"], matrices: Float[Tensor, "n m m"]
) -> Float[Tensor, "pm pm"]:
    """E[phi phi' (x) M]."""
    (n, p), m = phi.shape, matrices.shape[1]
    form = torch.empty(p, m, p, m, dtype=phi.dtype, device=phi.device)
    for a in range(m):
        for b in range(m):
            form[:, a, :, b] = phi.T @ (matrices[:, a, b, None] * phi) / n
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


def crossing(
    optimum: Optimum, part: slice, rows: Float[Tensor, "k m"], basis: Float[Tensor, "k r"]
) -> Float[Tensor, "n m rm"]:
    """P [Cov_q(w, dw . h) + missed' dw] of each sample: how rows within the basis answer a move."""
    features = optimum.features[:MAX_SAMPLES][part]
    h, q = features[:, : rows.shape[1]], optimum.log_model(features).exp()
    missed = (q - optimum.log_posterior[:MAX_SAMPLES][part].exp()) @ basis
    joint = torch.einsum("nk,ka,kr->nar", q, rows, basis)
    joint -= (q @ rows)[:, :, None] * (q @ basis)[:, None, :]
    across = joint[:, :, :, None] * h[:, None, None, :]
    across.diagonal(dim1=1, dim2=3).add_(missed[:, :, None])
    return tangents(h, optimum.case) @ across.flatten(2)


def head_answers(
    h: Float[Tensor, "n m"],
    q: Float[Tensor, "n k"],
    missed: Float[Tensor, "n k"],
    rows: Float[Tensor, "k m"],
    *,
    degree: int,
    case: Case,
) -> tuple[Float[Tensor, "k r"], Float[Tensor, "rm s"], Float[Tensor, "s s"]]:
    """A basis of rows, where rows may go in it, and E Var_q(dw . h) there.

    `missed` is q - p. Rows of unit norm keep it where each answers on its own; the many that answer
    through polynomials are free, which makes a distortion cheaper, not dearer.
    """
    basis = head_features(rows, degree=degree)
    n, m, r = len(h), rows.shape[1], basis.shape[1]
    q_basis = q @ basis
    within = torch.empty(r, m, r, m, dtype=h.dtype, device=h.device)
    for a in range(m):
        for b in range(m):
            both = (h[:, a] * h[:, b])[:, None]
            spread = basis.T @ ((both * q).mean(dim=0)[:, None] * basis)
            within[:, a, :, b] = spread - q_basis.T @ (both * q_basis) / n
    form = within.reshape(r * m, r * m)
    if not case.unit_rows or r < len(rows):
        return basis, torch.eye(r * m, dtype=h.dtype, device=h.device), form
    allowed, bent = row_tangents(h, missed, rows, case)
    return basis, allowed, allowed.T @ (form - bent) @ allowed


def row_tangents(
    h: Float[Tensor, "n m"], missed: Float[Tensor, "n k"], rows: Float[Tensor, "k m"], case: Case
) -> tuple[Float[Tensor, "km s"], Float[Tensor, "km km"]]:
    """Where rows of one length may go, and what their bending takes off the second derivative.

    With features of unit norm they may change their length too, all by one factor.
    """
    length = rows.norm(dim=1, keepdim=True)
    unit = rows / length
    eye = torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    planes = torch.block_diag(*(eye - unit[:, :, None] * unit[:, None, :]))
    outward = (missed.T @ h / len(h) * unit).sum(dim=1) / length[:, 0]
    bent = planes * outward.repeat_interleave(len(eye))
    return torch.cat([planes, rows.reshape(-1, 1)], 1) if case.unit_features else planes, bent


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
    h, rows, case = optimum.features[:MAX_SAMPLES], optimum.rows, optimum.case
    probe = probe_gain(optimum)[:MAX_SAMPLES]
    if (probe * h.std(dim=0)).abs().max() < FLOOR:  # nothing is missed: minutes of work for a zero
        return 0.0
    q = optimum.log_model(h).exp()
    missed = q - optimum.log_posterior[:MAX_SAMPLES].exp()
    basis, allowed, within = head_answers(h, q, missed, rows, degree=degree, case=case)
    values, vectors = torch.linalg.eigh(curvature(h, q, missed, rows, case))
    least = FLOOR * values[:, -1].mean() + torch.finfo(torch.float32).tiny  # whose root is a number
    whiten = values.clamp(min=least).rsqrt()[:, :, None] * vectors.mT @ tangents(h, case)
    gain = whiten @ probe[:, :, None]
    pull = torch.zeros_like(within[0])
    for part in chunks(len(h)):
        answered = whiten[part] @ crossing(optimum, part, rows, basis) @ allowed
        within = within - answered.flatten(0, 1).T @ answered.flatten(0, 1) / len(h)
        pull += answered.flatten(0, 1).T @ gain[part].flatten() / len(h)
    answer = (pull @ pseudo_inverse(within, rtol=NO_COST) @ pull).clamp(min=0)
    slope = math.sqrt(2 * float(gain.square().sum() / len(h) + answer))
    return min(slope, 1 / math.sqrt(FLOOR))  # that changes R² by 1 at a loss that nobody sees


def chunks(n: int) -> list[slice]:
    """Of samples, few enough for what is kept of each."""
    return [slice(at, min(n, at + SLOPE_CHUNK)) for at in range(0, n, SLOPE_CHUNK)]


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

    What loses nothing (affine changes, what P takes away) makes the rest as cheap as it can.
    """
    values, vectors = torch.linalg.eigh(forms.lost)
    loses = values > NO_COST * values[-1]
    cost = vectors.T @ forms.cost @ vectors
    cross, idle = cost[loses][:, ~loses], cost[~loses][:, ~loses]
    cost = cost[loses][:, loses] - cross @ pseudo_inverse(idle) @ cross.T
    root = values[loses].rsqrt()
    rates: Tensor = torch.linalg.eigvalsh(root[:, None] * cost * root).clamp(min=FLOOR)
    return rates


def typical_rate(optimum: Optimum) -> float:
    """1/2 E tr(R' F R) / E tr(R' P G P R), R R' = G^-1: a distortion that is white where G is 1."""
    weight, h = probe_weight(optimum.features, optimum.z), optimum.features
    q = optimum.log_model(h).exp()
    missed, tangent = q - optimum.log_posterior.exp(), tangents(h, optimum.case)
    inverse = inverse_root(weight) @ inverse_root(weight).T
    cost = curvature(h, q, missed, optimum.rows, optimum.case).mean(0)
    lost = (tangent @ weight @ tangent).mean(0)
    return 0.5 * float((inverse @ cost).trace() / (inverse @ lost).trace())
