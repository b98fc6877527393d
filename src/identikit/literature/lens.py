"""From what a user names (identifier, BibTeX, saved JSON) to a paper's neighbourhood."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path

from pydantic import ValidationError

from identikit.core.errors import InputError
from identikit.core.files import read_regular
from identikit.literature.bibtex import read_bibtex
from identikit.literature.paper import Neighbourhood, Paper, identifiers, merged
from identikit.literature.sources import Services, ask_alex, ask_arxiv, ask_scholar, public_services
from identikit.literature.web import SourceError

_WANTED = "an arXiv identifier (2410.21869), a DOI, a BibTeX file (.bib) or a saved papers.json"
_SNAPSHOT = Path(__file__).parent / "data" / "2410.21869.json"


def find(source: str, *, services: Services | None = None) -> Neighbourhood:
    """The neighbourhood of a paper.

    Args:
        source: An arXiv identifier, a DOI, a BibTeX file, or a papers.json that `write` saved.
        services: Whom to ask; by default the public services.

    Raises:
        InputError: a file that will not do, no identifier, or a paper that no source knows.
    """
    suffix = Path(source).suffix.lower()
    if suffix == ".json":
        return _saved(Path(source))
    known = read_bibtex(Path(source)) if suffix == ".bib" else None
    ids = identifiers(known.arxiv, known.doi) if known else identifiers(source)
    if ids["arxiv"] or ids["doi"]:
        return _asked(**ids, known=known, services=services or public_services())
    if known:
        unasked = "The BibTeX entry has neither an arXiv identifier nor a DOI, so nobody was asked."
        return Neighbourhood(paper=known, sources=(unasked,))
    raise InputError(f"{source!r} names no paper. Give {_WANTED}.")


def _saved(path: Path) -> Neighbourhood:
    try:
        return Neighbourhood.model_validate_json(read_regular(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}. Give {_WANTED}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'the whole file'}: {first['msg']}"
        raise InputError(f"{path} is not a saved neighbourhood: {why}. Give {_WANTED}.") from error


def _asked(*, arxiv: str, doi: str, known: Paper | None, services: Services) -> Neighbourhood:
    """What all sources say together; what one of them could not say is told in `sources`."""
    accounts: list[Neighbourhood] = []
    sentences: list[str] = []

    def ask(who: str, question: Callable[[], Neighbourhood]) -> None:
        try:
            account = question()
        except SourceError as error:
            sentences.append(f"{error}.")
            return
        accounts.append(account)
        links = Counter(paper.relation for paper in account.neighbours)
        said = f"{links['citing']:,} papers that cite it, {links['cited']:,} that it cites"
        said = said if links else "the paper alone"
        sentences.append(f"{who}, {datetime.now(tz=UTC).date()}: {said}.")

    for service, asks in ((services.scholar, ask_scholar), (services.alex, ask_alex)):
        ask(service.name, partial(asks, service, arxiv=arxiv, doi=doi))
    arxiv = arxiv or next((a.paper.arxiv for a in accounts if a.paper.arxiv), "")
    if arxiv:
        ask(services.arxiv.name, lambda: ask_arxiv(services.arxiv, arxiv))
    accounts.sort(key=lambda account: not account.paper.categories)  # arXiv's is believed first
    snapshot = _saved(_SNAPSHOT)
    accounts += [snapshot] if arxiv == snapshot.paper.arxiv else []
    accounts += [Neighbourhood(paper=known)] if known else []
    if not accounts:
        raise InputError(
            f"nothing could be learned of {arxiv or doi}. {' '.join(sentences)} Look at the "
            "identifier and the network, or give a BibTeX file or a papers.json saved before."
        )
    asked = Paper(title=accounts[0].paper.title, arxiv=arxiv, doi=doi)
    return Neighbourhood(
        paper=reduce(Paper.filled_from, [*(account.paper for account in accounts), asked]),
        neighbours=merged(paper for account in accounts for paper in account.neighbours),
        sources=(*sentences, *(told for account in accounts for told in account.sources)),
    )
