"""What arXiv, Semantic Scholar and OpenAlex say of a paper and of its neighbours.

arXiv answers in Atom (info.arxiv.org/help/api), the other two in JSON (api.semanticscholar.org,
docs.openalex.org). Any field of an answer may be missing or null. Who is asked for a paper and
does not answer, not in its form, or does not know the paper, raises `SourceError`.
"""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from identikit.literature.paper import Neighbourhood, Paper, Relation, identifiers
from identikit.literature.web import Service, SourceError

_ATOM = {"a": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
_SCHOLAR = "title,year,publicationDate,abstract,url,authors,externalIds"
_SCHOLAR_PAGE, _SCHOLAR_LAST = 1000, 9999
"""Links in an answer, and the last one that can be had."""
_ALEX = "title,publication_year,publication_date,id,doi,authorships,abstract_inverted_index"
_ALEX_NAMED, _ALEX_LAST = 100, 10_000
"""Works that a request can name, and citing works that are asked for."""


class Services(NamedTuple):
    """The three sources."""

    arxiv: Service
    scholar: Service
    alex: Service


def public_services() -> Services:
    """The services at their public addresses, with the user's keys, at the rates they ask for."""
    scholar, alex = (os.environ.get(f"{s}_API_KEY") for s in ("SEMANTIC_SCHOLAR", "OPENALEX"))
    return Services(
        Service("arXiv", "https://export.arxiv.org/api", 3.0),
        Service(
            "Semantic Scholar",
            "https://api.semanticscholar.org/graph/v1",
            1.0,
            {"x-api-key": scholar} if scholar else {},
        ),
        Service(
            "OpenAlex",
            "https://api.openalex.org",
            0.2,
            {"Authorization": f"Bearer {alex}"} if alex else {},
        ),
    )


def ask_arxiv(service: Service, arxiv: str) -> Neighbourhood:
    """Title, authors, dates, categories and abstract of a paper."""
    with _known_form(service):
        entry = ET.fromstring(service.get("/query", id_list=arxiv)).find("a:entry", _ATOM)

    def text(path: str, of: ET.Element) -> str:
        return " ".join(of.findtext(path, "", _ATOM).split())

    if entry is None or "/api/errors" in text("a:id", entry) or not text("a:title", entry):
        raise SourceError(f"{service.name} does not know this paper")
    published, updated = text("a:published", entry)[:10], text("a:updated", entry)[:10]
    paper = Paper(
        title=text("a:title", entry),
        authors=_lines(text("a:name", author) for author in entry.findall("a:author", _ATOM)),
        year=int(published[:4]) if published[:4].isdigit() else None,
        published=published,
        updated=updated,
        categories=_lines(c.get("term") for c in entry.findall("a:category", _ATOM)),
        abstract=text("a:summary", entry),
        **identifiers(arxiv, text("arxiv:doi", entry)),
    )
    return Neighbourhood(paper=paper)


def ask_scholar(service: Service, *, arxiv: str, doi: str) -> Neighbourhood:
    """A paper, the papers that cite it and those it cites, by Semantic Scholar."""
    name = f"/paper/ARXIV:{arxiv}" if arxiv else f"/paper/DOI:{doi}"

    def papers(record: dict[str, Any], relation: Relation = "this") -> Iterator[Paper]:
        ids, about = record.get("externalIds") or {}, _SCHOLAR.split(",")[:5]
        names = (author.get("name") for author in record.get("authors") or ())
        yield from _papers(
            relation, names, *map(record.get, about), ids=(ids.get("ArXiv"), ids.get("DOI"))
        )

    def linked(kind: str, end: str, relation: Relation) -> Iterator[Paper]:
        offset: int | None = 0
        while offset is not None and offset < _SCHOLAR_LAST:
            limit = min(_SCHOLAR_PAGE, _SCHOLAR_LAST - offset)
            answer = service.get(f"{name}/{kind}", fields=_SCHOLAR, offset=offset, limit=limit)
            page = json.loads(answer)
            for link in page.get("data") or ():
                yield from papers(link.get(end) or {}, relation)
            offset = page.get("next") if page.get("data") else None

    with _known_form(service):
        return Neighbourhood(
            paper=next(papers(json.loads(service.get(name, fields=_SCHOLAR)))),
            neighbours=(
                *linked("citations", "citingPaper", "citing"),
                *linked("references", "citedPaper", "cited"),
            ),
        )


def ask_alex(service: Service, *, arxiv: str, doi: str) -> Neighbourhood:
    """A paper, the papers that cite it and those it cites, by OpenAlex."""

    def papers(work: dict[str, Any], relation: Relation = "this") -> Iterator[Paper]:
        index, about = work.get("abstract_inverted_index") or {}, _ALEX.split(",")[:4]
        words = sorted((at, word) for word, places in index.items() for at in places)
        people = (a.get("author") or {} for a in work.get("authorships") or ())
        title, year, published, url = map(work.get, about)
        abstract, names = (
            " ".join(word for _, word in words),
            (p.get("display_name") for p in people),
        )
        yield from _papers(
            relation, names, title, year, published, abstract, url, ids=(work.get("doi"),)
        )

    def works(which: str, relation: Relation) -> Iterator[Paper]:
        cursor: str | None = "*"
        had = 0
        while cursor and had < _ALEX_LAST:
            options = {"filter": which, "select": _ALEX, "cursor": cursor, "per-page": "200"}
            page = json.loads(service.get("/works", **options))
            had += len(page.get("results") or ())
            for work in page.get("results") or ():
                yield from papers(work, relation)
            cursor = (page.get("meta") or {}).get("next_cursor") if page.get("results") else None

    with _known_form(service):
        own = json.loads(service.get(f"/works/doi:{doi or f'10.48550/arxiv.{arxiv}'}"))
        named = [address.rpartition("/")[2] for address in own.get("referenced_works") or ()]
        batches = ["|".join(named[k : k + _ALEX_NAMED]) for k in range(0, len(named), _ALEX_NAMED)]
        return Neighbourhood(
            paper=next(papers(own)),
            neighbours=(
                *works(f"cites:{own['id'].rpartition('/')[2]}", "citing"),
                *(paper for batch in batches for paper in works(f"openalex:{batch}", "cited")),
            ),
        )


@contextmanager
def _known_form(service: Service) -> Iterator[None]:
    """Whatever is wrong with an answer's form is the source's fault."""
    try:
        yield
    except StopIteration as error:
        raise SourceError(f"{service.name} has no title for this paper") from error
    except (ET.ParseError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise SourceError(f"{service.name} answered in a form that is not known") from error


def _papers(
    relation: Relation,
    names: Iterable[str | None],
    title: str | None,
    year: int | None,
    published: str | None,
    abstract: str | None,
    url: str | None,
    *,
    ids: Iterable[str | None],
) -> Iterator[Paper]:
    """A paper with empty fields for what is not known; none without a title."""
    for line in _lines([title]):
        yield Paper(
            title=line,
            authors=_lines(names),
            year=year,
            published=published or "",
            abstract=abstract or "",
            url=url or "",
            relation=relation,
            **identifiers(*(str(name or "") for name in ids)),
        )


def _lines(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Each text on one line, without empty ones."""
    return tuple(line for text in texts if (line := " ".join((text or "").split())))
