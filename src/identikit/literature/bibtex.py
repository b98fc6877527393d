"""BibTeX and CSV: a paper read from a user's file, and all papers of a neighbourhood written."""

import csv
import io
import logging
import re
from collections import Counter
from functools import partial
from pathlib import Path

from identikit.core.errors import InputError, optional_module
from identikit.core.files import read_regular
from identikit.literature.paper import Neighbourhood, Paper, identifiers, plain

_library = partial(optional_module, what="literature lens", extra="literature")


def read_bibtex(path: Path) -> Paper:
    """A paper from a BibTeX file of one entry.

    Raises:
        InputError: no such file, no entry or several, one without a title, or the extra that
            reads BibTeX is not installed.
    """
    bibtex = _library("bibtexparser")
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # the errors below say it
    try:
        text = read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as text in UTF-8: {error}.") from error
    steps = bibtex.middlewares
    names = [steps.NormalizeFieldKeys(), steps.SeparateCoAuthors(), steps.SplitNameParts()]
    found = bibtex.parse_string(text, append_middleware=names).entries_dict
    if len(found) != 1:
        raise InputError(f"{path} holds {len(found):,} whole BibTeX entries. Give a file with one.")
    ((key, entry),) = found.items()
    fields = {name: field.value for name, field in entry.fields_dict.items()}
    parts = ((*p.first, *p.von, *p.last, *p.jr) for p in fields.pop("author", ()))
    said = {name: str(value) for name, value in fields.items()}
    if not _decoded(said.get("title", "")):
        raise InputError(f"the entry {key} of {path} has no title.")
    year = re.search(r"\d{4}", said.get("year", said.get("date", "")))
    return Paper(
        title=_decoded(said["title"]),
        authors=tuple(_decoded(" ".join(words)) for words in parts),
        year=int(year[0]) if year else None,
        abstract=_decoded(said.get("abstract", "")),
        url=said.get("url", ""),
        **identifiers(*(said.get(name, "") for name in ("eprint", "doi", "url"))),
    )


def write_bibtex(neighbourhood: Neighbourhood) -> str:
    """All papers as BibTeX, this one first; keys are surname, year and a word of the title.

    Raises:
        InputError: the extra that writes BibTeX is not installed.
    """
    encoded = _library("pylatexenc.latexencode").unicode_to_latex
    entries, keys = [], Counter[str]()
    for paper in neighbourhood.papers:
        key = _citation_key(paper)
        keys[key] += 1
        fields = {
            "title": encoded(paper.title),
            "author": " and ".join(_guarded(encoded(name)) for name in paper.authors),
            "year": paper.year,
            "eprint": paper.arxiv,
            "archiveprefix": "arXiv" if paper.arxiv else "",
            "doi": paper.doi,
            "url": paper.address,
        }
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        numbered = key if keys[key] == 1 else f"{key}-{keys[key]}"
        entries.append(",\n".join([f"@misc{{{numbered}", *lines]) + "\n}\n")
    return "\n".join(entries)


def write_csv(neighbourhood: Neighbourhood) -> str:
    """All papers as CSV, this one first; authors are separated by semicolons."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(("relation", "title", "authors", "year", "arxiv", "doi", "address"))
    for paper in neighbourhood.papers:
        ids = (paper.year or "", paper.arxiv, paper.doi, paper.address)
        table.writerow((paper.relation, paper.title, "; ".join(paper.authors), *ids))
    return file.getvalue()


def _decoded(latex: str) -> str:
    """LaTeX's accents and escapes as the characters that they print, on one line."""
    text = _library("pylatexenc.latex2text").LatexNodes2Text().latex_to_text(latex)
    return " ".join(text.split())


def _guarded(name: str) -> str:
    """A name that BibTeX would take apart, as one word."""
    return f"{{{name}}}" if re.search(r"\band\b|,", name) else name


def _citation_key(paper: Paper) -> str:
    surname = plain("".join(paper.authors[:1])).rpartition("-")[2]
    word = next((word for word in plain(paper.title).split("-") if len(word) > 3), "")
    return re.sub(r"[^a-z0-9]", "", f"{surname}{paper.year or ''}{word}") or "paper"
