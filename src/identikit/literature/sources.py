"""What arXiv, Semantic Scholar and OpenAlex say of a paper and of its neighbours.

arXiv answers in Atom (info.arxiv.org/help/api), the other two in JSON (api.semanticscholar.org,
docs.openalex.org). Any field of an answer may be missing or null.
"""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from identikit.literature.paper import Neighbourhood, Paper, Relation, identifiers
from identikit.literature.web import Service, SourceError

_ATOM = {"a": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
_SCHOLAR = "title,abstract,year,authors,externalIds,publicationDate,url"
_SCHOLAR_PAGE, _SCHOLAR_LAST = 1000, 9999
"""Links in an answer, and the last one that can be had."""
_ALEX = "id,doi,title,publication_year,publication_date,authorships,abstract_inverted_index"
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
    """Title, authors, dates, categories and abstract of a paper.

    Raises:
        SourceError: no answer, one that is not Atom, or no such paper.
    """
    with _known_form(service):
        entry = ET.fromstring(service.get("/query", id_list=arxiv)).find("a:entry", _ATOM)

    def text(path: str, of: ET.Element) -> str:
        return " ".join(of.findtext(path, "", _ATOM).split())

    if entry is None or "/api/errors" in text("a:id", entry) or not text("a:title", entry):
        raise SourceError(f"{service.name} does not know this paper")
    published = text("a:published", entry)[:10]
    paper = Paper(
        title=text("a:title", entry),
        authors=_lines(text("a:name", author) for author in entry.findall("a:author", _ATOM)),
        year=int(published[:4]) if published[:4].isdigit() else None,
        published=published,
        updated=text("a:updated", entry)[:10],
        categories=_lines(c.get("term") for c in entry.findall("a:category", _ATOM)),
        abstract=text("a:summary", entry),
        **identifiers(arxiv, text("arxiv:doi", entry)),
    )
    return Neighbourhood(paper=paper)


def ask_scholar(service: Service, *, arxiv: str, doi: str) -> Neighbourhood:
    """A paper, the papers that cite it and those it cites, by Semantic Scholar.

    Raises:
        SourceError: no answer, one of another form, or no such paper.
    """
    name = f"/paper/ARXIV:{arxiv}" if arxiv else f"/paper/DOI:{doi}"

    def paper(record: Mapping[str, Any], relation: Relation = "this") -> Iterator[Paper]:
        ids = record.get("externalIds") or {}
        yield from _paper(
            title=record.get("title"),
            authors=_lines(author.get("name") for author in record.get("authors") or ()),
            year=record.get("year"),
            published=record.get("publicationDate") or "",
            abstract=record.get("abstract") or "",
            url=record.get("url") or "",
            relation=relation,
            **identifiers(str(ids.get("ArXiv")), str(ids.get("DOI"))),
        )

    def linked(kind: str, end: str, relation: Relation) -> Iterator[Paper]:
        offset: int | None = 0
        while offset is not None and offset < _SCHOLAR_LAST:
            limit = min(_SCHOLAR_PAGE, _SCHOLAR_LAST - offset)
            answer = service.get(f"{name}/{kind}", fields=_SCHOLAR, offset=offset, limit=limit)
            page = json.loads(answer)
            for link in page.get("data") or ():
                yield from paper(link.get(end) or {}, relation)
            offset = page.get("next") if page.get("data") else None

    with _known_form(service):
        return Neighbourhood(
            paper=next(paper(json.loads(service.get(name, fields=_SCHOLAR)))),
            neighbours=(
                *linked("citations", "citingPaper", "citing"),
                *linked("references", "citedPaper", "cited"),
            ),
        )


def ask_alex(service: Service, *, arxiv: str, doi: str) -> Neighbourhood:
    """A paper, the papers that cite it and those it cites, by OpenAlex.

    Raises:
        SourceError: no answer, one of another form, or no such paper.
    """

    def paper(work: Mapping[str, Any], relation: Relation = "this") -> Iterator[Paper]:
        index = work.get("abstract_inverted_index") or {}
        words = sorted((at, word) for word, places in index.items() for at in places)
        names = (a.get("author") or {} for a in work.get("authorships") or ())
        yield from _paper(
            title=work.get("title"),
            authors=_lines(name.get("display_name") for name in names),
            year=work.get("publication_year"),
            published=work.get("publication_date") or "",
            abstract=" ".join(word for _, word in words),
            url=work.get("id") or "",
            relation=relation,
            **identifiers(work.get("doi") or ""),
        )

    def works(which: str, relation: Relation) -> Iterator[Paper]:
        cursor: str | None = "*"
        had = 0
        while cursor and had < _ALEX_LAST:
            options = {"filter": which, "select": _ALEX, "cursor": cursor, "per-page": "200"}
            page = json.loads(service.get("/works", **options))
            had += len(page.get("results") or ())
            for work in page.get("results") or ():
                yield from paper(work, relation)
            cursor = (page.get("meta") or {}).get("next_cursor") if page.get("results") else None

    with _known_form(service):
        own = json.loads(service.get(f"/works/doi:{doi or f'10.48550/arxiv.{arxiv}'}"))
        named = [address.rpartition("/")[2] for address in own.get("referenced_works") or ()]
        batches = [named[k : k + _ALEX_NAMED] for k in range(0, len(named), _ALEX_NAMED)]
        return Neighbourhood(
            paper=next(paper(own)),
            neighbours=(
                *works(f"cites:{own['id'].rpartition('/')[2]}", "citing"),
                *(p for b in batches for p in works(f"openalex:{'|'.join(b)}", "cited")),
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


def _paper(*, title: str | None, **known: Any) -> list[Paper]:
    """A paper with its title on one line; none without a title."""
    words = _lines([title])
    return [Paper(title=words[0], **known)] if words else []


def _lines(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Each text on one line, without empty ones."""
    return tuple(line for text in texts if (line := " ".join((text or "").split())))
