"""The page of a neighbourhood: one offline file, beside it notes, BibTeX, CSV and the saved facts.

The table is the page's only record of the papers: it stands alone without scripts and in print,
and the script draws the network from its rows.
"""

import json
import os
from collections.abc import Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import get_args

from jinja2 import FileSystemLoader
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

import identikit
from identikit.core.errors import InputError
from identikit.core.files import read_regular, write_atomically
from identikit.literature.bibtex import write_bibtex, write_csv
from identikit.literature.paper import Neighbourhood, Paper, Relation
from identikit.literature.terms import key_terms, shared_terms, summary
from identikit.report.page import content_policy, environment, page_style, sort_script
from identikit.report.style import data_address

DRAWN = 150  # neighbours in the network; the table holds all
_HERE = Path(__file__).parent


def write(neighbourhood: Neighbourhood, folder: Path) -> Path:
    """Write page.html and, beside it, papers.json, papers.bib, papers.csv and notes.json.

    Notes that are in the folder already are shown and kept. Returns the page's path.

    Raises:
        InputError: the folder cannot be written to, or its notes.json holds no notes; or the
            extra that writes BibTeX is not installed.
    """
    exports = {"bib": write_bibtex(neighbourhood), "csv": write_csv(neighbourhood)}
    notes = _read_notes(folder / "notes.json")
    contents = {f"papers.{suffix}": text for suffix, text in exports.items()} | {
        "page.html": _render(neighbourhood, notes, exports, _docs_from(folder)),
        "papers.json": neighbourhood.model_dump_json(indent=1, exclude_defaults=True),
    }
    if not (folder / "notes.json").exists():
        contents["notes.json"] = "{}"
    for name, text in contents.items():
        write_atomically(folder / name, text.encode())
    return folder / "page.html"


def _render(
    neighbourhood: Neighbourhood, notes: Mapping[str, str], exports: Mapping[str, str], docs: str
) -> str:
    order = get_args(Relation)
    papers = sorted(neighbourhood.papers, key=lambda p: (order.index(p.relation), -(p.year or 0)))
    shared, likeness = shared_terms(papers)
    library, own = _resource("vendor/cytoscape-3.35.0.min.js"), _resource("templates/papers.js")
    scripts = [library, sort_script(), own]
    overlay = environment().overlay(loader=FileSystemLoader(_HERE / "templates"))
    return overlay.get_template("papers.html.jinja").render(
        papers=papers,
        drawn=_drawn(papers, likeness.tolist()),
        shared=shared,
        tests=json.loads(_resource("data/tests.json")),
        notes=notes,
        summary=summary(papers[0].abstract),
        key_terms=key_terms(neighbourhood),
        sources=neighbourhood.sources,
        docs=docs,
        exports={name: data_address(text.encode(), "text/plain") for name, text in exports.items()},
        style=page_style() + Markup(_resource("templates/papers.css")),
        scripts=[Markup(script) for script in scripts],
        policy=content_policy(scripts),
    )


def _drawn(papers: Sequence[Paper], likeness: Sequence[float]) -> set[int]:
    """Numbers of the papers in the network: of each relation those most like the first in words."""
    nearest = sorted(range(1, len(papers)), key=lambda k: -likeness[k])
    queues = [
        [k for k in nearest if papers[k].relation == relation] for relation in get_args(Relation)
    ]
    turns = (k for turn in zip_longest(*queues) for k in turn if k is not None)
    return {0, *islice(turns, DRAWN)}


def _read_notes(path: Path) -> dict[str, str]:
    """The reader's notes by the paper's name; none where there is no file."""
    try:
        return TypeAdapter(dict[str, str]).validate_json(read_regular(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        form = "one JSON object of papers' names and texts"
        raise InputError(f"{path} holds no notes ({form}). Mend it, or move it away.") from error


def _docs_from(folder: Path) -> str:
    """The docs of a source checkout, as seen from a folder; empty where there are none."""
    docs = Path(identikit.__file__).resolve().parents[2] / "docs"
    found = (docs / "theory.md").is_file()
    return Path(os.path.relpath(docs, folder.resolve())).as_posix() if found else ""


def _resource(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
