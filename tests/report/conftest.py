"""A page with every kind of figure, full of text that must not be taken for markup."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from identikit.core.estimate import Estimate
from identikit.core.finding import Control, Finding, Headline, Verdict
from identikit.report import figures
from identikit.report.page import (
    Page,
    Provenance,
    Section,
    Table,
    render,
)
from identikit.report.style import Figure

HOSTILE = '<script>alert("1")</script> & $x_{ <b>'


@pytest.fixture(scope="session")
def hostile() -> str:
    """Text that must be shown as it is."""
    return HOSTILE


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    step = np.arange(1, 101)
    r2 = 1 - np.exp(-step / 20)
    r2[1::2] = np.nan  # measured at every other step
    return pd.DataFrame(
        {"step": step, "seconds": step / 50, "r2": r2, "excess_loss": np.exp(-step / 15)}
    )


@pytest.fixture(scope="session")
def sphere() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    true = generator.normal(size=(300, 3))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    return true, true + 0.05 * generator.normal(size=true.shape)


@pytest.fixture(scope="session")
def all_figures(history: pd.DataFrame, sphere: tuple[np.ndarray, np.ndarray]) -> list[Figure]:
    true, recovered = sphere
    angle = np.arctan2(true[:, 1], true[:, 0])
    score = figures.FactorBar(
        name=HOSTILE,
        estimate=Estimate(0.8, 0.7, 0.9),
        ceiling=0.95,
        row_space=Estimate(0.6, 0.5, 0.7),
        complement=0.4,
        chance=0.0,
        controls={"pixels": 0.75, HOSTILE: -3.0},
    )
    names = ["z1", HOSTILE, "z3"]
    return [
        figures.training_curves(history, ceiling=0.995),
        figures.latents_sphere(true, recovered),
        figures.latents_scatter(true, recovered, names=names),
        figures.head_scatter(recovered[:50], true[:50], names=names),
        figures.factor_bars([score, replace(score, name="second")]),
        figures.circle_scatter(
            angle, recovered[:, :2], group=np.array(["a", HOSTILE, "c"] * 100, dtype=object)
        ),
        figures.sweep(
            [
                figures.Curve(
                    name=HOSTILE,
                    x=[1, 10, 100],
                    recovered=[Estimate(0.8, 0.7, 0.85), 0.9, 0.95],
                    ceiling=[0.9, 0.95, 0.99],
                ),
                figures.Curve(name="second", x=[1], recovered=[0.5], ceiling=[0.6]),
            ],
            x_label=HOSTILE,
            log_x=True,
        ),
        figures.image_grid(np.zeros((7, 8, 8), np.uint8), captions=[HOSTILE] * 7),
        figures.layer_curves(
            [
                figures.LayerCurve(
                    name=HOSTILE,
                    measure="R²",
                    values=[Estimate(0.8, 0.7, 0.9)] * 2,
                    chance=0.0,
                    controls={HOSTILE: [Estimate(0.1, 0.0, 0.2), None]},
                    best=1,
                )
            ],
            layers=[HOSTILE, "last"],
        ),
    ]


@pytest.fixture(scope="session")
def page(all_figures: list[Figure]) -> Page:
    table = pd.DataFrame(
        {"factor": [HOSTILE, "z2"], HOSTILE: [Estimate(0.993, 0.991, 0.995), None], "n": [1, 10240]}
    )
    return Page(
        title=f"Title {HOSTILE}",
        subtitle=HOSTILE,
        headline=Headline(sentence=f"One sentence. {HOSTILE}", word="Learned", tone="good"),
        findings=(
            Finding(
                quantity="Factors",
                measure="R²",
                predicted=0.997,
                recovered=Estimate(0.993, 0.991, 0.995),
                controls=(
                    Control(name=HOSTILE, recovered=Estimate(0.71, 0.7, 0.72)),
                    Control(name="untrained", recovered=0.25),
                ),
                explained=HOSTILE,
                verdict=Verdict.LEARNED,
                decide="identikit simulate --diagnose",
            ),
            Finding(
                quantity=HOSTILE,
                recovered=None,
                explained=HOSTILE,
                verdict=Verdict.NOT_SHOWN,
            ),
        ),
        sections=(
            Section(
                heading=HOSTILE,
                lead=HOSTILE,
                figures=tuple(all_figures),
                tables=(Table(caption=HOSTILE, frame=table),),
                notes=(HOSTILE,),
            ),
        ),
        provenance=Provenance(
            command=f"identikit simulate --dim 3 '{HOSTILE}'",
            config={"world": {"dim": 3, HOSTILE: HOSTILE}, "max_seconds": None},
            versions={"identikit": "0.1.0"},
            machine=HOSTILE,
            started="2026-01-01 12:00 UTC",
            seconds=12.34,
        ),
    )


@pytest.fixture(scope="session")
def html(page: Page) -> str:
    return render(page)
