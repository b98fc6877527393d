import json
import os
from pathlib import Path

import pytest
from tests.literature.conftest import ABSTRACT, HOSTILE, World, alex_work, atom, scholar_paper

from identikit.core.errors import InputError
from identikit.literature import lens
from identikit.literature.lens import find
from identikit.literature.paper import Neighbourhood, Paper, identifiers, merged
from identikit.literature.sources import Services, ask_alex, ask_arxiv, ask_scholar
from identikit.literature.web import SourceError

SNAPSHOT = Path(lens.__file__).parent / "data" / "2410.21869.json"


def relations(found: Neighbourhood) -> dict[str, list[str]]:
    titles: dict[str, list[str]] = {}
    for paper in found.papers[1:]:
        titles.setdefault(paper.relation, []).append(paper.title)
    return titles


def test_three_sources_are_one_neighbourhood(world: World, services: Services) -> None:
    world.citing = [scholar_paper(1), scholar_paper(2)]
    world.cited = [scholar_paper(3)]
    world.works = [alex_work(2), alex_work(4)]
    world.work["referenced_works"] = ["https://openalex.org/W3", "https://openalex.org/W5"]
    found = find("https://arxiv.org/abs/2401.00001v2", services=services)
    assert found.paper == Paper(
        title="Widgets and gears",
        authors=("Ada Löf", "Bo Ek"),
        year=2024,
        published="2024-01-01",
        updated="2024-03-05",
        categories=("cs.LG", "stat.ML"),
        abstract=ABSTRACT,
        arxiv="2401.00001",
        url="https://www.semanticscholar.org/paper/p0",
    )
    names = {k: f"Paper {k} on gears" for k in range(6)}
    assert relations(found) == {
        "citing": [names[1], names[2], names[4]],
        "cited": [names[3], names[5]],
    }
    assert found.papers[1].doi == "10.1234/p1"
    assert found.sources[0].startswith("Semantic Scholar, ")
    assert "2 papers that cite it, 1 that it cites" in found.sources[0]


def test_a_source_that_fails_is_told_and_the_others_are_heard(
    world: World, services: Services
) -> None:
    world.failures = {"scholar": [(500, {})] * 3}
    world.arxiv = b"<html>busy</html"
    found = find("2401.00001", services=services)
    assert found.paper.title == "Paper 0 on gears"
    assert found.sources[0] == "Semantic Scholar answered 500 Internal Server Error."
    assert found.sources[2] == "arXiv answered in a form that is not known."


def test_a_paper_that_nobody_knows_is_an_error(world: World, services: Services) -> None:
    world.paper = world.work = None
    world.arxiv = atom(id="http://arxiv.org/api/errors#incorrect_id", title="Error")
    with pytest.raises(InputError, match=r"nothing could be learned of 2401.00001.*OpenAlex does"):
        find("2401.00001", services=services)


def test_a_doi_leads_to_the_arxiv_identifier(world: World, services: Services) -> None:
    found = find("doi:10.1234/GEARS", services=services)
    assert "/scholar/paper/DOI:10.1234/gears?" in world.asked[0]
    assert (found.paper.arxiv, found.paper.doi) == ("2401.00001", "10.1234/gears")
    assert found.paper.categories == ("cs.LG", "stat.ML")


def test_thousands_of_links_are_all_read(world: World, services: Services) -> None:
    world.citing = [scholar_paper(k) for k in range(2500)]
    world.works = [alex_work(k) for k in range(450)]
    world.work["referenced_works"] = [f"https://openalex.org/W{k}" for k in range(3000, 3250)]
    scholar = ask_scholar(services.scholar, arxiv="2401.00001", doi="")
    assert len(scholar.neighbours) == 2500
    alex = ask_alex(services.alex, arxiv="2401.00001", doi="")
    assert [p.relation for p in alex.neighbours] == ["citing"] * 450 + ["cited"] * 250
    assert len(merged((*scholar.neighbours, *alex.neighbours))) == 2750


def test_empty_fields_stay_empty_and_titles_stay_text(world: World, services: Services) -> None:
    bare = dict.fromkeys(scholar_paper(1))
    world.citing = [bare | {"title": HOSTILE}, bare, {"title": "Two\n lines"}, None]
    world.cited = [scholar_paper(1, authors=[{"name": None}], externalIds={"ArXiv": "x"})]
    found = ask_scholar(services.scholar, arxiv="2401.00001", doi="").neighbours
    assert [paper.title for paper in found] == [HOSTILE, "Two lines", "Paper 1 on gears"]
    assert found[0] == Paper(title=HOSTILE, relation="citing")
    assert (found[2].authors, found[2].arxiv) == ((), "")
    world.works = [dict.fromkeys(alex_work(1)) | {"title": "Only a title"}, {}]
    work = ask_alex(services.alex, arxiv="2401.00001", doi="")
    assert work.neighbours == (Paper(title="Only a title", relation="citing"),)
    assert work.paper.abstract == "Gears turn and turn"
    world.arxiv = atom(published="", updated="", summary="")
    lean = ask_arxiv(services.arxiv, "2401.00001").paper
    assert (lean.year, lean.published, lean.abstract) == (None, "", "")


@pytest.mark.parametrize("body", ["[]", "7", '{"data": 3}', "{", '{"title": 5}', '{"title": null}'])
def test_an_answer_of_another_form_is_the_sources_fault(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(World, "answer", lambda *_: body.encode())
    for ask in (ask_scholar, ask_alex):
        service = services.scholar if ask is ask_scholar else services.alex
        with pytest.raises(SourceError, match=r"form that is not known|has no title"):
            ask(service, arxiv="2401.00001", doi="")
    with pytest.raises(SourceError, match="form that is not known"):
        ask_arxiv(services.arxiv, "2401.00001")


@pytest.mark.parametrize(
    ("words", "arxiv", "doi"),
    [
        ("2410.21869", "2410.21869", ""),
        ("arXiv:2410.21869v3", "2410.21869", ""),
        ("http://arxiv.org/pdf/2410.21869v1.pdf", "2410.21869", ""),
        ("https://doi.org/10.48550/arXiv.2410.21869", "2410.21869", ""),
        ("hep-th/9901001", "hep-th/9901001", ""),
        ("math.GT/0309136", "math.gt/0309136", ""),
        (" https://doi.org/10.1162/TACL_a_00106 ", "", "10.1162/tacl_a_00106"),
        ("10.1000/x(y)<z>", "", "10.1000/x(y)<z>"),
        ("2410.218", "", ""),
        ("an abstract", "", ""),
        ("", "", ""),
    ],
)
def test_identifiers_in_all_their_forms(words: str, arxiv: str, doi: str) -> None:
    assert identifiers(words) == {"arxiv": arxiv, "doi": doi}


def test_papers_are_merged_by_identifier_and_by_title_unless_those_differ() -> None:
    both = Paper(title="A Study", arxiv="1", doi="10.1000/a")
    print_only = Paper(title="Another name", doi="10.1000/a", year=2020)
    preprint = Paper(title="a  study!", authors=("A B",))
    other = Paper(title="A study", arxiv="2", year=1999)
    signs = Paper(title="?!"), Paper(title="!?")
    assert merged(signs) == signs
    assert merged([both, print_only, preprint, other]) == (
        both.model_copy(update={"year": 2020, "authors": ("A B",)}),
        other,
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.json", None, "cannot read"),
        ("bad.json", "{", "the whole file"),
        ("other.json", '{"paper": {"title": "x"}, "extra": 1}', "extra"),
        ("typed.json", '{"paper": {"title": 3}}', r"paper\.title"),
        ("absent.bib", None, "cannot read"),
        ("empty.bib", "no entries", "holds 0 whole"),
        ("cut.bib", "@misc{a, title={b", "holds 0 whole"),
        ("two.bib", "@misc{a, title={b}} @misc{c, title={d}}", "holds 2 whole"),
        ("untitled.bib", "@misc{a, year=2000}", "a of .* has no title"),
    ],
)
def test_files_that_will_not_do_are_refused(
    tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words):
        find(str(tmp_path / name))


def test_what_names_no_paper_is_refused() -> None:
    with pytest.raises(InputError, match=r"'gears' names no paper. Give an arXiv identifier"):
        find("gears")


def test_a_bibtex_entry_is_looked_up_and_its_own_words_fill_gaps(
    world: World, services: Services, tmp_path: Path
) -> None:
    bib = tmp_path / "mine.bib"
    bib.write_text("@misc{a, title={Mine}, eprint={2401.00001v1}, url={https://x.org/y}}")
    assert find(str(bib), services=services).paper.title == "Widgets and gears"
    world.paper = world.work = None
    world.arxiv = b""
    bib.write_text('@misc{a, title={M{\\"u}ne}, author={Ek, Bo and {A and B}}, doi={10.1000/z_1}}')
    found = find(str(bib), services=services)
    assert (found.paper.title, found.paper.authors) == ("Müne", ("Bo Ek", "A and B"))
    assert found.paper.doi == "10.1000/z_1"
    bib.write_text("@misc{a, title={Mine}, date={2020-01-02}}")
    alone = find(str(bib), services=services)
    assert (alone.paper.year, alone.neighbours) == (2020, ())
    assert "nobody was asked" in alone.sources[0]


def test_the_snapshot_stands_in_where_there_is_no_network(world: World, services: Services) -> None:
    world.paper = world.work = None
    world.arxiv = b""
    found = find("2410.21869", services=services)
    titles = " ".join(relations(found)["citing"])
    for words in ("Empirically Grounded", "From superposition", "Formation of Representations"):
        assert words in titles
    assert "Shipped with identikit" in found.sources[-1]
    assert len(found.sources) == 4


def test_the_snapshot_holds_facts_only_and_each_paper_once() -> None:
    found = find(str(SNAPSHOT))
    names = [paper.names[0] for paper in found.papers]
    assert len(set(names)) == len(names) == len(found.neighbours) + 1
    assert not any(paper.abstract for paper in found.papers)
    known = json.dumps(names)
    for arxiv in ("1605.06336", "1805.08651", "2102.08850", "2406.10743", "1811.12359"):
        assert f"arxiv:{arxiv}" in known  # TCL, GCL, InfoNCE, DIET, DisLib
    for paper in found.papers:
        year = 2000 + int(paper.arxiv[:2]) if paper.arxiv else paper.year
        assert year == paper.year or not paper.arxiv
        assert identifiers(paper.arxiv, paper.doi) == {"arxiv": paper.arxiv, "doi": paper.doi}


@pytest.mark.parametrize("name", ["p.json", "p.bib"])
def test_files_that_are_pipes_are_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is a pipe, not a file"):
        find(str(tmp_path / name))
