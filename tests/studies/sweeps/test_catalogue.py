"""The catalogue: every sweep is whole, cheap to build, and found by being there."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from identikit.core.config import from_dict, to_dict
from identikit.core.errors import InputError
from identikit.core.serialization import from_plain, to_plain
from identikit.studies import catalogue
from identikit.studies.catalogue import sweep_named, sweeps
from identikit.studies.catalogue.tails import DIM, size
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.result import SimulationResult
from identikit.studies.simulation.run import simulate
from identikit.studies.sweeps.sweep import Printed, Published, Sweep
from identikit.worlds.projected import ProjectedGeneralizedNormal

FIGURES = ("tails", "batch-size", "classes-by-dimension", "truncated-laplace", "label-noise")
STUDIES = (
    "swapped-labels",
    "unbalanced-labels",
    "gaussian-mixtures",
    "repeated-instances",
    "dimension",
    "concentration",
    "class-threshold",
    *FIGURES,
)
EVERY = sweeps().values()


def test_the_papers_tables_and_the_studies_are_there() -> None:
    assert {"table2", "table3", "table5", "tables", *STUDIES} <= set(sweeps())


def test_the_papers_tables_have_its_instances_its_two_cases_and_its_values() -> None:
    rows = {row.key: row for row in sweep_named("tables").rows}
    instances = [row.config.instances for row in rows.values() if row.config.objective == "diet"]
    assert sorted(set(instances)) == [1_000, 100_000]
    assert instances.count(100_000) == 2
    unit, free = ("DIET, unit rows: κ = 50", "DIET: κ = 50")
    assert rows[unit].config.head.unit_rows
    assert not rows[unit].config.head.unit_features
    assert not rows[free].config.head.unit_norm
    assert rows[unit].paper == Published(latents=Printed(0.45, 0.06), head=Printed(0.497, 0.06))
    assert rows[free].paper == Published(latents=Printed(0.725, 0.03), head=Printed(0.755))
    assert rows["supervised: C = 10,000"].paper == Published(latents=Printed(0.998))
    assert (str(Printed(0.45, 0.06)), str(Printed(0.99))) == ("0.450 ± 0.06", "0.990")
    assert all(row.paper is not None for row in rows.values())


def test_the_size_of_samples_is_that_of_the_conditional() -> None:
    v = torch.nn.functional.normalize(torch.ones(1, DIM))
    for shape, scale in ((1.0, 0.5), (2.0, 1.0), (4.0, 2.0)):
        world = ProjectedGeneralizedNormal(v, scale=scale, exponent=shape)
        noise = scale * world._noise(torch.Size([50_000, DIM]), torch.Generator().manual_seed(0))
        got = (v + noise).square().sum(1).mean().sqrt()
        assert float(got) == pytest.approx(size(scale, shape), rel=0.01)


@pytest.mark.parametrize("sweep", EVERY, ids=lambda s: s.name)
def test_a_sweep_says_what_it_asks_and_what_theory_says(sweep: Sweep) -> None:
    assert sweeps()[sweep.name] is sweep
    assert sweep.question.endswith("?")
    assert sweep.prediction.endswith(".")
    assert len(sweep.seeds) >= 3
    for row in sweep.rows:  # what a worker is sent is what was meant
        assert from_dict(SimulationConfig, to_dict(row.config)) == row.config


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_a_figure(name: str) -> None:
    sweep = sweep_named(name)
    assert sweep.axis is not None
    for group in sweep.groups:
        places = [row.x for row in sweep.rows if row.group == group]
        assert all(a is not None and b is not None and a < b for a, b in pairwise(places))
        assert not sweep.axis.log or (places[0] or math.nan) > 0


@pytest.mark.parametrize("sweep", EVERY, ids=lambda s: s.name)
def test_a_study_has_a_page_in_the_docs_and_a_cost_once_it_has_run(sweep: Sweep) -> None:
    name = "tables" if sweep.name.startswith("table") else sweep.name
    page = Path(__file__).parents[3] / "docs" / "studies" / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert f"identikit reproduce {name}" in text
    assert "## What theory predicts" in text
    came_out = text.partition("## What came out")[2]
    if sweep.core_minutes is None:
        assert "Not run in full" in came_out
    else:
        assert sweep.core_minutes > 0
        assert "| --- |" in came_out


@pytest.mark.parametrize("sweep", EVERY, ids=lambda s: s.name)
def test_rows_differ_in_what_is_simulated(sweep: Sweep) -> None:
    for group in sweep.groups:
        configs = [row.config for row in sweep.rows if row.group == group]
        assert len(set(configs)) == len(configs)


@pytest.mark.parametrize("name", FIGURES)
def test_the_last_row_of_a_figure_runs_and_is_read_again(name: str) -> None:
    """In a world of next to nothing, for a few steps."""
    config = sweep_named(name).rows[-1].config
    small = replace(
        config,
        instances=12,
        test_samples=128,
        world=replace(config.world, dim=2, classes=6, generator="identity"),
        training=replace(config.training, steps=3, batch_size=32),
    )
    result = simulate(small).result
    assert from_plain(SimulationResult, to_plain(result), writer="this test") == result


def test_a_new_file_is_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from dataclasses import replace
from identikit.studies.catalogue.table3 import SWEEP as TABLE
SWEEP = replace(TABLE, name="brand-new")
"""
    (tmp_path / "brand_new.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(catalogue, "__path__", [*catalogue.__path__, str(tmp_path)])
    sweeps.cache_clear()
    try:
        assert sweep_named("brand-new").rows == sweep_named("table3").rows
    finally:
        sweeps.cache_clear()


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="swapped-labels"):
        sweep_named("swaped-labels")
