"""Samples in batches, prepared in processes of their own, several batches ahead.

What goes wrong with a sample comes back as words under its index: an exception would come out of
another process as a traceback.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from identikit.core.errors import InputError, in_words


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no sample: the file's fault."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no sample: the fault of the code that prepares it."""

    why: str


Item = tuple[int, Tensor | Unreadable | Failed]
"""A sample under its index."""


@runtime_checkable
class Samples(Protocol):
    """Samples by their keys."""

    @property
    def keys(self) -> tuple[str, ...]:
        """In the order of their indices."""

    @property
    def passed_over(self) -> dict[str, int]:
        """How many files beside them are not named like samples, by their ending."""

    @property
    def groups(self) -> tuple[str, ...] | None:
        """Which samples are to be held out together, if they say."""

    def __len__(self) -> int: ...

    def prepared(self, transform: Callable[[Any], Tensor]) -> Dataset[Item]:
        """The samples as a model takes them."""

    def settings(self) -> dict[str, Any]:
        """What they are known by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples that were prepared, and those that could not be read."""

    x: Tensor
    """(n, ...); no rows if none could be read."""
    unreadable: dict[int, str] = field(default_factory=dict)
    """Why, by index."""
    failed: dict[int, str] = field(default_factory=dict)
    """Why the preparation failed, by index."""

    def pin_memory(self) -> "Batch":
        """In page-locked memory, from where a copy to a device need not be waited for."""
        return Batch(x=self.x.pin_memory(), unreadable=self.unreadable, failed=self.failed)


def sample_batches(
    samples: Samples,
    batches: Sequence[Sequence[int]],
    *,
    transform: Callable[[Any], Tensor],
    workers: int,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Read samples and prepare them, several batches ahead.

    Args:
        samples: All of them.
        batches: Which of them make each batch, by index.
        transform: From a PIL image in RGB to (channels, height, width).
        workers: Processes that do it; 0 for this one.
        pin_memory: For copies to a CUDA device.

    Raises:
        InputError: the transform fails or does not make the same shape of all; a process died, for
            want of (shared) memory as a rule.
    """
    loader = DataLoader(
        samples.prepared(transform),
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
    )
    try:
        iterator = iter(loader)  # starts the processes
    except (OSError, ImportError) as error:
        raise InputError(
            f"processes that load samples cannot be started: {in_words(error)}. Give fewer "
            "--workers; 0 needs none."
        ) from error
    try:
        for batch in iterator:
            for index, why in batch.failed.items():
                raise InputError(f"{samples.keys[index]} cannot be prepared: {why}.")
            yield batch
    except (pickle.PicklingError, AttributeError) as error:
        if "pickle" not in str(error):
            raise
        raise InputError(
            f"the samples cannot be sent to processes that load them: {error}. Define transform "
            "and data set at the top of a module, or give --workers 0."
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            f"a process that loads samples died: {_last_line(error)}. Give fewer --workers, or a "
            "smaller --batch-size; in a container, more shared memory."
        ) from error


def _last_line(error: Exception) -> str:
    """Of a worker's traceback, what went wrong."""
    return str(error).strip().splitlines()[-1].rstrip(".")


def _collate(items: Sequence[Item]) -> Batch:
    good = {index: item for index, item in items if isinstance(item, Tensor)}
    failed = {index: item.why for index, item in items if isinstance(item, Failed)}
    first = next(iter(good.values()), torch.empty(0))
    for index, item in good.items():
        if item.shape != first.shape:
            failed[index] = (
                f"it has shape {tuple(item.shape)}, and others have {tuple(first.shape)}; all "
                "must be made the same (resized and cropped, say)"
            )
    return Batch(
        x=torch.stack(list(good.values())) if good and not failed else torch.empty(0),
        unreadable={index: item.why for index, item in items if isinstance(item, Unreadable)},
        failed=failed,
    )
