import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import escape

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Spread
from identikit.core.finding import Headline, Tone
from identikit.report.page import Page, Section, Table, render, save_figures, write_page

pytestmark = pytest.mark.drawn


def test_no_text_becomes_markup(html: str, hostile: str) -> None:
    assert hostile not in html
    assert html.count(str(escape(hostile))) > 10
    assert '<script>alert("1")' not in html


def test_scripts_are_named_in_the_policy_and_nothing_else_may_run(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert policy[1].count("sha256-") == html.count("<script>") == 2
    assert "unsafe-eval" not in policy[1]
    assert "http" not in policy[1]


def test_a_page_without_interactive_figures_carries_no_script(page: Page) -> None:
    section = replace(page.sections[0], figures=())
    html = render(replace(page, sections=(section,)))
    assert "<script" not in html
    assert len(html) < 20_000


def test_figure_data_are_json_without_angle_brackets(html: str, page: Page) -> None:
    blocks = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    assert len(blocks) == sum(f.interactive is not None for f in page.figures)
    for block in blocks:
        assert "<" not in block
        assert json.loads(block)["data"]


def test_columns_of_numbers_stand_right_also_where_some_are_missing(page: Page) -> None:
    frame = pd.DataFrame(
        {
            "name": ["a", "b"],
            "some": [Estimate(0.943, 0.940, 0.946), None],
            "none": [None, None],
            "yes": [True, False],
            "spread": [Spread(0.5, 0.1, 3), 2.1e-5],
        },
        dtype=object,
    )
    section = Section(heading="", lead="", tables=(Table(caption="numbers", frame=frame),))
    html = render(replace(page, sections=(section,)))
    assert re.findall(r'<th scope="col" class="number">(.*?)</th>', html) == ["some", "spread"]
    assert '<td data-label="yes">yes</td>' in html
    assert 'class="number"><span>0.943</span> <span>[0.940, 0.946]</span></td>' in html
    assert 'class="number"><span>0.50</span> <span>± 0.10</span></td>' in html
    assert ">2.1 × 10⁻⁵</td>" in html


def test_every_image_has_an_alternative_text(html: str) -> None:
    markup = html[: html.index("<script>")]
    images = re.findall(r"<img [^>]*>", markup)
    assert len(images) == 15
    assert all(re.search(r'alt="[^"]+"', image) for image in images)


def test_numbers_config_and_origin_are_on_the_page(html: str) -> None:
    for text in ("0.993 [0.991, 0.995]", "0.997", "10,240", "12.3 s", "world.dim", "not set"):
        assert text in html


@pytest.mark.parametrize("tone", ["good", "warning", "bad", "neutral"])
def test_the_tone_is_told_in_words_too(page: Page, tone: Tone) -> None:
    headline = Headline(sentence="It is so.", word="A word", tone=tone)
    html = render(replace(page, headline=headline, sections=()))
    assert f'class="verdict {tone}"' in html
    assert "A word" in html


def test_every_finding_has_its_verdict_and_a_column_for_every_control(html: str) -> None:
    table = re.search(r'<table class="comparison cards">.*?</table>', html, re.DOTALL)
    assert table is not None
    heads = re.findall(r'<th scope="col">(.*?)</th>', table[0])
    assert [heads[0], *heads[-2:]] == ["Quantity", "untrained", "Verdict"]
    assert len(heads) == 6
    rows = table[0].split("<tr>")[2:]
    assert "Factors (R²)" in rows[0]
    for cell in ("0.710", "0.250", "learned", "identikit simulate --diagnose"):
        assert cell in rows[0]
    assert rows[1].count("—") == 4  # predicted, recovered and both controls
    assert "not shown" in rows[1]


def test_two_figures_with_one_name_are_refused(page: Page) -> None:
    doubled = replace(page.sections[0], figures=page.figures[:1] * 2)
    with pytest.raises(InputError, match="different names; got training more than once"):
        replace(page, sections=(doubled,))


def test_the_same_page_gives_the_same_bytes_on_disk(html: str, page: Page, tmp_path: Path) -> None:
    write_page(page, tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text() == html
    light = replace(page, sections=(replace(page.sections[0], figures=page.figures[:2]),))
    paths = save_figures(light, tmp_path / "figures")
    assert [p.name for p in paths] == ["training.png", "training.pdf", "sphere.png", "sphere.pdf"]
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == sorted(p.name for p in paths)
    assert paths[1].read_bytes().startswith(b"%PDF")
