"""The folders that one pass over the images fills: the features and their controls.

A folder is known by its settings, everything that decides its numbers. What is there of the same
settings stays, and only missing shards are made; anything else is refused.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors.torch import save
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.files import is_free, write_atomically
from identikit.encoders.adapters import Tap
from identikit.features.shards import (
    HEAD_FILE,
    MANIFEST_FILE,
    Manifest,
    Storage,
    describe_shard,
    is_shard,
    read_manifest,
    shard_file,
    write_keys,
    write_manifest,
)
from identikit.runs.provenance import versions
from identikit.worlds.batches import Samples

_PACKAGES = ("torchvision", "timm", "transformers", "pillow")


@runtime_checkable
class Reader(Protocol):
    """From samples (n, ...) on the device to h (n, dim) of several outputs, in one pass."""

    def read(self, x: Tensor, taps: Sequence[Tap | None]) -> list[Tensor]:
        """H of each tap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One folder of features."""

    folder: Path
    reader: Reader
    """Who makes the features; several outputs may share one."""
    tap: Tap | None
    """Where a network is read for them."""
    dim: int
    dtype: Storage
    settings: Mapping[str, Any]
    head: Mapping[str, Tensor] | None = None
    """`W` and `b`, if known."""
    controls: tuple[str, ...] = ()
    """Subfolders of controls."""
    shared: tuple[str, ...] = ()
    """Controls in folders beside this one, which several outputs have in common."""

    @property
    def torch_dtype(self) -> torch.dtype:
        """Of the features."""
        found: torch.dtype = getattr(torch, self.dtype)
        return found

    @property
    def row_bytes(self) -> int:
        """What a sample takes on the disk."""
        return self.dim * self.torch_dtype.itemsize

    def has(self, shard: int) -> bool:
        """Whether a shard was written, and can be read; one that was cut short is made again."""
        path = self.folder / shard_file(shard)
        return path.exists() and is_shard(path)

    def open(self) -> None:
        """Make the folder, or find it as it was left.

        Raises:
            InputError: it holds something else, or cannot be written.
        """
        if not self._keeps_shards():
            write_manifest(self.folder, self._manifest())

    def _keeps_shards(self) -> bool:
        """Whether what is there is of the same settings; refuses all that could be lost."""
        if is_free(self.folder):
            return False
        if not (self.folder / MANIFEST_FILE).exists():
            raise InputError(
                f"{self.folder} exists and holds no features. Give --out another folder."
            )
        found = read_manifest(self.folder, unfinished=True)
        mine = {**self.settings, "dim": self.dim, "dtype": self.dtype}
        theirs = {**found.settings, "dim": found.dim, "dtype": found.dtype}
        differ = [key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)]
        if differ and any(self.folder.glob("shard-*")):
            words = (f"{key} {theirs.get(key)!r} then, {mine.get(key)!r} now" for key in differ)
            raise InputError(
                f"{self.folder} holds features that were made otherwise: "
                f"{'; '.join(sorted(words))}. Give --out another folder, or the options that it "
                "was made with."
            )
        return not differ

    def finish(self, samples: Samples, *, shards: int, made: bool) -> int:
        """Write keys, head and the final manifest; returns the number of rows.

        Args:
            samples: All samples, of which some may have been skipped.
            shards: How many there must be.
            made: Whether any of them is new.

        Raises:
            InputError: a shard that is damaged or missing, no rows, or a full disk.
        """
        before = read_manifest(self.folder, unfinished=True)
        for name in self.shared:
            _link(self.folder.parent / name, self.folder / name)
        controls = before.controls | {name: name for name in (*self.controls, *self.shared)}
        if before.finished and not made:
            if controls != before.controls:
                write_manifest(self.folder, replace(before, controls=controls))
            return before.n
        described = [describe_shard(self.folder / shard_file(k)) for k in range(shards)]
        skipped = [key for _, keys in described for key in keys]
        left_out = set(skipped)
        kept = [row for row, key in enumerate(samples.keys) if key not in left_out]
        keys = [samples.keys[row] for row in kept]
        if not keys:
            raise InputError(f"none of the {len(samples):,} images could be read.")
        groups = samples.groups
        write_keys(self.folder, keys, None if groups is None else [groups[row] for row in kept])
        if self.head is not None:
            content = save({name: value.contiguous() for name, value in self.head.items()})
            write_atomically(self.folder / HEAD_FILE, content)
        manifest = replace(
            self._manifest(),
            finished=True,
            n=len(keys),
            shards=tuple(shard for shard, _ in described),
            skipped=tuple(skipped),
            controls=controls,
        )
        write_manifest(self.folder, manifest)
        return len(keys)

    def _manifest(self) -> Manifest:
        """Before the first shard."""
        return Manifest(
            finished=False,
            n=0,
            dim=self.dim,
            dtype=self.dtype,
            controls={},
            head=None if self.head is None else HEAD_FILE,
            settings=dict(self.settings),
            versions=versions() | _vision_versions(),
        )


def _link(source: Path, target: Path) -> None:
    """Have a finished folder of features in another place as well, by links where these can be.

    Raises:
        OSError: it cannot be written.
    """
    target.mkdir(exist_ok=True)
    files = [path for path in source.iterdir() if path.name[0] != "."]
    for path in sorted(files, key=lambda path: path.name == MANIFEST_FILE):  # which says finished
        place, temporary = target / path.name, target / f".{path.name}.tmp"
        if place.exists() and place.samefile(path):
            continue
        temporary.unlink(missing_ok=True)
        try:
            temporary.hardlink_to(path)
        except OSError:  # a file system without links
            shutil.copyfile(path, temporary)
        temporary.replace(place)


def _vision_versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
