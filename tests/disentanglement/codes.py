"""Codes whose scores are known: a full grid of factors, and what encoders may do to it."""

import numpy as np
import torch
from numpy.typing import NDArray

SIZES = (4, 5, 6)
COPIES = 10


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(sizes: tuple[int, ...] = SIZES, copies: int = COPIES) -> NDArray[np.int64]:
    """Every combination of levels, `copies` times, in random order."""
    levels = np.stack([g.ravel() for g in np.indices(sizes)], axis=1)
    return np.random.default_rng(1).permutation(np.tile(levels, (copies, 1)))


def perfect(levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """One code for each factor, in standard units."""
    codes: NDArray[np.float64] = (levels - levels.mean(axis=0)) / levels.std(axis=0)
    return codes


def rotated(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same through a rotation: each axis holds every factor, by shares 1/9, 4/9 and 4/9."""
    return codes @ (np.eye(3) - 2 / 3)


def noise(n: int, d: int = 3, seed: int = 3) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))
