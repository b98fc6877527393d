"""The genealogy: what cannot be asked, what cells say, and a matrix that finds its cells."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.finding import Finding, Verdict
from identikit.core.randomness import stream
from identikit.runs.lookup import page_of, study_of
from identikit.runs.run_config import run
from identikit.runs.store import Run
from identikit.studies.genealogy.cell import Cell, make_world, run_cell
from identikit.studies.genealogy.config import GenealogyCellConfig, GenealogyConfig
from identikit.studies.genealogy.result import (
    CellRecord,
    CellResult,
    FailedCell,
    GenealogyResult,
    Line,
)
from identikit.theory.assumptions import AssumptionCheck
from identikit.theory.promises import UpTo
from identikit.worlds.generators import InvertibleMLP
from identikit.worlds.world import ClusterWorld

HOLDS = AssumptionCheck(name="pairs are alike", holds=True, detail="all", consequence="")
FAILS = replace(HOLDS, holds=False, detail="none of 3")
NEAR = Estimate(0.99, 0.98, 1.0)
CELL = CellResult(
    status="completed",
    up_to=UpTo.ROTATION,
    dim=3,
    assumptions=(HOLDS,),
    predicted=1.0,
    recovered=NEAR,
    affine_r2=NEAR,
    procrustes_r2=NEAR,
    mcc=NEAR,
    mcc_mapped=NEAR,
    identity_r2=0.5,
    excess=0.01,
    unavoidable=None,
    inverse_temperature=None,
    seconds=1.0,
    history=({"step": 1, "seconds": 1.0, "loss": 2.0, "excess_loss": 0.1},),
)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"world": "spheres", "objective": "tcl"}, "unknown world 'spheres'"),
        ({"world": "classes", "objective": "clip"}, "unknown objective 'clip'"),
        ({"world": "uniform-pairs", "objective": "tcl"}, "tcl learns from labels"),
        ({"world": "normal-pairs", "objective": "gcl"}, "normal-pairs has none"),
        ({"world": "classes", "objective": "tcl", "dim": 1}, "dim must be at least 2; got 1"),
        ({"world": "classes", "objective": "tcl", "steps": 0}, "steps must be at least 1; got 0"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(settings: dict[str, str | int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        GenealogyCellConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"worlds": ("sphere",)}, "unknown world 'sphere'"),
        ({"objectives": ("simclr",)}, "unknown objective 'simclr'"),
        ({"worlds": ("uniform-pairs",), "objectives": ("gcl",)}, "no world has what"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        GenealogyConfig(**settings)


def test_worlds_without_labels_have_no_cells_of_objectives_that_need_them() -> None:
    cells = GenealogyConfig(seeds=2).cells
    assert len(cells) == 2 * (3 * 7 + 2 * 3)
    pairs = {cell.objective for cell in cells if cell.world == "uniform-pairs"}
    assert pairs == {"infonce", "vicreg", "sigreg"}


@pytest.mark.parametrize(
    ("world", "latents"), [("sprites", "classes"), ("rooms-pairs", "uniform-pairs")]
)
def test_rendered_worlds_are_other_worlds_seen_as_images(world: str, latents: str) -> None:
    seen, told = (
        Cell(config := GenealogyCellConfig(world=name, objective="infonce"), make_world(config))
        for name in (world, latents)
    )
    images, vectors = (cell.world.sample(6, generator=stream(0, "z")) for cell in (seen, told))
    assert torch.equal(images.z, vectors.z)
    assert images.x.shape[2:] == (32, 32)
    assert images.vectors.shape == (6, images.x[0].numel() // 4)
    assert torch.equal(vectors.vectors, vectors.x)
    assert seen.recipe.encoder.architecture == "cnn"
    assert told.recipe.encoder.architecture == "plain"


def test_rendered_pairs_have_no_labels() -> None:
    with pytest.raises(InputError, match="sprites-pairs has none"):
        GenealogyCellConfig(world="sprites-pairs", objective="diet")
    cells = GenealogyConfig(worlds=("sprites", "sprites-pairs")).cells
    assert len(cells) == 7 + 3


def test_several_seeds_have_an_interval() -> None:
    def line(*values: float) -> Finding:
        cells = (replace(CELL, recovered=Estimate(v, v, v)) for v in values)
        records = (
            CellRecord(world="classes", objective="tcl", seed=k, path="", result=cell)
            for k, cell in enumerate(cells)
        )
        return Line(world="classes", objective="tcl", records=tuple(records)).finding

    both = line(0.98, 1.0).recovered
    assert isinstance(both, Estimate)
    assert both.value == pytest.approx(0.99)
    assert both.low == pytest.approx(0.99 - 12.706 * 0.01, abs=1e-4)  # Student's t, one degree
    assert both.high == 1.0
    assert line(0.98).recovered == Estimate(0.98, 0.98, 0.98)


def test_a_promise_that_is_kept_is_as_predicted() -> None:
    assert CELL.finding.verdict is Verdict.AS_PREDICTED
    assert "are promised up to a scaled rotation" in CELL.finding.explained
    assert CELL.finding.explained.endswith("The loss is 0.010 above its optimum.")
    assert CELL.finding.measure == "Procrustes R²"
    short = replace(CELL, recovered=Estimate(0.9, 0.89, 0.91), excess=None)
    assert short.finding.verdict is Verdict.LESS
    assert "loss" not in short.finding.explained
    assert replace(short, status="interrupted").finding.verdict is Verdict.UNDECIDED


def test_where_an_assumption_fails_no_promise_is_made() -> None:
    known = replace(CELL, assumptions=(HOLDS, FAILS), predicted=0.8, unavoidable=0.3).finding
    assert known.verdict is Verdict.MORE
    assert "not so that pairs are alike (none of 3)" in known.explained
    assert "computed at the objective's own optimum" in known.explained
    assert "0.300 of it no h of this width avoids" in known.explained
    unknown = replace(CELL, assumptions=(FAILS,), predicted=None).finding
    assert unknown.verdict is Verdict.MEASURED
    assert "nothing is known of the optimum" in unknown.explained


def test_the_headline_counts_cells_of_which_theory_gives_a_value() -> None:
    def record(objective: str, cell: CellResult) -> CellRecord:
        return CellRecord(world="classes", objective=objective, seed=0, path="", result=cell)

    short = replace(CELL, recovered=Estimate(0.9, 0.89, 0.91))
    silent = replace(CELL, predicted=None)
    lost = FailedCell(world="classes", objective="diet", seed=0, error="no memory")
    cells = (record("tcl", CELL), record("gcl", short), record("sigreg", silent), lost)
    result = GenealogyResult(status="incomplete", failed=1, found=0, cells=cells)
    assert "1 of 2 cells" in result.headline.sentence
    assert "classes: GCL" in result.headline.sentence
    assert [finding.quantity for finding in result.findings] == [
        "classes: TCL",
        "classes: GCL",
        "classes: SIGReg",
    ]
    alone = replace(result, cells=(record("sigreg", silent),))
    assert alone.headline.word == "Measured"


@pytest.mark.parametrize("objective", ["supervised", "diet", "tcl", "gcl", "vicreg"])
def test_no_untrained_network_is_at_the_optimum(objective: str) -> None:
    result = run_cell(GenealogyCellConfig(world="segments-2", objective=objective, dim=2, steps=1))
    assert result.excess is not None
    assert result.excess > 0.1
    assert result.recovered.value < 0.95


def test_the_loss_of_gcl_at_the_true_ratio_is_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is told the log-ratio has no excess."""
    from identikit.objectives.gcl import GCL

    cell = Cell(
        config := GenealogyCellConfig(world="segments-1", objective="gcl", dim=2),
        make_world(config),
    )
    world = cell.world
    assert isinstance(world, ClusterWorld)
    assert isinstance(world.generator, InvertibleMLP)
    inverse = world.generator.inverse

    def told(self: GCL, y: Tensor, u: Tensor) -> Tensor:
        ratio = world.log_posterior(inverse(y)) - world.class_prior.log()
        return ratio.gather(1, u[:, None])[:, 0]

    monkeypatch.setattr(GCL, "regression", told)
    objective = cell.objective(2, stream(0, "gcl"))
    excess = cell.excess(nn.Identity(), objective, cell.promise())
    assert excess == pytest.approx(0, abs=1e-4)


@pytest.mark.slow
@pytest.mark.drawn
def test_a_matrix_finds_the_cells_that_were_made(tmp_path: Path) -> None:
    small: dict[str, Any] = {"worlds": ("segments-1",), "dim": 2, "steps": 2}
    first = run(GenealogyConfig(**small, objectives=("tcl",)), root=tmp_path)
    both = run(GenealogyConfig(**small, objectives=("tcl", "sigreg")), root=tmp_path)
    assert (first.result.found, both.result.found) == (0, 1)
    assert both.result.status == "completed"
    assert both.result.cells[0].result == first.result.cells[0].result
    page = page_of(both.run)
    assert [finding.quantity for finding in page.findings] == [
        "segments-1: TCL",
        "segments-1: SIGReg",
    ]
    assert {figure.name for figure in page.sections[0].figures} == {"predicted", "recovered"}
    assert page_of(Run.load(tmp_path / first.result.cells[0].path)).sections[1].figures
    cells = [path for path in tmp_path.iterdir() if "genealogy-cell" in path.name]
    assert len(cells) == 2
    assert study_of("genealogy-cell").store(tmp_path)


@pytest.mark.slow
def test_info_nce_inverts_uniform_pairs_up_to_a_rotation() -> None:
    """As published (arXiv:2102.08850); and the temperature is that of the pairs."""
    result = run_cell(GenealogyCellConfig(world="uniform-pairs", objective="infonce", steps=600))
    assert result.predicted == pytest.approx(1, abs=1e-3)
    assert result.procrustes_r2.low > 0.99
    assert result.inverse_temperature == pytest.approx(10, rel=0.1)
    assert result.mcc.high < result.procrustes_r2.low  # a rotation, not the axes
