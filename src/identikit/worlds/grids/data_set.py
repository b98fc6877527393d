"""What is known of a published image grid: its factors, its files, and how they are read.

A set's own module says all of that as one `DataSet`. Its `read` opens the original file and gives
the images in the order of the grid: as an array that is mapped where it lies, or as a stream of
blocks that `unpacked` writes into a cache file once.
"""

import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from identikit.core.errors import InputError
from identikit.worlds.grids.grid import Grid, ImageGrid

Watch = Callable[[int, int], None]
"""Is told how many bytes of how many are done."""
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError, OverflowError),
    *(RuntimeError, NotImplementedError, MemoryError),
    *(zlib.error, zipfile.BadZipFile, tarfile.TarError, tokenize.TokenError),
)
"""What readers raise at files that are damaged, cut short or of another kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """One file as its authors published it."""

    name: str
    """File name."""
    urls: tuple[str, ...]
    """The original address, then alternates."""
    starts_with: bytes
    """The first bytes of any file of this format."""
    digest: str | None = None
    """'sha256:...' or 'md5:...'; None where no public source states one."""
    size: int | None = None
    """Bytes, where known."""

    def __str__(self) -> str:
        size = f" of {self.size:,} bytes" if self.size else ""
        return f"{self.name}{size} with {self.digest or 'a checksum that nobody publishes'}"


@dataclass(frozen=True, slots=True)
class Stream:
    """Images in the order of the grid that must be unpacked."""

    shape: tuple[int, ...]
    blocks: Iterator[Bytes]
    """Together an array of this shape, uint8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One published image grid."""

    name: str
    title: str
    """What it shows, and its source."""
    grid: Grid
    shape: tuple[int, int, int]
    """Channels, height and width as they are used, in pixels."""
    originals: tuple[Original, ...]
    read: "Callable[[Path, DataSet], Bytes | Stream]"
    """Opens what lies at a path. Raises one of DAMAGED, with the reason, if it is not this set."""
    bits: bool = False
    """Whether what is read holds eight pixels a byte, each off or on."""
    note: str = ""
    """What a user must know."""

    @property
    def is_folder(self) -> bool:
        """Whether the set is a folder of several files."""
        return len(self.originals) > 1

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of the images in the order of the grid, as a file holds them: channels last."""
        channels, height, width = self.shape
        if self.bits:
            return (self.grid.size, channels * height * width // 8)
        return (self.grid.size, height, width, channels)

    def place(self, path: Path) -> Path:
        """What a path means: the file or folder of files itself, or the one file in a folder."""
        return path / self.originals[0].name if path.is_dir() and not self.is_folder else path

    def files(self, place: Path) -> list[tuple[Path, Original]]:
        """Where each of its files is, if the set is at that place."""
        return [(place / file.name if self.is_folder else place, file) for file in self.originals]

    def unreadable(self, path: Path, reason: str) -> InputError:
        """The error for what is not the original, with what would be."""
        size = f" ({path.stat().st_size:,} bytes)" if path.is_file() else ""
        names = ", ".join(file.name for file in self.originals)
        wanted = f"a folder with {names}" if self.is_folder else self.originals[0]
        return InputError(
            f"{path}{size} cannot be used as {self.name}: {reason}. Wanted: {wanted}. "
            f"`identikit data fetch {self.name}` gets it, `identikit data check` compares."
        )


class StoredGrid(ImageGrid):
    """The images of a set on disk, memory-mapped: reading a row touches that row's pages only."""

    def __init__(self, data: DataSet, stored: Bytes) -> None:
        self.name, self.grid, self.shape = data.name, data.grid, data.shape
        self._stored = torch.from_numpy(stored)
        self._bits = data.bits

    def images(self, rows: Int[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """The images of these rows, on their device, in channels-last memory.

        Raises:
            InputError: a row that the grid does not have.
        """
        self.grid.check_rows(rows)
        found = self._stored.index_select(0, rows.cpu().long())
        if self._bits:  # -1 is 255 in a byte
            found = torch.from_numpy(np.negative(np.unpackbits(found.numpy(), axis=1)))
        channels, height, width = self.shape
        images = found.view(len(rows), height, width, channels).permute(0, 3, 1, 2)
        return images.to(rows.device)
