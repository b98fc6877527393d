"""Random streams by purpose: the seed of a stream is a hash of (seed, purpose, index).

Nothing depends on what was drawn before, so a resumed run needs no generator's state.
"""

import hashlib

import torch


def stream_seed(seed: int, purpose: str, index: int = 0) -> int:
    """The seed of one stream, below 2^63."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def stream(
    seed: int, purpose: str, index: int = 0, *, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator at the start of one stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, purpose, index))
