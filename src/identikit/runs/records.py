"""What lies in a folder of runs, a record for each, and an index that is held against the folders.

Reading and hashing a run takes a millisecond or more, so what was read is kept in `.index.jsonl`
beside the runs: a line that names the form, one with all records, then one for each run with all
values that it can be chosen by, which is parsed only if it is asked for. A record counts only while
the folder and its files have the times and sizes that it was made of; what is being written is
always looked at anew.
"""

import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from identikit.core.config import digest, flat
from identikit.core.errors import InputError, unknown_name
from identikit.core.estimate import central
from identikit.core.files import (
    lock_file,
    locked,
    read_regular,
    require_inside,
    write_atomically,
)
from identikit.core.finding import Headline, Tone, listed
from identikit.runs.labels import read_labels
from identikit.runs.registry import STUDIES
from identikit.runs.store import MANIFEST_FILE, PARTIAL, PROGRESS_FILE, SIGNED, Run

INDEX_FILE = ".index.jsonl"
FILES = ("", *SIGNED, MANIFEST_FILE)
"""Whose times and sizes a record is held against; the first is the folder itself, whose time says
when any other file in it was replaced."""
HASHED = re.compile(r"(.*)-([0-9a-f]{10})")
PART = re.compile(rb'"path": "([^"/\\]+-[0-9a-f]{10})"')
"""How a table or sweep names a run that it is made of."""
MANY = 100
"""Runs that take so long to read that somebody wants to know."""
DEEPEST = 2
"""How far inside a result a single number may stand, to be one that runs are sorted by."""
STATES = {"interrupted": "interrupted", "incomplete": "incomplete"}
"""Of runs that are on disk, and whose command has something left to do."""
SILENT = Headline(sentence="", word="", tone="neutral")
Signature = list[int]


@dataclass(frozen=True, slots=True)
class Record:
    """What a list says of a run."""

    folder: str
    """Its name in the folder of runs."""
    study: str
    """What made it: simulate, probe, ..."""
    version: int
    """Of that study."""
    label: str
    """World, model or file, as in the folder's name."""
    name: str
    """That a user gave it, else empty."""
    started: str
    """UTC; of a damaged run or a draft, when its folder was last written to."""
    state: str
    """finished, interrupted, incomplete, running, stopped, other version or damaged."""
    detail: str
    """How far it is, which version made it, or what is damaged."""
    word: str
    """Beside the headline's tick."""
    tone: Tone
    headline: str
    size: int
    """Bytes of the whole folder."""
    same: str
    """Equal for runs of one config by any version of the study."""
    tags: tuple[str, ...]
    parts: tuple[str, ...]
    """Folders of the runs that it is made of."""
    values_json: bytes
    """`options`, the config with dotted names, and `numbers`: what was recovered of each quantity,
    and single numbers of the result."""

    @property
    def called(self) -> tuple[str, ...]:
        """What it is found by, shortest first: its name, its hash, its folder."""
        hashed = HASHED.fullmatch(_target(self.folder))
        return tuple(filter(None, (self.name, hashed and hashed[2], self.folder)))

    @property
    def short(self) -> str:
        """What it is called where there is little room."""
        return self.called[0]

    @property
    def orphaned(self) -> bool:
        """Whether no command finds it any more."""
        return self.state in ("other version", "damaged")

    @property
    def partial(self) -> bool:
        """Whether it is a draft that a killed command left behind."""
        return self.state == "stopped"

    def plain(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        light = {field.name: getattr(self, field.name) for field in fields(self)[:-1]}
        return {**light, **json.loads(self.values_json)}

    def values(self) -> dict[str, Any]:
        """Everything that it can be chosen or sorted by."""
        plain = self.plain()
        return {**plain.pop("options"), **plain.pop("numbers"), **plain}


def records(root: Path, *, watch: Callable[[int, int], None] | None = None) -> list[Record]:
    """All runs right below a folder, the newest first.

    Args:
        root: Folder of all runs.
        watch: Told how many of how many new ones were read, if they are many.

    Raises:
        InputError: no such folder.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder. Give the folder of your runs as --root.")
    known = _read_index(root)
    found: dict[str, tuple[Signature, Record]] = {}
    fresh: dict[str, Signature] = {}
    drafts: list[str] = []
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                drafts += [entry.name] if entry.name.endswith(PARTIAL) else []
            elif signature := _signature(entry.path):
                before = known.get(entry.name)
                if before is not None and before[0] == signature:
                    found[entry.name] = before
                else:
                    fresh[entry.name] = signature
    for done, (name, signature) in enumerate(fresh.items(), start=1):
        record = _read(root / name)
        if record is not None:
            found[name] = signature, record
        if watch is not None and len(fresh) >= MANY:
            watch(done, len(fresh))
    if fresh or len(found) != len(known):
        _write_index(root, found)
    listed = [_today(record) for _, record in found.values()]
    listed += [_draft(root, name) for name in drafts if _config(root / name)]
    return sorted(listed, key=lambda record: (record.started, record.folder), reverse=True)


def chosen(
    found: Iterable[Record],
    *,
    study: str | None = None,
    where: Sequence[str] = (),
    tag: str | None = None,
) -> list[Record]:
    """Those of a study, with a tag, whose values are as they are wanted.

    Args:
        found: Records.
        study: Its name, or the last word of it.
        where: As NAME=VALUE; the last part of a dotted name is enough.
        tag: One of theirs.

    Raises:
        InputError: no such study or name, or one without a value.
    """
    wanted = list(found)
    if study is not None:
        there = {record.study for record in wanted}
        names = {n for n in {*STUDIES, *there} if study in (n, n.rpartition(" ")[2])}
        if not names:
            raise unknown_name("study", study, {*STUDIES, *there})
        wanted = [record for record in wanted if record.study in names]
    for condition in where:
        key, equals, value = condition.partition("=")
        if not equals:
            raise InputError(f"--where takes NAME=VALUE, such as kappa=50; got {condition!r}.")
        read = _column(key, wanted)
        wanted = [record for record in wanted if _equal(read[record.folder], value)]
    return [record for record in wanted if tag is None or tag in record.tags]


def ordered(found: Sequence[Record], key: str) -> list[Record]:
    """By one of their values, from the smallest on; those without it come last.

    Raises:
        InputError: none of them has such a value.
    """
    read = _column({"date": "started"}.get(key, key), found)

    def rank(record: Record) -> tuple[int, float, str]:
        value = read[record.folder]
        if isinstance(value, int | float):
            return 0, float(value), ""
        return (2, 0.0, "") if value is None else (1, 0.0, str(value))

    return sorted(found, key=rank)


def one_of(found: Sequence[Record], words: str) -> Record:
    """The run of that name, folder or hash, or of the beginning of one of them.

    Raises:
        InputError: none, or several.
    """
    plain = Path(words).name if "/" in words else words
    exact = [record for record in found if plain in record.called]
    near = exact or [r for r in found if any(name.startswith(plain) for name in r.called)]
    if not near or not plain:
        raise unknown_name("run", words, {record.short for record in found})
    if len(near) > 1:
        raise InputError(
            f"{words!r} may be any of {len(near):,} runs: "
            f"{listed([r.folder for r in near], most=4)}. Give more of the name."
        )
    return near[0]


def _column(key: str, found: Sequence[Record]) -> dict[str, Any]:
    """A value of each record, by its whole name or the last part of it."""
    column: dict[str, Any] = {}
    known: set[str] = set()
    for record in found:
        values = record.values()
        last = {name.rpartition(".")[2]: value for name, value in reversed(values.items())}
        known |= {*last}
        column[record.folder] = values.get(key, last.get(key))
    if found and key not in known and all(value is None for value in column.values()):
        raise unknown_name("value of these runs", key, known)
    return column


def _equal(value: object, wanted: str) -> bool:
    """Whether a value of a config is what was typed."""
    if isinstance(value, list):
        return any(_equal(one, wanted) for one in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(ValueError):
            return float(wanted) == value
    return str(value).lower() == wanted.lower()


def _signature(folder: str) -> Signature:
    """Times and sizes of a folder and of what is in it; empty where it holds nothing of a run."""
    found: Signature = []
    for place, name in enumerate(FILES):
        try:
            stat = os.stat(f"{folder}/{name}")
        except OSError:
            continue
        found += (place, stat.st_mtime_ns, stat.st_size)
    return found if len(found) > 3 else []


def _read(folder: Path) -> Record | None:
    """The record of what stands in a place, whole or damaged; None where it never was a run."""
    ours = HASHED.fullmatch(folder.name) and (folder / MANIFEST_FILE).exists()
    if not (ours or _config(folder)):
        return None
    problem, numbers, parts = "", dict[str, Any](), tuple[str, ...]()
    headline, started, status = SILENT, "", ""
    try:
        run = Run.load(folder)
        said = run.outcome
        headline, started, status = said.headline, run.origin["started"], run.result["status"]
        recovered = {f.name: central(f.recovered) for f in said.findings}
        numbers = recovered | {k: v for k, v in flat(run.result).items() if _single(k, v)}
        paths = PART.findall(read_regular(folder / "result.json"))
        parts = tuple(dict.fromkeys(path.decode() for path in paths))
    except (InputError, KeyError, TypeError) as error:
        problem = str(error)
    return _record(
        folder,
        started=started,
        state="damaged" if problem else STATES.get(status, "finished"),
        detail=problem or _how_far(folder),
        headline=headline,
        parts=parts,
        numbers=numbers,
    )


def _draft(root: Path, name: str) -> Record:
    """The record of a draft: it is being written, or was left behind."""
    state = "running" if _held(root / _target(name)) else "stopped"
    return _record(root / name, state=state, detail=_how_far(root / name))


def _target(folder: str) -> str:
    """The name of the place of a run, or of what a draft is to become."""
    return folder.removeprefix(".").removesuffix(PARTIAL)


def _record(
    folder: Path,
    *,
    state: str,
    detail: str,
    started: str = "",
    headline: Headline = SILENT,
    parts: tuple[str, ...] = (),
    numbers: Mapping[str, Any] = MappingProxyType({}),
) -> Record:
    made = _config(folder)
    study, config = str(made.get("command", "")), made.get("config", {})
    hashed, labels = HASHED.fullmatch(_target(folder.name)), read_labels(folder)
    when = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return Record(
        folder=folder.name,
        study=study,
        version=made.get("version", 0),
        label=hashed[1].removeprefix(study.replace(" ", "-")).strip("-") if hashed else "",
        name=labels.name,
        tags=labels.tags,
        started=started or when.isoformat(" ", "seconds"),
        state=state,
        detail=detail,
        word=headline.word,
        tone=headline.tone,
        headline=headline.sentence,
        size=sum(file.lstat().st_size for file in folder.rglob("*")),
        same=digest([study, config]),
        parts=parts,
        values_json=json.dumps({"options": flat(config), "numbers": dict(numbers)}).encode(),
    )


def _today(record: Record) -> Record:
    """The record in the light of the studies as they are now, which the index knows nothing of."""
    entry = STUDIES.get(record.study)
    if record.state == "damaged" or (entry is not None and record.version == entry.version):
        return record
    ours = f"this is {entry.version}" if entry else "there is no such study here"
    detail = f"made by version {record.version} of {record.study}; {ours}"
    return replace(record, state="other version", detail=detail)


def _config(folder: Path) -> dict[str, Any]:
    """What is in the config's file; nothing, where there is none that a study wrote."""
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        require_inside(folder / "config.json", folder, remedy="Remove it.")
        made = json.loads(read_regular(folder / "config.json"))
        config, study, version = (made.get(key) for key in ("config", "command", "version"))
        if isinstance(config, dict) and isinstance(study, str) and isinstance(version, int):
            found: dict[str, Any] = made
            return found
    return {}


def _how_far(folder: Path) -> str:
    """How much of a run that has not ended is done."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        standing = json.loads(read_regular(folder / PROGRESS_FILE))
        return f"{standing['done']:,} of {standing['total']:,}"
    return ""


def _held(target: Path) -> bool:
    """Whether a process holds the lock of a run."""
    if not lock_file(target).exists():
        return False
    try:
        with locked(target):
            return False
    except (InputError, OSError):
        return True


def _single(name: str, value: object) -> bool:
    """Whether it is a number that runs may be sorted by."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and name.count(".") < DEEPEST


def _read_index(root: Path) -> dict[str, tuple[Signature, Record]]:
    try:
        form, _, content = read_regular(root / INDEX_FILE).partition(b"\n")
        if form != _form(content):
            return {}
        lights, *values = content.split(b"\n")
        found = {}
        for (signature, fields), value in zip(json.loads(lights), values, strict=True):
            *light, tags, parts = fields
            typed: Any = [*light, tuple(tags), tuple(parts), value]
            record = Record(*typed)
            found[record.folder] = signature, record
        return found
    except (OSError, ValueError, TypeError):
        return {}


def _write_index(root: Path, found: Mapping[str, tuple[Signature, Record]]) -> None:
    lights = [(signature, astuple(record)[:-1]) for signature, record in found.values()]
    values = (record.values_json for _, record in found.values())
    content = b"\n".join((json.dumps(lights).encode(), *values))
    with suppress(InputError):  # where nothing can be written, all is read each time
        write_atomically(root / INDEX_FILE, _form(content) + b"\n" + content)


def _form(content: bytes) -> bytes:
    """First line of an index: which form it has, and the sum by which it is known to be whole."""
    return f"identikit runs 3 {zlib.crc32(content):08x}".encode()
