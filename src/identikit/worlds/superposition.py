"""Superposition: more sparse factors than dimensions, x = sum_k z_k a_k, few z_k above 0.

What is there at once is decided by normal scores s_k, correlated within groups of `GROUP` factors:
the `active` largest of them, or all above the quantile that makes as many be there on average. What
is there has a size uniform on (0.5, 1.5) times (k + 1)^-importance. Atoms a_k are random, of norm
1; two of them have cosine `coherence` on average. In a world of halves factors of different halves
are never there together, but in the part that is held out each sample has some of both.
Rendered, a factor is a light: a_k is a blob with stripes at a place of its own, x the image
1 - exp(-EXPOSURE sum_k z_k a_k), pixel by pixel, so that lights that overlap saturate together.
Where the a_k are independent the image tells every factor, by a function that is not linear.
A label names a factor, p(k|z) = softmax_k(SHARPNESS z_k): log-odds linear in z, as in a
cluster-centric world whose cluster vectors are the axes.
The question is that of Elhage et al. 2022 (arXiv:2209.10652), Klindt et al. 2025
(arXiv:2503.01824) and Barin-Pacela et al. 2026 (arXiv:2603.28744).
Shapes: z (n, K), x (n, d) or images (n, 1, SIDE, SIDE), atoms (K, d) or (K, SIDE²); labels (n,).
"""

import math
from statistics import NormalDist

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.worlds.world import WorldSample

GROUP = 4
"""Factors whose scores are correlated."""
LOW, HIGH = 0.5, 1.5
"""Sizes of the most important factor where it is there."""
SHARPNESS = 5.0
"""Of labels."""
SIDE = 8
"""Pixels along each side of an image, which is 1 wide."""
BLOB, STRIPE = 0.2, 0.35
"""Standard deviation of a light, and the length of a period of its stripes."""
EXPOSURE = 10.0
"""Of the brightest pixel of a factor of size 1, which has 1 - exp(-10)."""


class Superposition:
    """Sparse factors, superposed.

    Args:
        factors: Their number K.
        dim: Dimensions d of x; None for images.
        active: Factors that are there at once.
        exact: Whether in every sample; otherwise on average.
        correlation: Of two scores of one group, from 0 to below 1.
        coherence: Mean cosine of two atoms, from 0 to below 1.
        importance: Exponent of Zipf's law that sizes follow; 0: all alike.
        halves: Whether factors of different halves are never there together.
        seed: Of the atoms.

    Raises:
        InputError: a value out of range, halves that are not exact, or images that are coherent.
    """

    def __init__(
        self,
        *,
        factors: int,
        dim: int | None,
        active: int | float,
        exact: bool = True,
        correlation: int | float = 0.0,
        coherence: int | float = 0.0,
        importance: int | float = 0.0,
        halves: bool = False,
        seed: int = 0,
    ) -> None:
        most = factors // 2 if halves else factors
        if not 1 <= active <= most or (exact and active != round(active)):
            words = "a whole number " if exact else ""
            raise InputError(
                f"active must be {words}from 1 to {most}, the factors that can be there at once; "
                f"got {active:g}."
            )
        for name, share in (("correlation", correlation), ("coherence", coherence)):
            if not 0 <= share < 1:
                raise InputError(f"{name} must be from 0 to below 1; got {share:g}.")
        if halves and (not exact or active < 2):
            raise InputError(
                "a world of halves holds out samples with factors of both, so it needs exact and "
                f"active of 2 at least; got exact {exact} and active {active:g}."
            )
        if dim is None and coherence:
            raise InputError(f"lights have no coherence; got {coherence:g}. Leave it out.")
        self.n_labels, self.active, self.exact = factors, active, exact
        self.correlation, self.halves = correlation, halves
        self.size: Float[Tensor, " K"] = torch.arange(1.0, factors + 1) ** -importance
        generator = stream(seed, "atoms")
        self.rendered = dim is None
        self.atoms: Float[Tensor, "K d"] = (
            _lights(factors, generator)
            if dim is None
            else _directions(factors, dim, coherence, generator)
        )

    def draw_factors(
        self, n: int, *, held_out: bool = False, generator: torch.Generator
    ) -> Float[Tensor, "n K"]:
        """Factors alone: of the samples that are seen, or of combinations that never are.

        Raises:
            InputError: combinations held out by a world that has none.
        """
        if held_out and not self.halves:
            raise InputError("only a world of halves holds combinations out; make one.")
        k = self.n_labels
        groups = torch.randn(n, -(-k // GROUP), generator=generator)
        shared = groups.repeat_interleave(GROUP, dim=1)[:, :k]
        own = torch.randn(n, k, generator=generator)
        scores = self.correlation**0.5 * shared + (1 - self.correlation) ** 0.5 * own
        there = self._there(scores, held_out, generator)
        size = LOW + (HIGH - LOW) * torch.rand(n, k, generator=generator)
        return there * size * self.size

    def sample(self, n: int, *, held_out: bool = False, generator: torch.Generator) -> WorldSample:
        """Factors, their observations and labels.

        Raises:
            InputError: as `draw_factors`.
        """
        z = self.draw_factors(n, held_out=held_out, generator=generator)
        label = torch.multinomial((SHARPNESS * z).softmax(dim=1), 1, generator=generator)[:, 0]
        x = z @ self.atoms
        if self.rendered:
            x = -torch.expm1(-EXPOSURE * x).view(n, 1, SIDE, SIDE)
        return WorldSample(x=x, z=z, label=label)

    def _there(
        self, scores: Tensor, held_out: bool, generator: torch.Generator
    ) -> Bool[Tensor, "n K"]:
        if not self.exact:
            return scores > NormalDist().inv_cdf(1 - self.active / self.n_labels)
        if not self.halves:
            return _largest(scores, int(self.active))
        first = torch.arange(self.n_labels) < self.n_labels // 2
        in_half = first == (torch.rand(len(scores), 1, generator=generator) < 0.5)
        inside, outside = (scores.masked_fill(~half, -torch.inf) for half in (in_half, ~in_half))
        if not held_out:
            return _largest(inside, int(self.active))
        many = int(self.active) // 2
        return _largest(inside, int(self.active) - many) | _largest(outside, many)


def _directions(
    count: int, dim: int, coherence: int | float, generator: torch.Generator
) -> Float[Tensor, "K d"]:
    normal = torch.randn(count + 1, dim, generator=generator)
    single, shared = normalize(normal[1:], dim=1), normalize(normal[:1], dim=1)
    return normalize((1 - coherence) ** 0.5 * single + coherence**0.5 * shared, dim=1)


def _lights(count: int, generator: torch.Generator) -> Float[Tensor, "K pixels"]:
    """Gaussian blobs at random places, with stripes of random directions, from 0 to 1."""
    place = torch.rand(count, 2, 1, generator=generator)
    angle = math.pi * torch.rand(count, 1, generator=generator)
    centres = (torch.arange(SIDE) + 0.5) / SIDE
    offset = torch.cartesian_prod(centres, centres).T - place
    wave = (angle.cos() * offset[:, 0] + angle.sin() * offset[:, 1]) * 2 * math.pi / STRIPE
    return torch.exp(-offset.square().sum(dim=1) / (2 * BLOB**2)) * (1 + wave.cos()) / 2


def _largest(scores: Tensor, count: int) -> Bool[Tensor, "n K"]:
    chosen = scores.topk(count, dim=1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, chosen, True)
