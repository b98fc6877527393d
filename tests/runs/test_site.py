"""A folder of runs as a site: small pages, shared files, links that hold, in a real browser."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure as Canvas
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from tests.chromium import MARKS, open_browser
from tests.commands import refused
from tests.runs.listed import config, make

from identikit import cli
from identikit.core.errors import InputError
from identikit.core.finding import Headline
from identikit.report.page import Page, Section, write_page
from identikit.report.style import Figure
from identikit.runs.labels import set_name, set_tags
from identikit.runs.registry import entry_of
from identikit.runs.site import Site
from identikit.runs.store import Run, RunStore, remove

ROWS = "[...document.querySelectorAll('#runs tbody tr')]"
HOSTILE = "<script>alert(1)</script>"


def draw(run: Run, *, link: str = "") -> None:
    """A page with an interactive figure, the same for all."""
    figure = Figure(
        name="points",
        title="Points",
        caption="",
        alt="points",
        static=Canvas(figsize=(1, 1)),
        interactive=go.Figure(go.Scatter(y=[1, 3, 2])),
    )
    page = Page(
        title="A page",
        subtitle="",
        headline=Headline(sentence="Said.", word="As predicted", tone="good"),
        findings=(),
        sections=(Section(heading="Section", lead="", figures=(figure,)),),
        provenance=None,
    )
    path = run.path / "report.html"
    write_page(page, path)
    path.write_text(path.read_text().replace("</main>", f"{link}</main>"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A site of seven runs, and the folders of those by what they are."""
    place = tmp_path_factory.mktemp("site")
    root = place / "runs"
    drawn = [make(root, seed=seed, kappa=10 * seed, excess=10.0**-seed) for seed in (1, 2)]
    set_name(drawn[0].path, "first <script>")
    set_tags(drawn[1].path, ("paper",), ())
    older = make(root, seed=1, kappa=10, version=1)
    plain = make(root, seed=3, kappa=30, excess=-2.0, sentence=f"Words. {HOSTILE}")
    sweep = make(root, seed=9, rows=[{"path": plain.path.name}, {"path": drawn[0].path.name}])
    for run in drawn:
        draw(run)
    draw(sweep, link=f'<a href="../{plain.path.name}/result.json">its run</a>')
    store = RunStore(root, command="simulate", version=entry_of("simulate").version)
    with store.draft(config(seed=7)) as draft:
        (draft.folder / "progress.json").write_text('{"done": 3, "total": 8}')  # type: ignore[union-attr]
    damaged = make(root, seed=8)
    (damaged.path / "result.json").write_text("{}")
    Site(root, place / "site").update()
    runs = {"first": drawn[0], "second": drawn[1], "older": older, "plain": plain, "sweep": sweep}
    return place / "site", {name: run.path.name for name, run in runs.items()}


def page(made: tuple[Path, dict[str, str]], name: str) -> str:
    return (made[0] / made[1][name] / "report.html").read_text()


def test_pages_are_small_and_what_they_share_is_there_once(
    made: tuple[Path, dict[str, str]],
) -> None:
    site, runs = made
    for name in runs:
        assert len(page(made, name)) < 60_000
    sizes = sorted(path.stat().st_size for path in (site / "assets").iterdir())
    assert [size > 3e6 for size in sizes].count(True) == 1
    assert len(list((site / "assets").glob("*.svg"))) == 1


def test_every_link_and_source_is_there(made: tuple[Path, dict[str, str]]) -> None:
    site, _ = made
    pages = list(site.rglob("*.html"))
    assert len(pages) == 5 + 2
    for path in pages:
        found = re.findall(r'(?:href|src)="([^"#:]+)"', path.read_text())
        assert found
        for address in found:
            assert (path.parent / address).exists(), (path, address)
        assert "data:image" not in path.read_text().replace("img-src 'self' data:", "")


def test_a_run_leads_to_its_sweep_its_parts_and_its_other_versions(
    made: tuple[Path, dict[str, str]],
) -> None:
    _, runs = made
    assert f'href="../{runs["sweep"]}/report.html"' in page(made, "plain")
    assert f'href="../{runs["plain"]}/report.html">its run</a>' in page(made, "sweep")
    assert page(made, "sweep").count(f'href="../{runs["first"]}/report.html"') == 1
    assert f'href="../{runs["older"]}/report.html"' in page(made, "first")
    assert "(version 1)" in page(made, "first")
    assert runs["older"] not in page(made, "second")


def test_words_from_runs_are_no_markup(made: tuple[Path, dict[str, str]]) -> None:
    for path in made[0].rglob("*.html"):
        assert HOSTILE not in path.read_text()
        assert "first <script>" not in path.read_text()
    assert "&lt;script&gt;alert(1)" in (made[0] / "index.html").read_text()


def test_the_index_has_all_runs_and_a_studys_page_the_options_that_differ(
    made: tuple[Path, dict[str, str]],
) -> None:
    index, study = ((made[0] / name).read_text() for name in ("index.html", "simulate.html"))
    assert index.count("<tr data-study") == study.count("<tr data-study") == 7
    assert "3 of 8" in index
    assert "result.json is not as it was written" in index
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)', study)
    assert {"seed", "world.kappa", "excess_loss"} <= {*heads}
    assert "world.dim" not in heads


def test_only_what_changed_is_written_again_and_what_is_gone_goes(tmp_path: Path) -> None:
    root, out = tmp_path / "runs", tmp_path / "site"
    one, other = make(root, seed=0), make(root, seed=1)
    site = Site(root, out)
    site.update(watched=True)
    assert 'data-refresh="' in (out / "index.html").read_text()
    for run in (one, other):
        (out / run.path.name / "report.html").write_text("mine")
    set_name(one.path, "new")
    assert site.update() == 2
    assert 'data-refresh="' not in (out / "index.html").read_text()
    assert (out / one.path.name / "report.html").read_text() != "mine"
    assert (out / other.path.name / "report.html").read_text() == "mine"
    remove(one.path)
    assert site.update() == 1
    assert not (out / one.path.name).exists()
    assert one.path.name not in (out / "index.html").read_text()


def test_a_folder_that_holds_something_else_is_not_written_to(tmp_path: Path) -> None:
    make(tmp_path / "runs")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine").write_text("")
    with pytest.raises(InputError, match="holds something else, and is never written over"):
        Site(tmp_path / "runs", tmp_path / "notes").update()
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine"]


def test_the_command_prints_where_the_site_is_and_watches_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("runs"))
    cli.main(["site", "--json"])
    assert json.loads(capsys.readouterr().out) == {"runs": 1, "page": "site/index.html"}
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt
        make(Path("runs"), seed=len(looks))

    monkeypatch.setattr("time.sleep", sleep)
    cli.main(["site", "runs", "--watch", "--every", "2"])
    capsys.readouterr()
    assert looks == [2, 2, 2]
    assert "every must be at least 0" in refused(capsys, "site", "--watch", "--every", "-1")
    index = Path("site/index.html").read_text()
    assert index.count("<tr data-study") == 3
    assert "data-refresh" not in index


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


def shown(browser: Chrome) -> list[str]:
    rows: list[str] = browser.execute_script(
        f"return {ROWS}.filter((row) => !row.hidden).map((row) => row.cells[0].innerText)"
    )
    return rows


def severe(browser: Chrome) -> list[str]:
    return [str(e["message"]) for e in browser.get_log("browser") if e["level"] == "SEVERE"]


class TestInABrowser:
    pytestmark = MARKS

    @pytest.fixture
    def index(self, browser: Chrome, made: tuple[Path, dict[str, str]]) -> Chrome:
        browser.get("about:blank")
        browser.get((made[0] / "index.html").as_uri())
        return browser

    def test_it_loads_without_errors_and_without_the_network(self, index: Chrome) -> None:
        assert severe(index) == []
        events = [json.loads(e["message"])["message"] for e in index.get_log("performance")]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and event["params"].get("documentURL", "").startswith("file:")
        ]
        assert any(url.endswith("site.js") for url in asked)
        assert {url.split(":")[0] for url in asked} == {"file"}
        assert len(shown(index)) == 7

    def test_headings_sort_by_number_and_by_keyboard(
        self, browser: Chrome, made: tuple[Path, dict[str, str]]
    ) -> None:
        browser.get((made[0] / "simulate.html").as_uri())
        heads = browser.find_elements(By.CSS_SELECTOR, "#runs thead th")
        (head,) = [one for one in heads if one.text.startswith("excess_loss")]
        column = heads.index(head)
        values = []
        for _ in range(2):
            head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
            script = f"return {ROWS}.map((row) => row.cells[arguments[0]].dataset.sort ?? '')"
            values.append(browser.execute_script(script, column))
        up, down = ([float(v) for v in some if v] for some in values)
        assert up == sorted(up)
        assert up[0] == -2
        assert down == up[::-1]
        assert values[0][-2:] == values[1][-2:] == ["", ""]  # without a number: last either way
        assert head.get_attribute("aria-sort") == "descending"

    def test_filters_hold_over_a_reload(self, index: Chrome) -> None:
        index.find_element(By.NAME, "words").send_keys("paper kappa"[:5])
        assert len(shown(index)) == 1
        assert "1 of 7 runs shown" in index.find_element(By.ID, "status").text
        index.refresh()
        assert len(shown(index)) == 1
        index.find_element(By.NAME, "words").clear()
        Select(index.find_element(By.NAME, "state")).select_by_visible_text("damaged")
        assert len(shown(index)) == 1

    def test_a_runs_figure_is_drawn_by_the_shared_script(
        self, browser: Chrome, made: tuple[Path, dict[str, str]]
    ) -> None:
        browser.get((made[0] / made[1]["sweep"] / "report.html").as_uri())
        WebDriverWait(browser, 30).until(
            lambda b: b.find_elements(By.CSS_SELECTOR, "figure.live .main-svg")
        )
        assert severe(browser) == []
        browser.find_element(By.LINK_TEXT, "its run").click()
        assert browser.current_url.endswith(f"{made[1]['plain']}/report.html")
        browser.find_element(By.LINK_TEXT, "All runs").click()
        assert len(shown(browser)) == 7

    @pytest.mark.parametrize("name", ["index.html", "simulate.html"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_no_page_scrolls_sideways_and_dark_is_followed(
        self, browser: Chrome, made: tuple[Path, dict[str, str]], name: str, width: int
    ) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [dark]})
        try:
            browser.get((made[0] / name).as_uri())
            wide = "return document.documentElement.scrollWidth <= innerWidth"
            assert browser.execute_script(wide)
            paper = "return getComputedStyle(document.body).backgroundColor"
            assert browser.execute_script(paper) == "rgb(20, 23, 26)"
        finally:
            browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def test_print_has_the_table_and_no_controls(self, index: Chrome) -> None:
        index.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            assert not index.find_element(By.ID, "filters").is_displayed()
            assert index.find_element(By.ID, "runs").is_displayed()
            pdf = index.execute_cdp_cmd("Page.printToPDF", {})["data"]
            assert base64.b64decode(pdf).startswith(b"%PDF")
        finally:
            index.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
