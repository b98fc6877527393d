"""Runs on disk: a folder per run, written whole or not at all, found by its config's hash.

A run works in a hidden folder beside its final place (`.NAME.partial`, locked by the
process that owns it) and is renamed there when everything is written, so that a killed
process leaves either a finished run or a partial one that the same config resumes.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, cast

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from identikit.core.config import config_hash, to_dict
from identikit.core.errors import InputError
from identikit.core.files import file_digest, write_json

DEFAULT_ROOT = Path("runs")
PAGE_FILE = "report.html"
SIGNED = ("config.json", "result.json", "arrays.safetensors")
"""The files whose digests a run's manifest holds; pages and figures are drawn again from them."""


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
            InputError: no such folder, not a run, or one whose files are not as they were written.
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder; give the folder of a run.")
        for name in ("config.json", "result.json"):
            if not (path / name).exists():
                raise InputError(
                    f"{path} is not a run: it has no {name}. Give a folder made by an identikit "
                    "command."
                )
        try:
            _check_digests(path)
            config = json.loads((path / "config.json").read_text())
            result = json.loads((path / "result.json").read_text())
            return cls(path, config["command"], config["version"], config["config"], result)
        except KeyError as error:
            raise _damaged(path, f"{error} is missing") from error
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise _damaged(path, str(error)) from error


def _check_digests(path: Path) -> None:
    if not (path / "manifest.json").exists():
        raise _damaged(path, "it has no manifest.json (older versions wrote none)")
    digests = json.loads((path / "manifest.json").read_text())["sha256"]
    for name in SIGNED:
        if not (path / name).exists():
            raise _damaged(path, f"it has no {name}")
        if file_digest(path / name) != digests[name]:
            raise _damaged(path, f"{name} is not as it was written")


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        f"{path} holds a damaged run: {what}. Give its command again to make it anew."
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """A run being written; becomes a `Run` by `write` and `publish`."""

    folder: Path
    """The hidden folder to write into; survives a kill."""
    target: Path
    """Where the run will stand when it is whole."""
    config: object

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
        write_json(self.folder / "manifest.json", {"sha256": digests})
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
        try:
            run = Run.load(self.path_of(config, label=label))
        except InputError:
            return None
        return run if self._is(run, config) and not run.unfinished else None

    def damage(self, config: object, *, label: str = "") -> str | None:
        """What is wrong with the folder in which the run of this config should stand, if it is."""
        path = self.path_of(config, label=label)
        if not path.exists():
            return None
        try:
            run = Run.load(path)
        except InputError as error:
            return str(error)
        return None if self._is(run, config) else f"{path} holds another run."

    def outdated(self, config: object, *, label: str = "") -> Path | None:
        """A run of this very config that another version of the study made, if there is one."""
        prefix = "-".join(part for part in (self.command, label) if part).replace(" ", "-")
        wanted = self.command, to_dict(config)
        for path in sorted(self.root.glob(f"{escape(prefix)}-*/config.json")):
            try:
                made = json.loads(path.read_text())
                version = made.get("version", 0)  # there was none at first
                same = (made["command"], made["config"]) == wanted
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if same and version != self.version and (path.parent / "result.json").exists():
                return path.parent
        return None

    def _is(self, run: Run, config: object) -> bool:
        mine = run.command == self.command and run.version == self.version
        return mine and run.config == to_dict(config)

    def being_written(self, config: object, *, label: str = "") -> bool:
        """Whether a process is writing this run, or died over it."""
        return _lock_file(self.path_of(config, label=label)).exists()

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
            done = self._existing(target, config, explicit=out is not None)
            if done is not None and not done.unfinished:
                yield done
                return
            folder = target.parent / f".{target.name}.partial"
            folder.mkdir(exist_ok=True)
            draft = Draft(folder, target, config)
            if done is not None and done.checkpoint.exists() and not draft.checkpoint.exists():
                shutil.copytree(done.checkpoint, draft.checkpoint)
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

    def _existing(self, target: Path, config: object, *, explicit: bool) -> Run | None:
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            return None
        try:
            run = Run.load(target)
            if self._is(run, config) and not (explicit and not run.unfinished):
                return run
            found = "already exists"
        except InputError as error:
            found = f"already exists and is no whole run ({error})"
        if explicit:
            raise InputError(
                f"{target} {found}, and is never written over. Give --out another folder."
            )
        _set_aside(target)
        return None


def _set_aside(target: Path) -> None:
    """Keep what stands in the place of a run beside it."""
    number, kept = 1, target.with_name(f"{target.name}.damaged")
    while kept.exists():
        number += 1
        kept = target.with_name(f"{target.name}.damaged-{number}")
    os.rename(target, kept)


def _lock_file(target: Path) -> Path:
    return target.parent / f".{target.name}.lock"


@contextmanager
def locked(target: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder for this process; the kernel lets go of it when the process dies.

    The file is removed while it is still held, so whoever waits may win the lock of a file
    that is gone; filelock (since 3.24) looks at the link count then, and tries again.
    """
    lock = FileLock(_lock_file(target), timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another process is writing {target} right now. Wait for it, or give --out "
            "another folder."
        ) from error
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
