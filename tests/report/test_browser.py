"""The page in a real browser: headless Chromium, no network, desktop, phone and paper."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from tests.chromium import MARKS, open_browser

from identikit.core.estimate import Estimate
from identikit.report.page import Page, Section, Table, render

pytestmark = MARKS
READY = "return document.querySelectorAll('figure.live .menu select').length"
DRAWN = ["training", "sphere", "latents", "head", "factors", "circle", "sweep", "layers"]
"""Figures that scripts draw."""
MENUS = 6


@pytest.fixture(scope="module")
def address(html: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def loaded(browser: Chrome, address: str) -> Chrome:
    """The page, drawn; nothing else was opened before."""
    browser.get_log("performance")
    browser.get(address)
    WebDriverWait(browser, 30).until(lambda b: b.execute_script(READY) == MENUS)
    return browser


def figure(browser: Chrome, name: str) -> Any:
    element = browser.find_element(By.ID, f"figure-{name}")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    return element


def visible_traces(browser: Chrome, name: str) -> list[bool]:
    script = "return document.querySelector(arguments[0]).data.map((t) => t.visible !== false)"
    shown: list[bool] = browser.execute_script(script, f"#figure-{name} .plot")
    return shown


def test_it_loads_without_errors_and_without_the_network(loaded: Chrome) -> None:
    assert [e for e in loaded.get_log("browser") if e["level"] == "SEVERE"] == []
    events = [json.loads(e["message"])["message"] for e in loaded.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"].get("documentURL", "").startswith("file:")
    ]
    assert any(url.startswith("file:") for url in asked)
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in asked) == 1


def test_every_interactive_figure_is_drawn(loaded: Chrome) -> None:
    live = loaded.execute_script("return [...document.querySelectorAll('.live')].map((f) => f.id)")
    assert live == [f"figure-{name}" for name in DRAWN]
    scripts = loaded.execute_script("return document.querySelectorAll('script').length")
    assert scripts == 2 + len(DRAWN)
    assert loaded.title.startswith('Title <script>alert("1")')


def test_the_policy_forbids_the_network_and_foreign_scripts(loaded: Chrome) -> None:
    blocked = loaded.execute_async_script(
        """
        const done = arguments[0], seen = [];
        addEventListener("securitypolicyviolation", (e) => {
          seen.push(e.effectiveDirective);
          if (seen.length === 3) done(seen.sort());
        });
        fetch("http://127.0.0.1:9/").catch(() => null);
        new Image().src = "http://127.0.0.1:9/x.png";
        const script = document.createElement("script");
        script.textContent = "window.broken = true";
        document.body.append(script);
        """
    )
    assert blocked == ["connect-src", "img-src", "script-src-elem"]
    assert loaded.execute_script("return window.broken === undefined")
    loaded.get_log("browser")  # the violations were ours


def test_a_menu_changes_what_is_shown(loaded: Chrome, hostile: str) -> None:
    menu = Select(figure(loaded, "latents").find_element(By.TAG_NAME, "select"))
    assert menu.options[1].text == f"{hostile}: R² 0.993"
    assert visible_traces(loaded, "latents") == [True, True, False, False, False, False]
    menu.select_by_index(1)
    WebDriverWait(loaded, 10).until(
        lambda b: visible_traces(b, "latents") == [False, False, True, True, False, False]
    )


def test_training_switches_to_seconds_and_close_to_the_ceiling(loaded: Chrome) -> None:
    plot = figure(loaded, "training").find_element(By.CLASS_NAME, "plot")
    menu = Select(figure(loaded, "training").find_element(By.TAG_NAME, "select"))
    menu.select_by_index(1)
    WebDriverWait(loaded, 10).until(lambda _: "training time (s)" in plot.text)
    menu.select_by_index(2)
    span = "return arguments[0].layout.yaxis.range"
    WebDriverWait(loaded, 10).until(
        lambda b: b.execute_script(span, plot) == pytest.approx([0.895, 1.005])
    )


def test_the_sphere_switches_between_true_and_recovered(loaded: Chrome) -> None:
    menu = Select(figure(loaded, "sphere").find_element(By.TAG_NAME, "select"))
    assert visible_traces(loaded, "sphere") == [True, True, False, False]
    menu.select_by_visible_text("true")
    WebDriverWait(loaded, 10).until(
        lambda b: visible_traces(b, "sphere") == [True, False, True, False]
    )


def test_pointing_at_a_bar_tells_its_number(loaded: Chrome) -> None:
    bar = figure(loaded, "factors").find_element(By.CSS_SELECTOR, ".bars .point path")
    ActionChains(loaded).move_to_element(bar).perform()
    label = WebDriverWait(loaded, 10).until(
        lambda b: b.find_element(By.CSS_SELECTOR, "#figure-factors .hovertext")
    )
    assert label.text == "recovered: 0.80 [0.70, 0.90]"


def test_dark_and_light_are_followed(loaded: Chrome) -> None:
    style = "return getComputedStyle(document.querySelector('#figure-sweep .xtick text')).fill"
    light = loaded.execute_script(style)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    loaded.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    WebDriverWait(loaded, 10).until(lambda b: b.execute_script(style) == "rgb(230, 233, 236)")
    loaded.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    WebDriverWait(loaded, 10).until(lambda b: b.execute_script(style) == light)


def test_on_paper_the_static_figures_stand_in(loaded: Chrome) -> None:
    shown = "return getComputedStyle(document.querySelector(arguments[0])).display !== 'none'"
    for media, interactive in (("print", False), ("screen", True)):
        loaded.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
        assert loaded.execute_script(shown, "#figure-sweep .interactive") is interactive
        assert loaded.execute_script(shown, "#figure-sweep .static") is not interactive
    loaded.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    pdf = loaded.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    content = base64.b64decode(pdf)
    assert content.startswith(b"%PDF")
    assert b"595." in content  # A4 is 595 points wide


def test_a_desktop_shows_wide_tables_whole(browser: Chrome, tmp_path: Path, page: Page) -> None:
    score = Estimate(0.943, 0.940, 0.946)
    words = {"holds": [True, False], "measured": ["100 classes of rank 5; " * 4] * 2}
    name = "latents are von Mises-Fisher around their cluster vector, one concentration"
    tables = (
        pd.DataFrame({"score": ["affine R²", name]} | {f"z{k}": [score, None] for k in range(6)}),
        pd.DataFrame({"assumption": [name, "short"], **words, "consequence": words["measured"]}),
    )
    shown = tuple(Table(caption=str(k), frame=frame) for k, frame in enumerate(tables))
    section = Section(heading="", lead="", tables=shown)
    path = tmp_path / "wide.html"
    path.write_text(render(replace(page, sections=(section,))))
    desktop = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", desktop)
    browser.get(path.as_uri())
    wider = (
        "return [...document.querySelectorAll('.scroll')].map((e) => e.scrollWidth - e.clientWidth)"
    )
    assert browser.execute_script(wider) == [0] * 3
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_phone_never_scrolls_sideways(browser: Chrome, address: str) -> None:
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get(address)
    WebDriverWait(browser, 30).until(lambda b: b.execute_script(READY) == MENUS)
    browser.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    overflowing = browser.execute_script(
        """
        return [...document.querySelectorAll("h1, p, dl, figure, .scroll, pre, .comparison, svg")]
          .filter((e) => e.getBoundingClientRect().right > 391).map((e) => e.className || e.tagName)
        """
    )
    assert overflowing == []
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_without_scripts_the_static_figures_are_shown(browser: Chrome, address: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(address)
    shown = "return [...document.querySelectorAll(arguments[0])].map((e) => e.offsetHeight > 50)"
    try:
        assert browser.execute_script(shown, ".static") == [True] * len(DRAWN)
        assert browser.execute_script(shown, ".interactive") == [False] * len(DRAWN)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
