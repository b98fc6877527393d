"""Names from files are shown as text: on the terminal, on the page, in CSV and TeX."""

import csv
import io
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver import Chrome
from tests.chromium import MARKS, open_browser

from identikit import cli

pytestmark = pytest.mark.drawn

EVIL = {
    "markup": "<img src=x onerror=\"document.title='ran'\">",
    "script": "</script><script>document.title='ran'</script>",
    "quotes": "\"'`; document.title='ran'; //",
    "rich": "[bold red]red[/] [link=file:///etc]x[/link]",
    "control": "a\x1b[2J\x1b]0;owned\x07b\rc",
    "backwards": "abc\u202egnp.exe\u2066",
    "long": "x" * 10_000,
    "formula": '=HYPERLINK("http://x")',
    "tex": "\\input{/etc/passwd} $x_1^2$ & 50% #1 ~{}",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe of factors whose names and levels are all of these."""
    place = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(0)
    h = rng.normal(size=(120, 3))
    table = pd.DataFrame({name: h @ rng.normal(size=3) for name in EVIL.values()})
    table["levels"] = [list(EVIL.values())[k % 9] for k in range(120)]
    table["h"] = list(h)
    table.to_parquet(place / "f.parquet")
    return place


@pytest.fixture(scope="module")
def probed(run: Path) -> Path:
    out = run / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(run)
        cli.main(["probe", "f.parquet", "--out", str(out)])
    return out


def test_the_terminal_is_steered_by_no_name(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run)
    cli.main(["probe", "f.parquet"])
    with pytest.raises(SystemExit):
        cli.main(["probe", "f.parquet", "--only", EVIL["control"] + "?"])
    said = capsys.readouterr()
    for words in (said.out, said.err):
        steering = {c for c in words if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"}
        assert not steering
        assert not set(words) & set("\u202e\u2066")
    assert "\\x1b[2J" in said.out
    flat = re.sub(r"\s", "", said.out)
    assert "<imgsrc=x" in flat
    assert "[boldred]red[/]" in flat
    assert "\\u202e" in flat


def test_tables_hold_names_as_text(probed: Path) -> None:
    tables = list(probed.rglob("*.csv"))
    assert tables
    for path in tables:
        for row in csv.reader(io.StringIO(path.read_text(), newline="")):
            assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row), path
    tex = "".join(path.read_text() for path in probed.rglob("*.tex"))
    assert "\\input{" not in tex
    assert "\\textbackslash input" in tex


def test_the_page_holds_no_tag_of_a_name(probed: Path) -> None:
    page = (probed / "report.html").read_text()
    assert "<img src=x" not in page
    assert "</script><script>document" not in page
    assert "&lt;img src=x" in page


@pytest.mark.usefixtures("probed")
class TestInABrowser:
    pytestmark = MARKS

    def test_nothing_of_a_name_runs(self, probed: Path, tmp_path: Path) -> None:
        browser: Chrome = open_browser(tmp_path / "profile")
        try:
            browser.get((probed / "report.html").as_uri())
            browser.execute_async_script("setTimeout(arguments[0], 500)")
            assert "ran" not in browser.title.split()
            assert (
                browser.execute_script(
                    "return document.images.length ? [...document.images]"
                    ".filter((i) => i.getAttribute('src') === 'x').length : 0"
                )
                == 0
            )
            body = browser.find_element("tag name", "body").text
            assert "onerror" in body
        finally:
            browser.quit()
