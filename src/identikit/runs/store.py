"""Runs on disk: a folder per run, written whole or not at all, found by its config's hash.

A run works in a hidden folder beside its final place (`.NAME.partial`, locked by the
process that owns it) and is renamed there when everything is written, so that a killed
process leaves either a finished run or a partial one that the same config resumes.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from identikit.core.config import config_hash, to_dict
from identikit.core.errors import InputError
from identikit.core.files import (
    file_digest,
    is_free,
    lock_file,
    locked,
    read_regular,
    require_inside,
    write_json,
)
from identikit.core.finding import Finding, Headline
from identikit.core.serialization import from_plain

DEFAULT_ROOT = Path("runs")
PAGE_FILE = "report.html"
MANIFEST_FILE = "manifest.json"
PROGRESS_FILE = "progress.json"
"""How much of a run that has not ended is done."""
PARTIAL = ".partial"
"""How the name of a draft's folder ends."""
SIGNED = ("config.json", "result.json", "arrays.safetensors")
"""The files whose digests a run's manifest holds; pages and figures are drawn again from them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What every saved result says, read without its study."""

    headline: Headline
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished (or interrupted, but saved) run on disk."""

    path: Path
    command: str
    """The study that made it: simulate, coil20, ..."""
    version: int
    """Of that study when it made the run."""
    config: dict[str, Any]
    result: dict[str, Any]
    """As saved; `Study.read` makes the typed result of it."""

    @property
    def origin(self) -> dict[str, Any]:
        """Command, versions, machine, start and seconds."""
        origin: dict[str, Any] = self.result["provenance"]
        return origin

    @property
    def outcome(self) -> Outcome:
        """Headline and findings.

        Raises:
            InputError: the result holds none that can be read.
        """
        return from_plain(Outcome, self.result, writer="identikit")

    def require(self, command: str, version: int) -> None:
        """See that the run is of a study as it is today.

        Raises:
            InputError: it is of another study, or of another version of this one.
        """
        if self.command != command:
            raise InputError(f"{self.path} is a run of {self.command}, not of {command}.")
        if self.version != version:
            age = "an older" if self.version < version else "a newer"
            raise InputError(
                f"{self.path} was made by {age} version of {command} ({self.version}; this is "
                f"{version}), whose results are not read. Give its command again to make it anew."
            )

    @property
    def interrupted(self) -> bool:
        """Whether the run was stopped early; the same config resumes it."""
        return bool(self.result.get("status") == "interrupted")

    @property
    def unfinished(self) -> bool:
        """Whether the same command has something left to do: it was stopped, or parts failed."""
        return self.result.get("status") in ("interrupted", "incomplete")

    @property
    def checkpoint(self) -> Path:
        """Where an interrupted run kept its training state, if it trained."""
        return self.path / "checkpoint"

    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """The arrays that were saved beside the result."""
        path = self.path / "arrays.safetensors"
        try:
            return cast(dict[str, np.ndarray[Any, np.dtype[Any]]], load_file(path))
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be read: {error}. Run its command again.") from error

    @classmethod
    def load(cls, path: Path) -> "Run":
        """The run in a folder.

        Raises:
            InputError: no such folder, not a run, one whose files are not as they were written, or
                one with links out of it.
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder; give the folder of a run.")
        for name in ("config.json", "result.json"):
            if not (path / name).exists():
                raise InputError(
                    f"{path} is not a run: it has no {name}. Give a folder made by an identikit "
                    "command."
                )
        for name in (*SIGNED, MANIFEST_FILE, "checkpoint", "figures", "tables"):
            require_inside(path / name, path, remedy="Put a copy in its place.")
        try:
            _check_digests(path)
            config = json.loads(read_regular(path / "config.json"))
            result = json.loads(read_regular(path / "result.json"))
            return cls(path, config["command"], config["version"], config["config"], result)
        except InputError:
            raise
        except KeyError as error:
            raise _damaged(path, f"{error} is missing") from error
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise _damaged(path, str(error)) from error


def _check_digests(path: Path) -> None:
    if not (path / MANIFEST_FILE).exists():
        raise _damaged(path, "it has no manifest.json (older versions wrote none)")
    digests = json.loads(read_regular(path / MANIFEST_FILE))["sha256"]
    for name in SIGNED:
        if not (path / name).exists():
            raise _damaged(path, f"it has no {name}")
        if file_digest(path / name) != digests[name]:
            raise _damaged(path, f"{name} is not as it was written")


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"{path} holds a damaged run: {what}. Its command makes it anew.")


@dataclass(frozen=True, slots=True)
class Draft:
    """A run being written; becomes a `Run` by `write` and `publish`."""

    folder: Path
    """The hidden folder to write into; survives a kill."""
    target: Path
    """Where the run will stand when it is whole."""
    config: object
    damage: str = ""
    """What was wrong with what stood there, and where that is now; else nothing."""

    @property
    def checkpoint(self) -> Path:
        """Where the training state is kept."""
        return self.folder / "checkpoint"

    def write(
        self,
        result: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]],
        *,
        provenance: Mapping[str, Any],
    ) -> Run:
        """Write result and arrays; the run can be read, but does not yet stand in its place."""
        save_file(
            {name: np.ascontiguousarray(a) for name, a in arrays.items()},
            self.folder / "arrays.safetensors",
        )
        write_json(self.folder / "result.json", dict(result) | {"provenance": dict(provenance)})
        digests = {name: file_digest(self.folder / name) for name in SIGNED}
        write_json(self.folder / MANIFEST_FILE, {"sha256": digests})
        return Run.load(self.folder)

    def publish(self) -> Run:
        """Move the whole folder to its place."""
        if self.target.exists():  # an interrupted run of this very config, or an empty folder
            shutil.rmtree(self.target)
        os.rename(self.folder, self.target)
        return Run.load(self.target)


class RunStore:
    """The place where the runs of a study are kept and found again.

    Args:
        root: Folder of all runs.
        command: The study's name.
        version: The study's own version: runs of others are not found.
    """

    def __init__(self, root: Path, *, command: str, version: int) -> None:
        self.root, self.command, self.version = root, command, version

    def path_of(self, config: object, *, label: str = "") -> Path:
        """Where the run of this config stands or would stand."""
        hashed = config_hash(self.command, config, version=self.version)
        name = "-".join(part for part in (self.command, label, hashed) if part)
        return self.root / name.replace(" ", "-")

    def find(self, config: object, *, label: str = "") -> Run | None:
        """The finished run of this config, if there is one; looks, and locks nothing."""
        there = self._there(self.path_of(config, label=label), config)
        return there if isinstance(there, Run) and not there.unfinished else None

    def _there(self, target: Path, config: object) -> Run | str | None:
        """The run of this config that stands in a place, or what is wrong with what does."""
        if is_free(target):
            return None
        try:
            run = Run.load(target)
        except InputError as error:
            return str(error)
        mine = run.command == self.command and run.version == self.version
        return run if mine and run.config == to_dict(config) else f"{target} holds another run."

    def outdated(self, config: object, *, label: str = "") -> Path | None:
        """A run of this very config that another version of the study made, if there is one."""
        prefix = "-".join(part for part in (self.command, label) if part).replace(" ", "-")
        wanted = self.command, to_dict(config)
        for path in sorted(self.root.glob(f"{escape(prefix)}-*/config.json")):
            try:
                made = json.loads(read_regular(path))
                version = made.get("version", 0)  # there was none at first
                same = (made["command"], made["config"]) == wanted
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if same and version != self.version and (path.parent / "result.json").exists():
                return path.parent
        return None

    def being_written(self, config: object, *, label: str = "") -> bool:
        """Whether a process is writing this run, or died over it."""
        return lock_file(self.path_of(config, label=label)).exists()

    def discard(self, config: object, *, label: str = "", out: Path | None = None) -> None:
        """Throw away what the run of this config left behind when it was stopped, if it was.

        A process that is writing it is waited for.
        """
        target = self.path_of(config, label=label) if out is None else out
        if not target.parent.exists():
            return
        with locked(target, wait=True):
            there = self._there(target, config)
            unfinished = isinstance(there, Run) and there.unfinished
            for folder in (_draft_folder(target), *([target / "checkpoint"] if unfinished else [])):
                with suppress(FileNotFoundError):
                    shutil.rmtree(folder)

    @contextmanager
    def draft(
        self,
        config: object,
        *,
        label: str = "",
        out: Path | None = None,
        wait: bool = False,
    ) -> Iterator["Draft | Run"]:
        """The finished run of this config if there is one, else a draft to write it into.

        A draft that another process left behind is taken over, checkpoint and all. With
        `out` the run goes to that folder, which must not exist (or be empty, or hold an
        interrupted run of the same config); without it, a damaged run that stands in the place
        is kept beside it, as `NAME.damaged`. A finished run is yielded without a lock, so also
        from a place that cannot be written to. With `wait` a run that another process is writing
        is waited for.

        Raises:
            InputError: `out` exists, or another process is writing this very run.
        """
        target = self.path_of(config, label=label) if out is None else out
        if out is None and (finished := self.find(config, label=label)) is not None:
            yield finished
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target, wait=wait):
            there, damage = self._there(target, config), ""
            before = there if isinstance(there, Run) and there.unfinished else None
            if there is not None and before is None:
                if out is not None:
                    what = f" and is no whole run ({there})" if isinstance(there, str) else ""
                    raise InputError(
                        f"{target} already exists{what}, and is never written over. Give --out "
                        "another folder."
                    )
                if isinstance(there, Run):
                    yield there
                    return
                damage = f"{there} It is kept as {_set_aside(target)}."
            folder = _draft_folder(target)
            folder.mkdir(exist_ok=True)
            draft = Draft(folder, target, config, damage)
            if before is not None and not draft.checkpoint.exists():
                with suppress(FileNotFoundError):  # it trained nothing
                    shutil.copytree(before.checkpoint, draft.checkpoint)
            write_json(
                folder / "config.json",
                {"command": self.command, "version": self.version, "config": to_dict(config)},
            )
            try:
                yield draft
            except InputError:
                if not draft.checkpoint.exists():  # nothing in there is worth keeping
                    shutil.rmtree(folder)
                raise


def remove(target: Path) -> None:
    """Delete a run, or the draft of one, for good.

    Args:
        target: Its folder.

    Raises:
        InputError: a process is writing it, or it is a link.
        OSError: it cannot be deleted.
    """
    if target.is_symlink():
        raise InputError(f"{target} is a link. Delete it, or what it leads to, yourself.")
    final = target.with_name(target.name.removeprefix(".").removesuffix(PARTIAL))
    with locked(final):
        shutil.rmtree(target)


def clear_locks(root: Path) -> None:
    """Remove the locks of runs that processes left behind which were killed."""
    for path in root.glob(".*.lock"):
        with suppress(InputError, OSError), locked(root / path.name[1 : -len(".lock")]):
            pass


def _draft_folder(target: Path) -> Path:
    return target.parent / f".{target.name}{PARTIAL}"


def _set_aside(target: Path) -> Path:
    """Keep what stands in the place of a run beside it, and say where."""
    number, kept = 1, target.with_name(f"{target.name}.damaged")
    while kept.exists():
        number += 1
        kept = target.with_name(f"{target.name}.damaged-{number}")
    os.rename(target, kept)
    return kept
