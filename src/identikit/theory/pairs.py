"""What positive pairs identify: the density ratio, and the functions that change least in a pair.

InfoNCE is least at s(z, z') = log p(z, z') / (p(z) p(z')) + const. A d-dimensional h makes
s = h . h' / temperature of it as well as that can be done: the h of least mean
KL(p(.|z) || softmax_z' s), found on a sample, h free at each z. In a world of classes
p(z, z') / (p(z) p(z')) = sum_c p(c|z) p(c|z') / p(c).
VICReg (and every other loss of second moments) sees T f(z) = E[f(z')|z] alone: with its
eigenfunctions phi_k (E phi_k phi_l = [k = l], eigenvalues rho_k) and h = A phi,
E|h - h'|² = 2 sum_jk (1 - rho_k) A_jk² and Cov h = A A', so the best A is a small search. In a
world of classes the phi are those of the C x C matrix E[p(c|z) p(c'|z)] / sqrt(p(c) p(c')).
Sources: arXiv:1807.03748 and 2102.08850 (InfoNCE); HaoChen et al., arXiv:2106.04156, Balestriero
and LeCun, arXiv:2205.11508 (spectral); searches ours. Shapes: z (n, d), phi (n, k), A (d, k).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from identikit.core.linalg import least_squares, procrustes, r2_score
from identikit.theory.optimum import minimise
from identikit.worlds.pairs import PairWorld
from identikit.worlds.world import ClusterWorld

World = ClusterWorld | PairWorld
NOWHERE = -1e4
"""A logit that stands for none."""
MOST_FUNCTIONS = 64
LEAST_EIGENVALUE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptimum:
    """The h that is best for an objective of pairs, and what it says of z."""

    affine_r2: float
    """Mean over latents, on the half of the samples that did not fit the map."""
    procrustes_r2: float
    """The same by a scaled rotation without shift."""
    loss: float
    """At the optimum: for InfoNCE the nats above the density ratio's, for VICReg all of it."""


def log_density_ratio(
    world: World, z: Float[Tensor, "n d"], other: Float[Tensor, "m d"]
) -> Float[Tensor, "n m"]:
    """Log p(z, z') / (p(z) p(z')) of every z with every other, float64.

    In a world of classes a pair shares its class (or an instance of it, which is the same).
    """
    if isinstance(world, PairWorld):
        return world.log_ratio(z, other)
    share = world.log_posterior(z).exp()
    weighted = (world.log_posterior(other) - world.class_prior.log()).exp()
    ratio: Tensor = (share @ weighted.T).clamp_min(torch.finfo(torch.float64).tiny).log()
    return ratio


def info_nce_optimum(
    world: World,
    *,
    dim: int,
    unit_features: bool = True,
    samples: int = 512,
    steps: int = 200,
    generator: torch.Generator,
) -> PairOptimum:
    """The h of `dim` dimensions, free at each sample, with the least InfoNCE loss.

    Two searches, from the latents and from noise; the better end is taken.

    Args:
        world: Whose density ratio is known.
        dim: Dimensions of h.
        unit_features: Whether h has unit norm, with a learned temperature.
        samples: Of z, among which the partners are.
        steps: Of L-BFGS at most.
        generator: Draws samples and starts.
    """
    z = world.sample(samples, generator=generator).z.double()
    own = torch.eye(samples, dtype=torch.bool)  # a partner is another point
    log_p = log_density_ratio(world, z, z).masked_fill(own, NOWHERE).log_softmax(1)
    p = log_p.exp()
    negentropy = float((p * log_p).sum(1).mean())

    def unpacked(theta: Tensor) -> tuple[Tensor, Tensor]:
        h = theta[:-1].view(samples, dim)
        return (normalize(h) if unit_features else h), theta[-1].exp()

    def loss_of(theta: Tensor) -> tuple[Tensor, Tensor]:
        h, scale = unpacked(theta)
        logits = (scale * h @ h.T).masked_fill(own, NOWHERE)
        loss = negentropy - (p * logits.log_softmax(1)).sum(1).mean()
        return loss.detach(), torch.autograd.grad(loss, theta)[0]

    noise = torch.randn(samples, dim, generator=generator, dtype=torch.float64)
    latents = torch.cat([z, noise], dim=1)[:, :dim]
    scale = torch.tensor([math.log(5.0) if unit_features else 0.0], dtype=torch.float64)
    ends = [
        minimise(loss_of, torch.cat([start.flatten(), scale]), steps=steps).theta
        for start in (latents, noise)
    ]
    losses = [float(loss_of(end.requires_grad_())[0]) for end in ends]
    best = losses.index(min(losses))
    return _scored(unpacked(ends[best].detach())[0], z, loss=losses[best])


def pair_functions(
    world: World, *, samples: int, generator: torch.Generator
) -> tuple[Float[Tensor, " k"], Float[Tensor, "n k"], Float[Tensor, "n d"]]:
    """Eigenvalues rho_k from the largest on, phi_k at a sample of z, and the sample.

    Constants are left out. Of a world of pairs only the d coordinates are given: they lead.
    """
    z = world.sample(samples, generator=generator).z.double()
    if isinstance(world, PairWorld):
        rho = torch.full((world.dim,), world.correlation, dtype=torch.float64)
        return rho, z / z.square().mean().sqrt(), z
    root = world.log_posterior(z).exp() / world.class_prior.sqrt()
    values, vectors = torch.linalg.eigh(root.T @ root / samples)
    values, vectors = values.flip(0)[1:], vectors.flip(1)[:, 1:]
    kept = values[:MOST_FUNCTIONS] > LEAST_EIGENVALUE
    rho = values[:MOST_FUNCTIONS][kept]
    return rho, root @ vectors[:, :MOST_FUNCTIONS][:, kept] / rho.sqrt(), z


def vicreg_optimum(
    world: World,
    *,
    dim: int,
    invariance: int | float = 25.0,
    variance: int | float = 25.0,
    covariance: int | float = 1.0,
    samples: int = 8192,
    generator: torch.Generator,
) -> PairOptimum:
    """The h of `dim` dimensions with the least VICReg loss, weights as for `objectives.vicreg`.

    Args:
        world: Whose pairs are known.
        dim: Dimensions of h.
        invariance: Weight of the squared distance.
        variance: Weight of the hinge.
        covariance: Weight of the covariances.
        samples: Of z, for the eigenfunctions and the scores.
        generator: Draws them.
    """
    rho, phi, z = pair_functions(world, samples=samples, generator=generator)
    k = len(rho)

    def mixing(theta: Tensor) -> Tensor:
        """A: rows of a length that the hinge does not want longer."""
        return theta[:dim, None].clamp(max=1) * normalize(theta[dim:].view(dim, k))

    def loss_of(theta: Tensor) -> tuple[Tensor, Tensor]:
        a = mixing(theta)
        c = a @ a.T
        moved = 2 * ((1 - rho) * a.square()).sum() / dim
        held = 2 * (1 - c.diagonal().clamp(max=1).sqrt()).mean()
        apart = 2 * (c - c.diagonal().diag()).square().sum() / dim
        loss = invariance * moved + variance * held + covariance * apart
        return loss.detach(), torch.autograd.grad(loss, theta)[0]

    noise = 0.1 * torch.randn(dim, k, generator=generator, dtype=torch.float64)
    start = torch.eye(dim, k, dtype=torch.float64) + noise
    theta = torch.cat([torch.ones(dim, dtype=torch.float64), start.flatten()])
    end = minimise(loss_of, theta, steps=500).theta
    loss = float(loss_of(end.requires_grad_())[0])
    return _scored(phi @ mixing(end.detach()).T, z, loss=loss)


def _scored(h: Tensor, z: Tensor, *, loss: float) -> PairOptimum:
    half = len(h) // 2
    fits = least_squares(h[:half], z[:half]), procrustes(h[:half], z[:half])
    affine, turned = (float(r2_score(f.predict(h[half:]), z[half:]).mean()) for f in fits)
    return PairOptimum(affine_r2=affine, procrustes_r2=turned, loss=loss)
