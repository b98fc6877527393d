"""Random streams: one generator per purpose, derived from (seed, purpose) alone.

No stream depends on the order in which things are built or drawn, so a change in one part
of a run leaves the random numbers of every other part as they were.
"""

import hashlib

import torch
from jaxtyping import Float
from torch import Tensor


def stream(seed: int, purpose: str, *, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator for one purpose of the run with this seed."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    generator = torch.Generator(device=device)
    return generator.manual_seed(int.from_bytes(digest[:8]) >> 1)


def random_rotation(k: int, generator: torch.Generator) -> Float[Tensor, "k k"]:
    """An orthonormal matrix, uniform up to the signs of its columns."""
    normal = torch.randn(k, k, generator=generator, dtype=torch.float64)
    rotation: Tensor = torch.linalg.qr(normal).Q
    return rotation
