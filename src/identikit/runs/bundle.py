"""A run as one file: a ZIP archive that anybody can open, and that `identikit verify` runs again.

bundle.json         its form, and the SHA-256 of every other member
run/                config, result, arrays and their manifest, as they lie on disk
checkpoint/         the trained state, where the run kept one
findings.json       headline and findings alone
provenance.json     command, versions, machine, start and seconds of the run
environment.json    every package here, at the time of the export
inputs.json         path, bytes and SHA-256 of every file or folder that the config names
README.md           the data card; MODEL_CARD.md beside it where there is a checkpoint
"""

import json
import platform
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath
from typing import Any, cast

from jinja2 import FileSystemLoader

from identikit.core.archives import MOST_ARRAYS, require_expansion
from identikit.core.config import flat, from_dict
from identikit.core.errors import InputError, in_words, printable
from identikit.core.files import file_digest, open_regular, replacing
from identikit.core.lazy import imported
from identikit.core.serialization import from_plain, to_plain
from identikit.report.page import environment as templates
from identikit.runs.config import StudyConfig
from identikit.runs.provenance import machine
from identikit.runs.registry import entry_of
from identikit.runs.store import MANIFEST_FILE, SIGNED, Run

FORM = 1
CONTENTS = "bundle.json"
RUN = "run"
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file or folder that a run was made of."""

    path: str
    """As the config names it."""
    bytes: int
    sha256: str
    """Of a folder: of the names and digests of all its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a bundle says of itself."""

    form: int
    sha256: dict[str, str]
    """Of every other member."""
    inputs: tuple[Input, ...]
    """What the run was made of, which is not included."""


def config_of(run: Run) -> StudyConfig:
    """The typed config of a run.

    Raises:
        InputError: of no study that is known here, or of another version of it.
    """
    entry = entry_of(run.command)
    run.require(entry.name, entry.version)
    return cast(StudyConfig, from_dict(imported(entry.config), run.config))


def inputs_of(config: Mapping[str, Any]) -> tuple[Input, ...]:
    """The files and folders that a config names, with their digests, as they are now.

    Args:
        config: As in `to_dict`. Those without a digest of their own name no files.

    Raises:
        InputError: one that cannot be read.
    """
    found: dict[str, Input] = {}
    values = flat(config).values() if "sha256" in config else ()
    for value in values:
        for words in value if isinstance(value, list) else [value]:
            for path in _paths(words) if isinstance(words, str) else ():
                found[str(path)] = input_at(path)
    return tuple(found.values())


def _paths(words: str) -> list[Path]:
    """What is there of the name of a file, NAME=FILE, or a pattern."""
    for text in filter(None, (words, words.partition("=")[2])):
        if Path(text).exists():
            return [Path(text)]
        if found := glob(text):
            return [Path(path) for path in sorted(found)]
    return []


def input_at(path: Path) -> Input:
    """What lies at a path.

    Raises:
        InputError: nothing that can be read.
    """
    if not path.is_dir():
        digest = file_digest(path)
        return Input(path=str(path), bytes=path.stat().st_size, sha256=digest)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = "".join(f"{f.relative_to(path).as_posix()} {file_digest(f)}\n" for f in files)
    size = sum(file.stat().st_size for file in files)
    return Input(path=str(path), bytes=size, sha256=sha256(lines.encode()).hexdigest())


def export(run: Run, out: Path) -> None:
    """Write a run as one file, whole or not at all.

    Args:
        run: Finished, by a study and version that are known here.
        out: The file, which must not exist.

    Raises:
        InputError: a run that is not finished, inputs that are not as they were, or a file that
            exists or cannot be written.
    """
    if run.unfinished:
        raise InputError(
            f"{run.path} is not finished: {run.result['status']}. Go on with it first."
        )
    if out.exists():
        raise InputError(f"{out} exists, and is never written over. Give --out another file.")
    config = config_of(run)
    if config.with_digest() != config:
        raise InputError(
            f"what {run.path} was made of has changed since: its files are not those that the run "
            "read. Put those back, or make the run anew."
        )
    said, inputs = run.outcome, inputs_of(run.config)
    names = (f"{RUN}/{name}" for name in (*SIGNED, MANIFEST_FILE))
    files = {name: run.path / name.partition("/")[2] for name in names}
    if run.checkpoint.is_dir():
        trained = (path for path in run.checkpoint.rglob("*") if path.is_file())
        files |= {f"checkpoint/{p.relative_to(run.checkpoint).as_posix()}": p for p in trained}
    facts = {
        "run": run,
        "said": said,
        "inputs": inputs,
        "environment": environment(),
        "model": run.checkpoint.is_dir(),
        "study": entry_of(run.command),
        "options": flat(run.config),
    }
    texts = {
        "findings.json": _json(to_plain(said)),
        "provenance.json": _json(run.origin),
        "environment.json": _json(facts["environment"]),
        "README.md": _card("data_card.md.jinja", facts),
    }
    if facts["model"]:
        texts["MODEL_CARD.md"] = _card("model_card.md.jinja", facts)
    digests = {name: file_digest(path) for name, path in files.items()}
    digests |= {name: sha256(text.encode()).hexdigest() for name, text in texts.items()}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            contents = Contents(form=FORM, sha256=digests, inputs=inputs)
            archive.writestr(CONTENTS, _json(to_plain(contents)))
            for name, text in texts.items():
                archive.writestr(name, text)
            for name, path in files.items():
                archive.write(path, name)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.") from error


@contextmanager
def opened(bundle: Path) -> Iterator[tuple[Path, Contents]]:
    """For a while, a folder with the members of a bundle, as their digests say; and its contents.

    Raises:
        InputError: no bundle, a damaged one, or one that expands too far.
    """
    with tempfile.TemporaryDirectory(prefix="identikit-") as place:
        folder = Path(place)
        try:
            with open_regular(bundle) as file, zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                expanded = sum(member.file_size for member in members)
                require_expansion(bundle, expanded, size=bundle.stat().st_size)
                if len(members) > MOST_ARRAYS or any(not _plain(m.filename) for m in members):
                    raise InputError(f"{bundle} is not a bundle: it has members of strange names.")
                for member in members:
                    archive.extract(member, folder)
                said = dict(json.loads(archive.read(CONTENTS)))
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"cannot read {bundle}: {error.strerror}.") from error
        except Exception as error:  # what reading noise runs into can be of any kind
            raise InputError(f"{bundle} is not a whole bundle: {in_words(error)}.") from error
        if said.get("form") != FORM:
            raise InputError(f"{bundle} is of another form; this version reads form {FORM}.")
        contents = from_plain(Contents, said, writer="identikit export")
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        for name in sorted({*contents.sha256, *there} - {CONTENTS}):
            if name not in there or file_digest(folder / name) != contents.sha256.get(name):
                raise InputError(f"{bundle} is damaged: {name} is not as it was written.")
        yield folder, contents


def environment() -> dict[str, Any]:
    """Python, system, machine, and the version of every package here."""
    packages = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": machine(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def _plain(name: str) -> bool:
    """Whether a member's name stays within its folder."""
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not re.search(r"[\\:\0]|^/", name)


def _json(data: object) -> str:
    return json.dumps(data, indent=1, default=str) + "\n"


def _card(name: str, facts: Mapping[str, Any]) -> str:
    """A card in Markdown: words from runs are words, whatever is in them."""

    def words(value: object) -> str:
        text = printable(str(value), keep="")
        return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)

    overlay = templates().overlay(loader=FileSystemLoader(_TEMPLATES), autoescape=False)
    overlay.filters = overlay.filters | {"words": words}
    return overlay.get_template(name).render(**facts)
