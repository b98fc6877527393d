"""One self-contained HTML page: headline, findings with their controls, figures, origin.

The page knows words, tables and figures, and nothing of how they were made; studies build it.
It works without a network (its policy forbids one), without scripts, and on paper.
"""

import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from identikit.core.config import flat
from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Spread, format_brief, format_cell, format_number
from identikit.core.files import write_atomically
from identikit.core.finding import Finding, Headline, controls_of
from identikit.report.style import Figure, Picture, data_address, image_bytes
from identikit.report.tables import Links, write_table

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; its first column names the rows."""

    caption: str
    frame: pd.DataFrame
    """Numbers, `Estimate`s and `Spread`s are formatted, `Links` lead to other pages, text is
    escaped, the index is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A small curve with words beside it, such as means over parts of the samples."""

    name: str
    heights: tuple[float, ...]
    """From left to right, drawn between -1 and 1."""
    words: str

    @property
    def path(self) -> str:
        """The points in a box of 60 x 24, as an SVG polyline wants them."""
        step = 56 / max(1, len(self.heights) - 1)
        y = [12 - 10 * min(1.0, max(-1.0, height)) for height in self.heights]
        return " ".join(f"{2 + j * step:.1f},{own:.1f}" for j, own in enumerate(y))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One thing with its facts, small curves, and rows of samples."""

    title: str
    facts: Mapping[str, str]
    trends: tuple[Trend, ...] = ()
    samples: Mapping[str, tuple[Picture | str, ...]] = field(default_factory=dict)
    """Pictures or words, by what they have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, what it is about in plain words, and what belongs to it."""

    heading: str
    lead: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    cards: tuple[Card, ...] = ()
    notes: tuple[str, ...] = ()
    """Cautions and details, one sentence or two each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the numbers come from and how to get them again."""

    command: str
    """The command that reproduces the page."""
    config: Mapping[str, Any]
    """As in `config.to_dict`; may be nested."""
    versions: Mapping[str, str]
    """Package to version."""
    machine: str
    started: str
    """Date and time, as it is to be read."""
    seconds: float
    resumed: bool = False
    """Whether the run had begun before, so that `seconds` are those of its last part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole report.

    Raises:
        InputError: two figures with the same name.
    """

    title: str
    subtitle: str
    headline: Headline
    findings: tuple[Finding, ...]
    sections: tuple[Section, ...]
    provenance: Provenance | None
    """None for a result that no run made."""

    def __post_init__(self) -> None:
        names = [figure.name for figure in self.figures]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(
                f"figures on one page must have different names; got {', '.join(twice)} more "
                "than once. Rename one with dataclasses.replace(figure, name=...)."
            )

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the order of the page."""
        return tuple(figure for section in self.sections for figure in section.figures)


def write_page(page: Page, path: Path) -> None:
    """Write the page to one HTML file, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    write_atomically(path, render(page).encode())


def save_figures(page: Page, folder: Path) -> list[Path]:
    """Save every figure of the page as NAME.png and NAME.pdf.

    Raises:
        InputError: the folder cannot be written to.
    """
    paths = []
    for figure in page.figures:
        for file_format in ("png", "pdf"):
            paths.append(folder / f"{figure.name}.{file_format}")
            write_atomically(paths[-1], image_bytes(figure.static, file_format))
    return paths


def save_tables(page: Page, folder: Path) -> None:
    """Save every table of the page as CSV, Markdown and LaTeX, named after its caption.

    Raises:
        InputError: the folder cannot be written to.
    """
    for table in (table for section in page.sections for table in section.tables):
        plain = unicodedata.normalize("NFKD", table.caption).lower()  # R² becomes r2
        name = "-".join(re.findall(r"[a-z0-9]+", plain))
        write_table(table.frame, folder / name)


def render(page: Page) -> str:
    """The page as HTML."""
    scripts = []
    if any(figure.interactive is not None for figure in page.figures):
        scripts = [get_plotlyjs(), (_TEMPLATES / "page.js").read_text()]
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            page=page,
            controls=controls_of(page.findings),
            style=page_style(),
            scripts=[Markup(script) for script in scripts],
            policy=content_policy(scripts),
        )
    )


def result_page(
    headline: Headline,
    findings: tuple[Finding, ...],
    figure: Figure,
    *,
    path: str | Path | None = None,
) -> str:
    """A result that no run made, as a page; written too where a path is given.

    Raises:
        InputError: the file cannot be written.
    """
    page = Page(
        title="Predicted, recovered, explained",
        subtitle="",
        headline=headline,
        findings=findings,
        sections=(Section(heading="At a glance", lead="", figures=(figure,)),),
        provenance=None,
    )
    if path is not None:
        write_page(page, Path(path))
    return render(page)


def findings_html(headline: Headline, findings: tuple[Finding, ...]) -> str:
    """Headline and table as a part of another page, whose own style stays as it is."""
    shown = environment().get_template("findings.html.jinja")
    style = re.sub(r":root|\bbody\b", ":scope", page_style())
    own = ":scope { margin: 0; padding: 0 1rem; max-width: none; font-size: 0.9rem; }"
    return (
        f'<div class="identikit"><style>@scope (.identikit) {{ {style} {own} }}</style>'
        + shown.render(headline=headline, findings=findings, controls=controls_of(findings))
        + "</div>"
    )


def page_style() -> Markup:
    """The style sheet that all pages share."""
    return Markup((_TEMPLATES / "page.css").read_text())


def sort_script() -> str:
    """The script by which tables are sorted: its function `sortable`."""
    return (_TEMPLATES / "sort.js").read_text()


def content_policy(scripts: list[str]) -> str:
    """A content security policy: no network at all, and no script but those on this page."""
    hashes = " ".join(
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    allowed = hashes or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def environment() -> Environment:
    """Where the pages' templates are found, and how what is put into them is written."""
    found = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "cell": format_cell,
        "brief": format_brief,
        "linked": _linked,
        "number": format_number,
        "svg": lambda figure: data_address(image_bytes(figure.static, "svg"), "image/svg+xml"),
        "plot": _plot_json,
        "flat": _flat,
        "numeric": _numeric,
    }
    return found


def _numeric(column: Iterable[object]) -> bool:
    """Whether it holds numbers, of which some may be missing."""
    there = [value for value in column if value is not None]
    plain = (isinstance(v, int | float | Estimate | Spread) for v in there)
    return bool(there) and all(plain) and not any(isinstance(v, bool) for v in there)


def _linked(value: object) -> str:
    """A cell: one of links as anchors, an estimate so that it may break before its interval."""
    if isinstance(value, Estimate | Spread):
        parts = re.split(r" (?=[\[±])", format_cell(value))
        return Markup(" ").join(Markup("<span>{}</span>").format(part) for part in parts)
    if not isinstance(value, Links):
        return format_cell(value)
    anchor = Markup('<a href="{1}">{0}</a>')
    return Markup(" ").join(anchor.format(*target) for target in value.targets)


def _plot_json(figure: Figure) -> Markup:
    """Plotly's JSON, harmless inside a script element: it holds no `<`."""
    if figure.interactive is None:
        raise ValueError(f"figure {figure.name} is not interactive")
    return Markup(figure.interactive.to_json().replace("<", "\\u003c"))


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    """A nested config as dotted names and values in words."""
    return {
        name: "not set" if value is None else value if isinstance(value, str) else json.dumps(value)
        for name, value in flat(config).items()
    }
