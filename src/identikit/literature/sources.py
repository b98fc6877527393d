"""What arXiv, Semantic Scholar and OpenAlex say of a paper and of its neighbours.

arXiv answers in Atom (info.arxiv.org/help/api), the other two in JSON (api.semanticscholar.org,
developers.openalex.org). Any field of an answer may be missing or null. A source that does not
answer, or not in its form, or does not know the paper raises `SourceError`.
"""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

from identikit.literature.paper import Neighbourhood, Paper, Relation, identifiers
from identikit.literature.web import Service, SourceError

_ATOM = {"a": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
_SCHOLAR = "title,year,publicationDate,abstract,url,authors,externalIds"
_SCHOLAR_PAGE, _SCHOLAR_LAST = 1000, 9999  # links in an answer, and the last that can be had
_ALEX = "title,publication_year,publication_date,id,doi,authorships,abstract_inverted_index"
_ALEX_PAGE, _ALEX_LAST = 100, 10_000  # works in an answer, and the last that can be had


class Services(NamedTuple):
    """The three sources."""

    arxiv: Service
    scholar: Service
    alex: Service


def public_services() -> Services:
    """The services at their public addresses, with the user's keys, at the rates they ask for."""
    scholar, alex = (os.environ.get(f"{s}_API_KEY") for s in ("SEMANTIC_SCHOLAR", "OPENALEX"))
    scholar_key = {"x-api-key": scholar} if scholar else {}
    alex_key = f"&{urlencode({'api_key': alex})}" if alex else ""
    return Services(
        Service("arXiv", "https://export.arxiv.org/api", 3.0),
        Service("Semantic Scholar", "https://api.semanticscholar.org/graph/v1", 1.0, scholar_key),
        Service("OpenAlex", "https://api.openalex.org", 0.2, secret=alex_key),
    )


def ask_arxiv(service: Service, arxiv: str) -> Neighbourhood:
    """Title, authors, dates, categories and abstract of a paper."""
    with _known_form(service):
        entry = ET.fromstring(service.get("/query", id_list=arxiv)).find("a:entry", _ATOM)

    def text(path: str, of: ET.Element) -> str:
        return " ".join(of.findtext(path, "", _ATOM).split())

    if entry is None or "/api/errors" in text("a:id", entry) or not text("a:title", entry):
        raise SourceError(f"{service.name} does not know this paper")
    published = text("a:published", entry)[:10]
    year = int(published[:4]) if published[:4].isdigit() else None
    names = (text("a:name", author) for author in entry.findall("a:author", _ATOM))
    about = (text("a:title", entry), year, published, text("a:summary", entry), None)
    paper = next(_papers("this", names, about, (arxiv, text("arxiv:doi", entry))))
    categories = _lines(category.get("term") for category in entry.findall("a:category", _ATOM))
    update = {"updated": text("a:updated", entry)[:10], "categories": categories}
    return Neighbourhood(paper=paper.model_copy(update=update))


def ask_scholar(service: Service, *, arxiv: str, doi: str) -> Neighbourhood:
    """A paper, the papers that cite it and those it cites, by Semantic Scholar."""
    name = f"/paper/ARXIV:{arxiv}" if arxiv else f"/paper/DOI:{doi}"

    def papers(record: dict[str, Any], relation: Relation = "this") -> Iterator[Paper]:
        ids, about = record.get("externalIds") or {}, map(record.get, _SCHOLAR.split(",")[:5])
        names = (author.get("name") for author in record.get("authors") or ())
        yield from _papers(relation, names, about, (ids.get("ArXiv"), ids.get("DOI")))

    def linked(kind: str, end: str, relation: Relation) -> Iterator[Paper]:
        offset: int | None = 0
        while offset is not None and offset < _SCHOLAR_LAST:
            limit = min(_SCHOLAR_PAGE, _SCHOLAR_LAST - offset)
            asked = {"fields": _SCHOLAR, "offset": str(offset), "limit": str(limit)}
            page = json.loads(service.get(f"{name}/{kind}", **asked))
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
        index = work.get("abstract_inverted_index") or {}
        words = sorted((at, word) for word, places in index.items() for at in places)
        people = (entry.get("author") or {} for entry in work.get("authorships") or ())
        names = (person.get("display_name") for person in people)
        title, year, published, url = map(work.get, _ALEX.split(",")[:4])
        about = (title, year, published, " ".join(word for _, word in words), url)
        yield from _papers(relation, names, about, (work.get("doi"),))

    def works(which: str, relation: Relation) -> Iterator[Paper]:
        for number in range(1, _ALEX_LAST // _ALEX_PAGE + 1):
            part = {"per_page": str(_ALEX_PAGE), "page": str(number)}
            asked = {"filter": which, "select": _ALEX} | part
            found = json.loads(service.get("/works", **asked)).get("results") or []
            yield from (paper for work in found for paper in papers(work, relation))
            if len(found) < _ALEX_PAGE:
                break

    with _known_form(service):
        own = json.loads(service.get(f"/works/doi:{doi or f'10.48550/arxiv.{arxiv}'}"))
        named = [address.rpartition("/")[2] for address in own.get("referenced_works") or ()]
        batches = ["|".join(named[k : k + _ALEX_PAGE]) for k in range(0, len(named), _ALEX_PAGE)]
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
    relation: Relation, names: Iterable[Any], about: Iterable[Any], ids: Iterable[Any]
) -> Iterator[Paper]:
    """A paper with empty fields for what is not known; none without a title."""
    title, year, published, abstract, url = about
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
