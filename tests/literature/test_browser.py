"""The literature page in a real browser: desktop, phone, keyboard, paper, and without scripts."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from tests.chromium import MARKS, open_browser
from tests.literature.conftest import ABSTRACT, HOSTILE

from identikit.literature.page import write
from identikit.literature.paper import Neighbourhood, Paper

pytestmark = MARKS
PAPERS = Neighbourhood(
    paper=Paper(title="Widgets", authors=("Ada Löf",), year=2010, arxiv="1001.00001"),
    neighbours=(
        Paper(title=f"Gears {HOSTILE}", authors=("Bo Ek",), year=2012, relation="citing"),
        Paper(
            title="Gears again", authors=("Cy Os",), year=2011, relation="citing", abstract=ABSTRACT
        ),
        Paper(title="Old gears", authors=("Di Ax",), year=1999, relation="cited", doi="10.1000/d"),
        Paper(title="Undated", authors=("Ed Ek",), relation="cited"),
        Paper(title="Beside", year=2012, relation="related"),
    ),
)
READY = "return window.network !== undefined && window.network.nodes().length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("page")
    (place / "notes.json").write_text(
        '{"title:old-gears": "x", "doi:10.1000/d": "Mine.", "o": "p"}'
    )
    write(PAPERS, place)
    return place


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Chrome, folder: Path) -> Chrome:
    """The page as it opens, on a desktop."""
    browser.get((folder / "page.html").as_uri())
    WebDriverWait(browser, 30).until(lambda b: b.execute_script(READY) == 6)
    return browser


def shown(page: Chrome) -> list[str]:
    """Titles of the rows that can be seen, in order."""
    script = (
        "return [...document.querySelectorAll('#papers tbody tr')].filter((r) => r.offsetHeight)"
        ".map((r) => r.querySelector('.title').textContent)"
    )
    titles: list[str] = page.execute_script(script)
    return titles


def visible_nodes(page: Chrome) -> int:
    number: int = page.execute_script("return network.nodes(':visible').length")
    return number


def centre(page: Chrome, label: str) -> tuple[Any, int, int]:
    """The network and a node's place in it, from the middle of the element."""
    frame = page.find_element(By.ID, "network")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", frame)
    x, y = page.execute_script(
        "const p = network.nodes().filter((n) => n.data('label') === arguments[0])[0]"
        ".renderedPosition(); return [p.x - network.width() / 2, p.y - network.height() / 2]",
        label,
    )
    return frame, round(x), round(y)


def test_it_opens_without_errors_and_without_the_network(page: Chrome, folder: Path) -> None:
    assert [e for e in page.get_log("browser") if e["level"] == "SEVERE"] == []
    events = [json.loads(e["message"])["message"] for e in page.get_log("performance")]
    asked = [
        e["params"]["request"]["url"]
        for e in events
        if e["method"] == "Network.requestWillBeSent"
        and e["params"].get("documentURL", "").startswith("file:")
    ]
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert page.execute_script("return document.querySelectorAll('b, main script').length") == 0
    assert page.find_element(By.ID, "status").text == "6 of 6 papers shown."


def test_papers_have_the_colours_of_their_relations(page: Chrome) -> None:
    colours = dict(
        page.execute_script(
            "return network.nodes().map((n) => [n.data('relation'), n.style('background-color')])"
        )
    )
    assert colours["this"] == "rgb(66,72,78)"
    assert colours["citing"] == "rgb(31,122,77)"
    assert colours["cited"] == "rgb(31,106,165)"
    ends = page.execute_script(
        "return network.edges().map((e) => [e.source().data('label'), e.target().data('label')])"
    )
    assert ["Ek 2012", "Löf 2010"] in ends
    assert ["Löf 2010", "Ax 1999"] in ends


def test_hover_shows_the_title_and_a_click_the_details(page: Chrome) -> None:
    frame, x, y = centre(page, "Ek 2012")
    tip = page.find_element(By.ID, "tip")

    def pointed(_: Chrome) -> bool:
        chain = ActionChains(page).move_to_element_with_offset(frame, x + 60, y)
        chain.move_to_element_with_offset(frame, x, y).perform()
        return tip.is_displayed()

    WebDriverWait(page, 10).until(pointed)
    assert tip.text == f"Gears {HOSTILE}"
    frame, x, y = centre(page, "Os 2011")
    ActionChains(page).move_to_element_with_offset(frame, x, y).click().perform()
    details = page.find_element(By.ID, "details")
    WebDriverWait(page, 10).until(lambda _: "Gears again" in details.text)
    assert "Cy Os" in details.text
    assert "2011, cites this paper" in details.text
    details.find_element(By.TAG_NAME, "summary").click()
    assert ABSTRACT in details.text


def test_drag_moves_a_paper_and_buttons_zoom(page: Chrome) -> None:
    frame, x, y = centre(page, "Ax 1999")
    before = page.execute_script("return network.zoom()")
    chain = ActionChains(page).move_to_element_with_offset(frame, x, y).click_and_hold()
    chain.move_by_offset(-20, 10).move_by_offset(-20, 10).release().perform()
    assert centre(page, "Ax 1999")[1:] == pytest.approx((x - 40, y + 20), abs=3)
    larger, smaller, everything = page.find_elements(By.CSS_SELECTOR, ".zoom button")
    larger.click()
    assert page.execute_script("return network.zoom()") == pytest.approx(before * 1.25)
    smaller.click()
    assert page.execute_script("return network.zoom()") == pytest.approx(before)
    everything.click()
    corner = page.execute_script(
        "const f = document.querySelector('.frame').getBoundingClientRect(), "
        "z = document.querySelector('.zoom').getBoundingClientRect(); "
        "return [f.right - z.right, f.bottom - z.bottom]"
    )
    assert all(0 < distance < 20 for distance in corner)


def test_filters_go_by_words_year_term_and_relation(page: Chrome) -> None:
    search = page.find_element(By.NAME, "words")
    search.send_keys("ek gears")
    assert shown(page) == [f"Gears {HOSTILE}"]
    assert visible_nodes(page) == 1
    search.clear()
    search.send_keys(Keys.SPACE)
    page.find_element(By.NAME, "from").send_keys("2011")
    assert shown(page) == [f"Gears {HOSTILE}", "Gears again", "Beside"]
    page.find_element(By.NAME, "from").clear()
    page.find_element(By.NAME, "to").send_keys("1999")
    assert shown(page) == ["Old gears"]
    page.find_element(By.NAME, "to").clear()
    page.find_element(By.NAME, "from").send_keys(Keys.SPACE)
    Select(page.find_element(By.NAME, "term")).select_by_visible_text("gears")
    assert len(shown(page)) == 3
    page.find_element(By.CSS_SELECTOR, "[name=relation][value=cited]").click()
    assert shown(page) == [f"Gears {HOSTILE}", "Gears again"]
    assert page.find_element(By.ID, "status").text == "2 of 6 papers shown."


def test_the_table_sorts_both_ways_with_the_unknown_last(page: Chrome) -> None:
    year = page.find_elements(By.CSS_SELECTOR, "#papers thead th")[2]
    year.find_element(By.TAG_NAME, "button").click()
    assert year.get_attribute("aria-sort") == "ascending"
    assert shown(page)[:2] == ["Old gears", "Widgets"]
    assert shown(page)[-1] == "Undated"
    year.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert year.get_attribute("aria-sort") == "descending"
    assert shown(page)[-2:] == ["Old gears", "Undated"]


def test_keys_walk_the_network_and_words_say_where(page: Chrome) -> None:
    frame = page.find_element(By.ID, "network")
    frame.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    said = page.find_element(By.ID, "said")
    assert said.get_attribute("textContent") == f"Gears {HOSTILE}, cites this paper"
    assert page.execute_script("return network.$('.chosen').length") == 1
    before = page.execute_script("return network.zoom()")
    frame.send_keys("+")
    assert page.execute_script("return network.zoom()") > before
    frame.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "details"
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert page.switch_to.active_element.get_attribute("id") == "network"
    frame.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert str(said.get_attribute("textContent")).startswith("Beside")  # round the end


def test_notes_are_written_saved_and_opened(page: Chrome, folder: Path, tmp_path: Path) -> None:
    assert "Mine." in page.find_element(By.ID, "papers").text
    page.find_element(By.CSS_SELECTOR, "tr.this button").click()
    box = page.find_element(By.CSS_SELECTOR, "#details textarea")
    box.send_keys("Read <b>this</b>.")
    assert page.find_element(By.CSS_SELECTOR, "tr.this .note").text == "Read <b>this</b>."
    page.execute_cdp_cmd(
        "Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    page.find_element(By.ID, "save").click()
    saved = tmp_path / "notes.json"
    WebDriverWait(page, 10).until(lambda _: saved.exists() and saved.stat().st_size)
    notes = {"arxiv:1001.00001": "Read <b>this</b>.", "doi:10.1000/d": "Mine."}
    assert json.loads(saved.read_text()) == notes | {"title:old-gears": "x", "o": "p"}
    saved.write_text('{"title:undated": "New."}')
    page.find_element(By.ID, "open").send_keys(str(saved))
    undated = page.find_element(By.ID, "paper-4").find_element(By.CLASS_NAME, "note")
    WebDriverWait(page, 10).until(lambda _: undated.text == "New.")
    assert "Mine." not in page.find_element(By.ID, "papers").text
    saved.write_text("[1]")
    page.find_element(By.ID, "open").send_keys(str(saved))
    WebDriverWait(page, 10).until(
        lambda b: "holds no notes" in b.find_element(By.ID, "status").text
    )


@pytest.mark.parametrize("suffix", ["bib", "csv"])
def test_exports_are_the_files_beside_the_page(
    page: Chrome, folder: Path, tmp_path: Path, suffix: str
) -> None:
    page.execute_cdp_cmd(
        "Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    link = page.find_element(By.CSS_SELECTOR, f"[download='papers.{suffix}']")
    page.execute_script("arguments[0].click()", link)
    got, wanted = tmp_path / f"papers.{suffix}", (folder / f"papers.{suffix}").read_bytes()
    WebDriverWait(page, 10).until(lambda _: got.exists() and got.read_bytes() == wanted)


def test_a_phone_never_scrolls_sideways_and_dark_is_followed(page: Chrome) -> None:
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    style = "return network.$('[relation = \"citing\"]')[0].style('background-color')"
    try:
        WebDriverWait(page, 10).until(lambda b: b.execute_script(style) == "rgb(92,196,145)")
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
        assert len(shown(page)) == 6
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_table_stands_alone_on_paper(page: Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert len(shown(page)) == 6
        assert not page.find_element(By.CLASS_NAME, "frame").is_displayed()
        assert not page.find_element(By.CSS_SELECTOR, "tr.this button").is_displayed()
        pdf = page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
        assert base64.b64decode(pdf).startswith(b"%PDF")
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_table_stands_alone_without_scripts(browser: Chrome, folder: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get((folder / "page.html").as_uri())
    try:
        assert len(shown(browser)) == 6
        assert "Mine." in browser.find_element(By.ID, "papers").text
        for hidden in ("filters", "network", "save", "keys"):
            assert not browser.find_element(By.ID, hidden).is_displayed()
        assert browser.find_element(By.CSS_SELECTOR, "[download='papers.csv']").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
