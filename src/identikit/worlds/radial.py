"""log int_0^inf r^(d-1) exp(-sum_j |r z_j - v_j|^p) dr for many pairs (z, v), p >= 1.

This is the density of (v + noise) projected to the sphere (see `projected`), ours: the paper
only samples. The logarithm of the integrand is concave in r, so bisection finds its peak and
where it has fallen far enough on either side. For p < 2 it has kinks where r z_j = v_j; the
interval is cut there. Gauss-Legendre quadrature does each piece.
Shapes: z and v are (d, m), one column for each pair; radii are (m,).
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_FALL = 16.0  # nats below the peak where the integral stops: a relative error under 1e-6
_SLACK = 4.0  # nats more that the stopping point may lie lower
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


class Rays:
    """m rays r z and the log-integrand along each.

    Args:
        z: Directions, divided by the scale of the noise.
        v: Centres, divided by the same scale.
        exponent: p, at least 1.
    """

    def __init__(
        self, z: Float[Tensor, "d m"], v: Float[Tensor, "d m"], *, exponent: float
    ) -> None:
        self.z, self.v, self.exponent = z, v, exponent

    def log_integral(self) -> Float[Tensor, " m"]:
        """The integral's logarithm, float64."""
        peak, far = self._peak()
        top = self._log_integrand(peak)
        edges = self._edges(self._lower_end(peak, top), self._upper_end(peak, far, top))
        potential = torch.stack([self._potential(r) for r in edges])
        length = edges[1:] - edges[:-1]
        piece, ray = (length > 0).nonzero(as_tuple=True)
        start, length, shift = edges[piece, ray], length[piece, ray], top[ray]
        first, last = potential[piece, ray], potential[piece + 1, ray]
        sub = Rays(self.z[:, ray], self.v[:, ray], exponent=self.exponent)
        total = torch.zeros_like(start)
        for node, weight in zip((_NODES + 1) / 2, _WEIGHTS / 2, strict=True):
            r = start + node * length
            # For p = 1 the potential is linear within a piece.
            height = torch.lerp(first, last, node) if self.exponent == 1 else sub._potential(r)
            total += weight * torch.exp((len(self.z) - 1) * r.log() - height - shift)
        return top + torch.zeros_like(top).index_add(0, ray, total * length).log()

    def _potential(self, r: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """The sum of |r z_j - v_j|^p."""
        return _power((r * self.z - self.v).abs_(), self.exponent).sum(0)

    def _log_integrand(self, r: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        return (len(self.z) - 1) * r.log() - self._potential(r)

    def _slope(self, r: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
        """Derivative of the log-integrand."""
        away = r * self.z - self.v
        force = _power(away.abs(), self.exponent - 1) * away.sign()
        return (len(self.z) - 1) / r - self.exponent * (force * self.z).sum(0)

    def _peak(self) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
        """A point less than one nat below the maximum, and one surely beyond the upper end.

        The second comes from |r z - v|_p >= r |z|_p - |v|_p against the integrand's value
        at |v|_p / |z|_p.
        """
        p, size = self.exponent, torch.linalg.vector_norm(self.v, ord=self.exponent, dim=0)
        reach = torch.zeros_like(size)
        for _ in range(4):
            reach = (_FALL + (len(self.z) - 1) * torch.log(3 + reach / size)) ** (1 / p)
        far = (3 * size + reach) / torch.linalg.vector_norm(self.z, ord=p, dim=0)
        low, high, gain = torch.zeros_like(far), far, torch.full_like(far, math.inf)
        while bool((gain * (high - low) > 1).any()):
            middle = (low + high) / 2
            slope = self._slope(middle)
            rising = slope > 0
            low, high = torch.where(rising, middle, low), torch.where(rising, high, middle)
            gain = torch.where(rising, slope, gain)
        return low, far

    def _lower_end(
        self, peak: Float[Tensor, " m"], top: Float[Tensor, " m"]
    ) -> Float[Tensor, " m"]:
        """Where the integrand has fallen towards 0.

        Below a hundredth of the peak only r^(d-1) is left to fall, which the quadrature
        integrates exactly where it falls slowly enough to matter.
        """
        low, high, fall = torch.zeros_like(peak), peak, torch.full_like(peak, math.inf)
        while bool(((fall > _FALL + _SLACK) & (high > 0.01 * peak)).any()):
            middle = (low + high) / 2
            drop = top - self._log_integrand(middle)
            outside = drop > _FALL
            low, high = torch.where(outside, middle, low), torch.where(outside, high, middle)
            fall = torch.where(outside, drop, fall)
        return low

    def _upper_end(
        self, peak: Float[Tensor, " m"], far: Float[Tensor, " m"], top: Float[Tensor, " m"]
    ) -> Float[Tensor, " m"]:
        """Where the integrand has fallen towards infinity."""
        low, high, fall = peak, far, torch.full_like(peak, math.inf)
        while bool((fall > _FALL + _SLACK).any()):
            middle = (low + high) / 2
            drop = top - self._log_integrand(middle)
            outside = drop > _FALL
            low, high = torch.where(outside, low, middle), torch.where(outside, middle, high)
            fall = torch.where(outside, drop, fall)
        return high

    def _edges(
        self, low: Float[Tensor, " m"], high: Float[Tensor, " m"]
    ) -> Float[Tensor, "edges m"]:
        """Ends of the pieces: the kinks, or thirds where there are none that matter."""
        if self.exponent < 2:
            inner = (self.v / self.z).nan_to_num(0.0).clamp(low, high).sort(dim=0).values
        else:
            inner = torch.stack([low + (high - low) / 3, high - (high - low) / 3])
        return torch.cat([low[None], inner, high[None]])


def _power(a: Float[Tensor, "d m"], exponent: float) -> Float[Tensor, "d m"]:
    """a^exponent, with 0^0 = 1; the first power is the one used most and costs nothing."""
    return a if exponent == 1 else a.pow(exponent)
