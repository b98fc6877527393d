"""What the pages show can be typed, what they name is there, and their index is the registry's."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from docs.studies_index import INDEX, with_table

from identikit.cli.commands import helps, reproducible
from identikit.cli.main import main
from identikit.cli.parse import Runnable, parse

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "studies").glob("*.md")),
    *sorted((ROOT / "docs" / "gallery").glob("*.md")),
]
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```|((?:^    .*\n)+)", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")


def lines(page: str) -> Iterator[list[str]]:
    """The command lines of a page's blocks, as words."""
    for fenced, indented in BLOCK.findall(page):
        for line in (fenced or indented).replace("\\\n", " ").splitlines():
            if line.strip().startswith("identikit "):
                yield shlex.split(line.partition(" > ")[0], comments=True)


def phrases(page: str) -> Iterator[str]:
    """What a page quotes within its sentences."""
    for quoted in INLINE.findall(BLOCK.sub("\n", page)):
        yield " ".join(quoted.split())


def command(words: list[str]) -> Runnable:
    """Parse a command line, and run nothing."""
    assert words[0] == "identikit"
    assert words[1] in helps()
    return parse(words[1], words[2:])


@cache
def options(name: str) -> set[str]:
    """The options that the help of a command names."""
    with pytest.MonkeyPatch.context() as patched:
        said: list[str] = []
        patched.setenv("COLUMNS", "200")
        patched.setattr("sys.stdout.write", said.append)
        with pytest.raises(SystemExit):
            main([*name.split(), "--help"])
    return set(re.findall(r"--[a-z][\w-]*", "".join(said)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_line_of_a_page_can_be_given(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for words in lines(page.read_text()):
        assert isinstance(command(words), Runnable), words


def test_a_line_that_cannot_be_given_is_found() -> None:
    page = "```sh\nidentikit probe h.npy \\\n    --factor z.csv  # one letter short\n```\n"
    (words,) = lines(page)
    assert words == ["identikit", "probe", "h.npy", "--factor", "z.csv"]
    with pytest.raises(SystemExit):
        command(words)
    with pytest.raises(AssertionError):
        command(["identikit", "coil20"])


def test_every_command_and_option_in_a_sentence_is_there() -> None:
    names = {*helps(), *(f"reproduce {name}" for name in reproducible())}
    names |= {f"data {name}" for name in ("list", "fetch", "check")}
    names |= {f"runs {name}" for name in ("list", "show", "diff", "name", "tag", "rm")}
    known = set().union(*map(options, names)) | {"--version"}
    for script in (ROOT / "benchmarks").glob("*.py"):  # whose options pages speak of too
        known |= set(re.findall(r"add_argument\(\s*\"(--[\w-]+)", script.read_text()))
    for page in PAGES:
        for phrase in phrases(page.read_text()):
            if phrase.startswith("identikit "):
                assert phrase.split()[1] in {*helps(), "COMMAND", "--help", "--version"}, (
                    page,
                    phrase,
                )
            if phrase.startswith(("identikit ", "--")) and not phrase.startswith("--set"):
                said = set(re.findall(r"(?<!\S)--[a-z][\w-]*", phrase))
                assert said <= known, (page, phrase)


def test_every_file_of_ours_that_a_page_names_is_there() -> None:
    homes = [ROOT, ROOT / "src" / "identikit", ROOT / "benchmarks"]
    ours = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.py|(?:src|tests|docs|benchmarks)/[\w./-]*")
    for page in PAGES:
        for phrase in filter(ours.fullmatch, phrases(page.read_text())):
            assert any((home / phrase).exists() for home in homes), (page, phrase)


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), (page, link)


def test_the_index_of_studies_is_the_registrys() -> None:
    text = INDEX.read_text()
    assert with_table(text) == text, "run python docs/studies_index.py"
