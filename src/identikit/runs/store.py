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
from identikit.core.files import write_json

DEFAULT_ROOT = Path("runs")
PAGE_FILE = "report.html"


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
            InputError: no such folder, not a run, or a damaged one.
        """
        if not path.is_dir():
            raise InputError(f"{path} is not a folder; give the folder of a run.")
        try:
            config = json.loads((path / "config.json").read_text())
            result = json.loads((path / "result.json").read_text())
            version = config.get("version", 0)  # there was none at first
            run = cls(path, config["command"], version, config["config"], result)
            run.origin, run.config.keys()
            return run
        except FileNotFoundError as error:
            raise InputError(
                f"{path} is not a run: it has no {Path(error.filename).name}. Give a folder "
                "made by an identikit command."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} holds a damaged run: {error}. Run it again.") from error


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
        return Run.load(self.folder)

    def publish(self) -> Run:
        """Move the whole folder to its place."""
        if self.target.exists():  # only ever an interrupted run of this very config
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

    def outdated(self, config: object, *, label: str = "") -> Path | None:
        """A run of this very config that another version of the study made, if there is one."""
        prefix = "-".join(part for part in (self.command, label) if part).replace(" ", "-")
        for path in sorted(self.root.glob(f"{escape(prefix)}-*/config.json")):
            try:
                run = Run.load(path.parent)
            except InputError:
                continue
            other = run.command == self.command and run.version != self.version
            if other and run.config == to_dict(config):
                return run.path
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
        `out` the run goes to that folder, which must not exist (or hold an interrupted run
        of the same config). With `wait` a run that another process is writing is waited for.

        Raises:
            InputError: `out` exists, or another process is writing this very run.
        """
        target = self.path_of(config, label=label) if out is None else out
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
        if not target.exists():
            return None
        try:
            run = Run.load(target)
            same = self._is(run, config)
        except InputError:
            same = False
        if not same or (explicit and not run.unfinished):
            raise InputError(
                f"{target} already exists and is never written over. Give --out another folder"
                + ("." if explicit else ", or move that one away.")
            )
        return run


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
