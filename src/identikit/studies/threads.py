"""How many processor threads a run uses; part of what its bits depend on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def processor_threads(count: int) -> Iterator[None]:
    """Compute on `count` threads, and on as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
