import csv
import io
import json
import re
from pathlib import Path

import pytest
from markupsafe import escape
from tests.literature.conftest import ABSTRACT, HOSTILE

import identikit
from identikit import cli
from identikit.cli.commands import helps
from identikit.core.errors import InputError
from identikit.literature.bibtex import read_bibtex, write_bibtex, write_csv
from identikit.literature.lens import find
from identikit.literature.page import DRAWN, write
from identikit.literature.paper import Neighbourhood, Paper, Relation

ROOT = Path(identikit.__file__).parent
DOCS = ROOT.parents[1] / "docs"
TESTS = json.loads((ROOT / "literature" / "data" / "tests.json").read_text())
BARE = Neighbourhood(paper=Paper(title="Alone"))


def hostile() -> Neighbourhood:
    return Neighbourhood(
        paper=Paper(title=HOSTILE, abstract=f"{ABSTRACT} {HOSTILE}", authors=(HOSTILE,)),
        neighbours=(
            Paper(title=f"A {HOSTILE}", relation="citing", url="javascript:alert(1)"),
            Paper(title='"quoted" {braced} 50% \\ $x_1$', relation="cited", abstract=HOSTILE),
        ),
        sources=(HOSTILE,),
    )


def test_html_and_scripts_in_titles_are_text(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text(json.dumps({"title:quoted-braced-50-x_1": HOSTILE}))
    html = write(hostile(), tmp_path).read_text()
    assert HOSTILE not in html
    assert "<script>alert" not in html
    assert html.count(str(escape(HOSTILE))) >= 8
    assert "javascript:" not in html
    assert html.count("<script") == 4


def test_the_policy_allows_the_scripts_of_the_page_and_no_network(tmp_path: Path) -> None:
    html = write(BARE, tmp_path).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert policy[1].count("sha256-") == html.count("<script>") == 3
    assert "unsafe-eval" not in policy[1]
    assert not re.search(r'(src|data)="http', html)


def test_a_paper_alone_has_sentences_where_others_have_content(tmp_path: Path) -> None:
    html = write(BARE, tmp_path).read_text()
    for words in ("Authors not known", "not known", "no summary of it", "No key terms", "1 papers"):
        assert words in html


def test_the_network_is_thinned_and_the_table_is_not(tmp_path: Path) -> None:
    starts: dict[Relation, int] = {"citing": 0, "cited": 5000}
    many = tuple(
        Paper(title=f"Gear {k}", doi=f"10.1000/{k}", relation=relation, year=2000)
        for relation, first in starts.items()
        for k in range(first, first + (3000 if relation == "citing" else 20))
    )
    found = Neighbourhood(paper=Paper(title="Gear", arxiv="2401.00001"), neighbours=many)
    html = write(found, tmp_path).read_text()
    assert html.count('<tr id="paper-') == 3021
    assert html.count("data-label=") == DRAWN + 1
    drawn = re.findall(r'data-relation="(\w+)"[^>]*data-label', html)
    assert drawn.count("cited") == 20  # the smaller group is not crowded out
    assert "3,021 papers. The network shows 151 of them" in html
    assert len(list(csv.reader(io.StringIO((tmp_path / "papers.csv").read_text())))) == 3022


def test_notes_beside_the_page_are_shown_and_kept(tmp_path: Path) -> None:
    notes = {"title:alone": "Read this.", "arxiv:0000.00000": "elsewhere"}
    (tmp_path / "notes.json").write_text(json.dumps(notes))
    html = write(BARE, tmp_path).read_text()
    assert '<p class="note">Read this.</p>' in html
    assert "elsewhere" in html  # the page saves what it does not show
    assert json.loads((tmp_path / "notes.json").read_text()) == notes
    (tmp_path / "notes.json").write_text('["mine"]')
    with pytest.raises(InputError, match=r"notes\.json holds no notes"):
        write(BARE, tmp_path)
    assert (tmp_path / "notes.json").read_text() == '["mine"]'


def test_what_is_saved_is_found_again(tmp_path: Path) -> None:
    write(hostile(), tmp_path)
    assert find(str(tmp_path / "papers.json")) == hostile()


def test_bibtex_comes_back_as_it_was(tmp_path: Path) -> None:
    papers = (
        Paper(
            title="Über {x} 50% & _ $ # \\ <b> ~",
            authors=("Zoë de Ångström", "Gears and Cogs Ltd"),
            year=2020,
            doi="10.1000/a_b%c",
        ),
        Paper(title="Plain", authors=("Ada Löf",), arxiv="2401.00001", year=2024),
        Paper(title="Plainer", authors=("Eva Löf",), year=2024),
        Paper(title="Plain Jane", authors=("Ada Löf",), year=2024),
    )
    text = write_bibtex(Neighbourhood(paper=papers[0], neighbours=papers[1:]))
    entries = re.split(r"(?m)^(?=@)", text)[1:]
    for entry, paper in zip(entries, papers, strict=True):
        (tmp_path / "one.bib").write_text(entry)
        back = read_bibtex(tmp_path / "one.bib").model_copy(update={"url": ""})
        assert back == paper
    keys = re.findall(r"@misc\{(.*),", text)
    assert keys == ["angstrom2020uber", "lof2024plain", "lof2024plainer", "lof2024plain-2"]


def test_csv_holds_every_paper_once() -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(hostile()))))
    assert [row["relation"] for row in rows] == ["this", "citing", "cited"]
    assert rows[1]["title"] == f"A {HOSTILE}"
    assert rows[1]["address"] == ""  # not an address of the web


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pylatexenc.latexencode", None)
    with pytest.raises(InputError, match=r"identikit\[literature\]"):
        write(BARE, tmp_path)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("name", TESTS)
def test_every_claim_leads_to_a_page_that_leads_back(name: str) -> None:
    page = DOCS / TESTS[name]["page"]
    assert re.search(r"\]\((\.\./)?literature\.md\)", page.read_text()), page
    words = TESTS[name]["command"].split()
    assert words[0] == "identikit"
    assert words[1] in helps()


def test_claims_are_of_papers_in_the_snapshot() -> None:
    snapshot = find(str(ROOT / "literature" / "data" / "2410.21869.json"))
    assert set(TESTS) <= {paper.names[0] for paper in snapshot.papers}


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = str(ROOT / "literature" / "data" / "2410.21869.json")
    cli.main(["papers", saved, "--out", str(tmp_path / "out"), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (said["citing"], said["cited"]) == (8, 65)
    html = Path(said["page"]).read_text()
    assert html.count("Tested here") == len(TESTS)
    links = re.findall(r'<a href="([^"]*)">Tested here', html)
    assert all((Path(said["page"]).parent / link).is_file() for link in links)
    cli.main(["papers", saved, "--out", str(tmp_path / "out")])
    assert "8 papers cite it, it cites 65." in capsys.readouterr().out
