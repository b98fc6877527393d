"""`identikit data`: image grids on disk; which there are, getting one, checking one."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from identikit.cli.terminal import ERR, OUT
from identikit.core.serialization import plain_table
from identikit.worlds.grids.check import check_files
from identikit.worlds.grids.data_set import DataSet, Watch
from identikit.worlds.grids.download import fetch
from identikit.worlds.grids.registry import DATA_SETS, data_set, home_of


@dataclass(frozen=True, kw_only=True)
class List:
    """Which image grids there are, with their factors and where each is kept."""

    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Print the sets."""
        if self.json:
            print(json.dumps({name: _described(data) for name, data in DATA_SETS.items()}))
            return
        table = plain_table(padding=(0, 2, 1, 0))
        for name in ("set", "images", "shape", "factors", "here"):
            table.add_column(name, overflow="fold")
        for data in DATA_SETS.values():
            factors = ", ".join(f"{axis.name} {axis.size}" for axis in data.grid.axes)
            shape = " x ".join(map(str, data.shape))
            here = "yes" if home_of(data).exists() else "no"
            words = f"{data.title}: {factors}" + (f". [dim]{data.note}[/]" if data.note else "")
            table.add_row(data.name, f"{data.grid.size:,}", shape, words, here)
        OUT.print(table)


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """Download the original files of a set; a cut download goes on where it was."""

    name: Annotated[str, tyro.conf.Positional]
    """Of the set."""
    to: Path | None = None
    """A file or folder for it; by default one under $IDENTIKIT_DATA or the user's cache folder,
    where it is found by name."""

    def run(self) -> None:
        """Download, check, print the path."""
        data = data_set(self.name)
        with _progress(f"fetching {data.name}") as watch:
            print(fetch(data, self.to or home_of(data), on_progress=watch))


@dataclass(frozen=True, kw_only=True)
class Check:
    """Compare files with the published ones: checksums, then labels and sizes, then the cache."""

    path: Annotated[Path, tyro.conf.Positional]
    """An original file, or a folder of them."""
    name: str | None = None
    """Of the set; by default told from the file names."""
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Check and print what was found right."""
        found = check_files(self.path, name=self.name)
        if self.json:
            words = {"set": found.name, "images": found.images, "digests": found.digests}
            print(json.dumps(words | {"unpacked": str(found.unpacked) if found.unpacked else None}))
            return
        for file, digest in found.digests.items():
            print(f"{file}: {digest or 'no checksum is published; nothing to compare with'}")
        print(f"{found.name}: {found.images:,} images match the grid of factors")
        if found.unpacked:
            print(f"{found.unpacked}: as it was unpacked")


@dataclass(frozen=True, kw_only=True)
class Data:
    """List, fetch and check image grids on disk.

    Example: identikit data fetch shapes3d
    """

    action: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Fetch, tyro.conf.subcommand("fetch")]
        | Annotated[Check, tyro.conf.subcommand("check")]
    )

    def run(self) -> None:
        """Do what was asked."""
        self.action.run()


def _described(data: DataSet) -> dict[str, object]:
    factors = [
        {"name": axis.name, "kind": axis.kind, "size": axis.size, "values": axis.values.tolist()}
        | {"period": axis.period, "levels": axis.levels}
        for axis in data.grid.axes
    ]
    files = [
        {"name": file.name, "urls": file.urls, "digest": file.digest} for file in data.originals
    ]
    return {
        "title": data.title,
        "note": data.note,
        "images": data.grid.size,
        "shape": data.shape,
        "factors": factors,
        "files": files,
        "path": str(home_of(data)),
        "here": home_of(data).exists(),
    }


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Watch]:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=ERR) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
