"""A folder of runs as a static site: offline, every page small, what pages share stored once.

index.html          all runs, sorted and filtered
STUDY.html          those of a study, with the options in which they differ
RUN/report.html     the run's page, where it stands beside the run too, so that links hold
assets/             scripts, figures and style, each under the digest of its content
"""

import re
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader

from identikit.core.errors import InputError
from identikit.core.files import read_regular, require_inside, write_atomically
from identikit.report.page import Page, Provenance, environment, page_style, render, sort_script
from identikit.runs.records import Record, records
from identikit.runs.registry import STUDIES
from identikit.runs.store import PAGE_FILE, Run

MARK = Path("assets") / "site.js"
"""By which a folder is known to be a site that may be written over."""
Links = Mapping[str, Sequence[Record]]
"""Other runs, by what they are to one."""
MOST_COLUMNS = 8
"""Options, and as many numbers, that a study's table has columns for."""
REFRESH = 5
"""Seconds after which a page of a site that is being watched loads itself again."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'"
)
"""No network, and no script but those in the site's own folder."""
_TEMPLATES = Path(__file__).parent / "templates"
_EMBEDDED = re.compile(r'src="data:image/(png|jpeg|svg\+xml);base64,([A-Za-z0-9+/=]+)"')
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_OLD_POLICY = re.compile(r'(http-equiv="Content-Security-Policy" content=")[^"]*')
_PICTURE = re.compile(r'<img class="static" src="\.\./(assets/[^"]+)"')


@dataclass(slots=True)
class Site:
    """A site of a folder of runs; `update` writes what has changed since the last time."""

    root: Path
    out: Path
    _pictures: dict[str, str] = field(default_factory=dict)
    """The first figure of each run that has one."""
    _written: dict[str, object] = field(default_factory=dict)
    """What each run's page was made of."""

    def update(
        self, *, watched: bool = False, tell: Callable[[int, int], None] = lambda done, total: None
    ) -> int:
        """Write all pages that are not as they should be; how many runs the site has.

        Args:
            watched: Whether pages load themselves again.
            tell: Told how many of how many runs' pages are written.

        Raises:
            InputError: no folder of runs, or a place for the site that holds something else.
        """
        if self.out.exists() and any(self.out.iterdir()) and not (self.out / MARK).exists():
            raise InputError(
                f"{self.out} holds something else, and is never written over. Give --out an empty "
                "or new folder."
            )
        found = records(self.root)
        _write(self.out / MARK, sort_script() + _resource("site.js"))
        _write(self.out / "assets" / "site.css", page_style() + _resource("site.css"))
        shown = [
            record for record in found if record.state not in ("damaged", "running", "stopped")
        ]
        for done, (record, links) in enumerate(_linked(shown), start=1):
            tell(done, len(shown))
            self._write_run(record, links)
        pages = {record.folder for record in shown}
        for folder in self.out.iterdir():
            if (folder / PAGE_FILE).exists() and folder.name not in pages:
                shutil.rmtree(folder)  # of a run that is gone
                self._written.pop(folder.name, None)
        write = partial(self._write_table, pages=pages, refresh=REFRESH if watched else 0)
        by_study: dict[str, list[Record]] = {}
        for record in found:
            by_study.setdefault(record.study, []).append(record)
        studies = {_page_of(study): (study, len(some)) for study, some in by_study.items()}
        write("index.html", "Runs", f"{len(found):,} runs in {self.root}", found, studies=studies)
        for study, some in by_study.items():
            words = STUDIES[study].help if study in STUDIES else ""
            write(_page_of(study), study or "Unknown", words, some, columns=_columns(some))
        return len(found)

    def _write_run(self, record: Record, links: Links) -> None:
        """The page of a run, with links to what it is made of, a part of, and a version of."""
        page = self.root / record.folder / PAGE_FILE
        around = [(words, [other.folder for other in some]) for words, some in links.items()]
        made_of = record, around, page.stat().st_mtime_ns if page.exists() else None
        if self._written.get(record.folder) == made_of:
            return
        html = self._shared(_page(self.root / record.folder, record))
        for part in links["made of"]:  # which have a page here, if they had none beside the run
            html = html.replace(f"../{part.folder}/result.json", f"../{part.folder}/{PAGE_FILE}")
        nav = _template("around.html.jinja", record=record, links=links, page_of=_page_of)
        html = html.replace("</header>", f"{nav}</header>", 1)
        picture = _PICTURE.search(html)
        if picture is not None:
            self._pictures[record.folder] = picture[1]
        _write(self.out / record.folder / PAGE_FILE, html)
        self._written[record.folder] = made_of

    def _shared(self, html: str) -> str:
        """A page whose pictures and scripts are files that other pages use too."""

        def kept(content: bytes, ending: str) -> str:
            name = f"assets/{sha256(content).hexdigest()[:16]}.{ending}"
            if not (self.out / name).exists():
                write_atomically(self.out / name, content)
            return f'src="../{name}"'

        html = _SCRIPT.sub(lambda m: f"<script {kept(m[1].encode(), 'js')}></script>", html)
        html = _EMBEDDED.sub(lambda m: kept(b64decode(m[2]), m[1].removesuffix("+xml")), html)
        return _OLD_POLICY.sub(lambda m: m[1] + POLICY, html, count=1)

    def _write_table(
        self,
        name: str,
        title: str,
        subtitle: str,
        found: Sequence[Record],
        *,
        pages: set[str],
        refresh: int,
        studies: dict[str, tuple[str, int]] | None = None,
        columns: Sequence[tuple[str, str]] = (),
    ) -> None:
        html = _template(
            "site.html.jinja",
            policy=POLICY,
            title=title,
            subtitle=subtitle,
            found=[(record, _cells(record, columns)) for record in found],
            pages=pages,
            pictures=self._pictures,
            refresh=refresh,
            studies=studies or {},
            columns=[key for _, key in columns],
            page_of=_page_of,
            page_file=PAGE_FILE,
        )
        _write(self.out / name, html)


def _linked(shown: Sequence[Record]) -> Iterator[tuple[Record, Links]]:
    """Each run with those that belong to it, in words."""
    by_folder = {record.folder: record for record in shown}
    wholes: dict[str, list[Record]] = {}
    versions: dict[str, list[Record]] = {}
    for record in shown:
        versions.setdefault(record.same, []).append(record)
        for part in record.parts:
            wholes.setdefault(part, []).append(record)
    for record in shown:
        yield (
            record,
            {
                "part of": wholes.get(record.folder, []),
                "made of": [by_folder[part] for part in record.parts if part in by_folder],
                "the same config": [r for r in versions[record.same] if r is not record],
            },
        )


def _page(folder: Path, record: Record) -> str:
    """The run's own page; where it was never drawn, its findings as a page."""
    path = folder / PAGE_FILE
    if path.exists():
        require_inside(path, folder, remedy="Put a copy in its place.")
        return read_regular(path).decode(errors="replace")
    run = Run.load(folder)
    said = run.outcome
    return render(
        Page(
            title=record.name or record.label or record.folder,
            subtitle=record.study,
            headline=said.headline,
            findings=said.findings,
            sections=(),
            provenance=Provenance(config=run.config, **run.origin),
        )
    )


def _columns(found: Sequence[Record]) -> list[tuple[str, str]]:
    """Options in which some runs differ, and quantities that most have, by kind and name."""
    plain = [record.plain() for record in found]
    columns: list[tuple[str, str]] = []
    for kind in ("options", "numbers"):
        names = dict.fromkeys(name for one in plain for name in one[kind])
        differ = [name for name in names if len({str(one[kind].get(name)) for one in plain}) > 1]
        columns += [(kind, name) for name in differ if kind == "options" or "." not in name][
            :MOST_COLUMNS
        ]
    return columns


def _cells(record: Record, columns: Sequence[tuple[str, str]]) -> list[Any]:
    plain = record.plain() if columns else {}
    return [plain[kind].get(name) for kind, name in columns]


def _page_of(study: str) -> str:
    """The file of a study's page."""
    return (re.sub(r"\W+", "-", study).strip("-") or "unknown") + ".html"


def _template(name: str, **values: Any) -> str:
    overlay = environment().overlay(loader=FileSystemLoader(_TEMPLATES))
    return overlay.get_template(name).render(**values)


def _resource(name: str) -> str:
    return (_TEMPLATES / name).read_text()


def _write(path: Path, text: str) -> None:
    """Write a file unless it says so already."""
    if not path.exists() or path.read_text() != text:
        write_atomically(path, text.encode())
