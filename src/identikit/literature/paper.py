"""Papers and neighbourhoods of papers: facts as the sources state them, empty where they do not."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

Relation = Literal["this", "citing", "cited", "related"]
_ARXIV = re.compile(
    r"(?:https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/|arxiv:\s*"
    r"|(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?10\.48550/arxiv\.)?"
    r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?(?:\.pdf)?",
    re.IGNORECASE,
)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)


class Paper(BaseModel, frozen=True, extra="forbid"):
    """What is known of one paper; nothing is guessed. Dates are YYYY-MM-DD."""

    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    published: str = ""
    updated: str = ""
    categories: tuple[str, ...] = ()
    abstract: str = ""
    arxiv: str = ""
    """Identifier without a version."""
    doi: str = ""
    """Lower case; empty where it only repeats the arXiv identifier."""
    url: str = ""
    """Where it lies, for a paper with neither identifier."""
    relation: Relation = "this"
    """To the paper in whose neighbourhood it is; related: not known whether either cites."""

    @property
    def names(self) -> list[str]:
        """What the paper is known by: its identifiers, then the words of its title."""
        ids = [f"{kind}:{name}" for kind in ("arxiv", "doi") if (name := getattr(self, kind))]
        return [*ids, f"title:{plain(self.title) or self.title}"]

    @property
    def address(self) -> str:
        """Where it can be read; empty if that is not known, or is not an address of the web."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        own = self.url if re.match(r"https?://", self.url) else ""
        return f"https://doi.org/{self.doi}" if self.doi else own

    def filled_from(self, other: "Paper") -> "Paper":
        """The same paper, with what only the other account knows."""
        return other.model_copy(update={name: value for name, value in self if value})


class Neighbourhood(BaseModel, frozen=True, extra="forbid"):
    """A paper among those that cite it, those it cites, and others named beside it."""

    paper: Paper
    neighbours: tuple[Paper, ...] = ()
    sources: tuple[str, ...] = ()
    """A sentence for each account that went in, and for each that could not be had."""

    @property
    def papers(self) -> tuple[Paper, ...]:
        """All of them, this one first, each once."""
        return merged((self.paper, *self.neighbours))


def merged(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    """Each paper once: by its identifiers, and by its title unless identifiers tell two apart."""
    found: list[Paper] = []
    place: dict[str, int] = {}
    for paper in papers:
        known = (place[name] for name in paper.names if name in place)
        at = next((k for k in known if not _differ(found[k], paper)), len(found))
        found[at : at + 1] = [found[at].filled_from(paper) if at < len(found) else paper]
        place |= dict.fromkeys(found[at].names, at)
    return tuple(found)


def _differ(one: Paper, other: Paper) -> bool:
    """Whether identifiers of one kind say that these are two papers, and none that they are one."""
    pairs = [pair for pair in ((one.arxiv, other.arxiv), (one.doi, other.doi)) if all(pair)]
    return bool(pairs) and all(a != b for a, b in pairs)


def identifiers(*words: str) -> dict[str, Any]:
    """The first arXiv identifier and the first DOI among some words, as `Paper` keeps them."""
    arxiv = [match[1].lower() for word in words if (match := _ARXIV.fullmatch(word.strip()))]
    others = [word for word in words if not _ARXIV.fullmatch(word.strip())]
    dois = [match[1].lower() for word in others if (match := _DOI.fullmatch(word.strip()))]
    return {"arxiv": next(iter(arxiv), ""), "doi": next(iter(dois), "")}


@cache
def plain(text: str) -> str:
    """Letters and digits in lower case and without accents, words joined by hyphens."""
    letters = unicodedata.normalize("NFKD", text).lower()
    return "-".join(re.findall(r"\w+", "".join(c for c in letters if not unicodedata.combining(c))))
