"""How long a device was at work: measured on the device itself where it runs ahead of Python."""

import contextlib
import time
from collections.abc import Iterator

import torch


class DeviceTimer:
    """Adds up the time that a device works."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._seconds = 0.0

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Count what is done within."""
        if self._device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            yield
            end.record()
            self._events.append((start, end))
        else:
            before = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - before

    def seconds(self) -> float:
        """In all; waits for the device."""
        if self._events:
            torch.cuda.synchronize(self._device)
        return self._seconds + float(sum(a.elapsed_time(b) / 1e3 for a, b in self._events))
