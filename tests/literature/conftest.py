"""A server on this machine that answers as arXiv, Semantic Scholar and OpenAlex do."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from identikit.literature import web
from identikit.literature.sources import Services
from identikit.literature.web import Service

ABSTRACT = (
    "We study widgets. Widgets turn gears, and gears turn widgets in every machine. "
    "Proofs about gears and widgets are given. It rains."
)
HOSTILE = '<script>alert("1")</script> & <b>bold</b>'


def atom(**fields: Any) -> bytes:
    """An answer of arXiv: a feed of one entry."""
    entry = {
        "id": "http://arxiv.org/abs/2401.00001v3",
        "title": "Widgets\n  and gears",
        "published": "2024-01-01T10:00:00Z",
        "updated": "2024-03-05T10:00:00Z",
        "summary": f"  {ABSTRACT}\n",
    } | fields
    lines = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in entry.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>query</title><entry>{lines}"
        "<author><name>Ada  Löf</name></author><author><name>Bo Ek</name></author>"
        '<category term="cs.LG" scheme="x"/><category term="stat.ML" scheme="x"/>'
        "</entry></feed>"
    ).encode()


def scholar_paper(k: int, **fields: Any) -> dict[str, Any]:
    """A record of Semantic Scholar."""
    return {
        "paperId": f"p{k}",
        "title": f"Paper {k} on gears",
        "abstract": f"Gears and widgets number {k} turn quietly.",
        "year": 1990 + k % 30,
        "authors": [{"authorId": "1", "name": f"Author N{k}"}],
        "externalIds": {"DOI": f"10.1234/P{k}", "CorpusId": k},
        "publicationDate": None,
        "url": f"https://www.semanticscholar.org/paper/p{k}",
    } | fields


def alex_work(k: int, **fields: Any) -> dict[str, Any]:
    """A record of OpenAlex."""
    return {
        "id": f"https://openalex.org/W{k}",
        "doi": f"https://doi.org/10.1234/p{k}",
        "title": f"Paper {k} on gears",
        "publication_year": 1990 + k % 30,
        "publication_date": f"{1990 + k % 30}-01-01",
        "authorships": [{"author": {"display_name": f"Author N{k}"}}],
        "abstract_inverted_index": {"turn": [1, 3], "Gears": [0], "and": [2]},
    } | fields


@dataclass
class World:
    """What the services know, how they misbehave, and what they were asked."""

    arxiv: bytes = field(default_factory=atom)
    paper: Any = field(
        default_factory=lambda: scholar_paper(0, externalIds={"ArXiv": "2401.00001"})
    )
    citing: list[Any] = field(default_factory=list)
    cited: list[Any] = field(default_factory=list)
    work: Any = field(
        default_factory=lambda: alex_work(
            0, doi="https://doi.org/10.48550/arxiv.2401.00001", referenced_works=[]
        )
    )
    works: list[Any] = field(default_factory=list)
    """Of OpenAlex, that cite it."""
    failures: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    """By service: statuses and headers of the next answers."""
    cuts: int = 0
    """Answers that will end early."""
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def answer(self, address: str) -> bytes | None:
        """What the service says; None where it knows nothing."""
        parts = urlsplit(address)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        if path == "/arxiv/query":
            return self.arxiv
        if path.startswith("/scholar/paper/"):
            links = {"citations": self.citing, "references": self.cited}.get(path.split("/")[-1])
            if links is None:
                return self._json(self.paper)
            end = "citingPaper" if path.endswith("citations") else "citedPaper"
            at, to = int(options["offset"]), int(options["offset"]) + int(options["limit"])
            page = {"offset": at, "data": [{end: paper} for paper in links[at:to]]}
            return self._json(page | ({"next": to} if to < len(links) else {}))
        if path == "/alex/works":
            found = self.works
            if options["filter"].startswith("openalex:"):
                found = [alex_work(int(w[1:])) for w in options["filter"][9:].split("|")]
                assert len(found) <= 100
            assert int(options["per_page"]) <= 100
            at = (int(options["page"]) - 1) * int(options["per_page"])
            results = found[at : at + int(options["per_page"])]
            return self._json({"meta": {"count": len(found)}, "results": results})
        return self._json(self.work)

    def _json(self, data: Any) -> bytes | None:
        return None if data is None else json.dumps(data).encode()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    state = World()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(unquote(self.path))
            state.headers.append(dict(self.headers))
            failures = state.failures.get(self.path.split("/")[1], [])
            status, headers = failures.pop(0) if failures else (200, {})
            body = state.answer(self.path) if status == 200 else b"oops"
            status, body = (404, b"{}") if body is None else (status, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            state.cuts, cut = max(0, state.cuts - 1), bool(state.cuts)
            self.wfile.write(body[: len(body) // 2] if cut else body)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(web, "PAUSES_S", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture
def services(world: World, tmp_path: Path) -> Services:
    return Services(
        *(
            Service(name, f"http://127.0.0.1:{world.port}/{path}", 0.0, cache=tmp_path / "cache")
            for name, path in (
                ("arXiv", "arxiv"),
                ("Semantic Scholar", "scholar"),
                ("OpenAlex", "alex"),
            )
        )
    )
