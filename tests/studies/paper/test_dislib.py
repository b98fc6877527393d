"""DisLib on a toy grid: cells and tables, found again, read out as an independent judge would."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.factors import Kind
from identikit.core.finding import Verdict
from identikit.encoders import staged
from identikit.encoders.staged import staged_encoder
from identikit.probing.default_measures import MEASURES
from identikit.probing.result import FactorScore
from identikit.report.page import render
from identikit.runs.lookup import page_of
from identikit.runs.store import Run
from identikit.runs.study import run_and_report, run_study
from identikit.runs.table import TableProgress
from identikit.statistics.bootstrap import Bootstrap
from identikit.studies.paper.dislib import cell as cell_module
from identikit.studies.paper.dislib import pictures as pictures_module
from identikit.studies.paper.dislib import sources, table
from identikit.studies.paper.dislib.config import CellConfig, DisLibConfig
from identikit.studies.paper.dislib.linear_probes import Targets, gather, probe_factors
from identikit.studies.paper.dislib.pictures import Pictures, Seen
from identikit.studies.paper.dislib.readings import CellRecord, Readings
from identikit.studies.paper.dislib.result import DisLibResult
from identikit.studies.paper.dislib.study import DISLIB, DISLIB_CELL
from identikit.studies.paper.dislib.summary import finished, lines_of, over_repetitions, transfer
from identikit.theory.coverage import head_row_space
from identikit.training.fit import fit_network
from identikit.worlds.grids.grid import Grid, GridFactor, ImageGrid, levelled
from identikit.worlds.grids.split import split_rows

CPU = torch.device("cpu")
WIDTH = 64
in_a_thread = partial(ThreadPoolExecutor, 1)


class Toy(ImageGrid):
    """Shapes, sizes, ranks and angles that stand linearly in the pixels, by design."""

    name = "toy"
    shape = (3, 8, 8)
    grid = Grid(
        (
            levelled("shape", 3),
            GridFactor(name="size", kind=Kind.CONTINUOUS, values=torch.linspace(-1, 1, 5).double()),
            levelled("rank", 4, kind=Kind.ORDINAL),
            GridFactor(
                name="angle",
                kind=Kind.CIRCULAR,
                values=torch.linspace(0, 300, 6).double(),
                period=360.0,
            ),
        )
    )
    asked = 0

    def images(self, rows: Tensor) -> Tensor:
        self.asked = max(self.asked, len(rows))
        index = self.grid.indices(rows)
        mixing = torch.randn(7, 3 * 64, generator=torch.Generator().manual_seed(3))
        pixels = Targets.of(self.grid).at(index).float() @ mixing
        return (120 + 12 * pixels).round().clamp(0, 255).byte().view(-1, 3, 8, 8)


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)


def small(patch: pytest.MonkeyPatch) -> None:
    """A toy world, and encoders that are quickly read out."""
    patch.setitem(sources.RENDERED, "toy", Toy)
    patch.setattr(staged, "WIDTH", WIDTH)


TINY = CellConfig(
    world="toy",
    encoder="linear",
    task="shape",
    epochs=3,
    batch_size=64,
    analogies=20,
    resamples=100,
    stop_accuracy=1.1,
)


def made(root: Path, config: CellConfig = TINY) -> Run:
    return run_study(DISLIB_CELL, config, root=root).run


def readings_of(made: Run) -> Readings:
    readings = DISLIB_CELL.read(made).readings
    assert readings is not None
    return readings


def scores_of(made: Run) -> dict[str, FactorScore]:
    return {score.name: score for score in readings_of(made).recovery.factors}


def seen(encoder: str = "pixels", *, size: int | None = None, images: Toy | None = None) -> Seen:
    toy = images or Toy()
    split = split_rows(toy.grid, task="shape", seed=0)
    pictures = Pictures(toy, split, size=size, device=CPU)
    generator = torch.Generator().manual_seed(0)
    return Seen(pictures, staged_encoder(encoder, shape=pictures.shape, generator=generator)).eval()


def test_pixels_of_a_linear_world_tell_everything(tmp_path: Path) -> None:
    cell = made(tmp_path, replace(TINY, encoder="pixels"))
    for score in scores_of(cell).values():
        assert score.estimate.value > 0.95
        assert score.extras["r"] > 0.95
        assert score.row_space is None
    readings = readings_of(cell)
    assert {f: round(s["h"].value, 2) for f, s in readings.analogies.items()} == {
        name: pytest.approx(1, abs=0.05) for name in Toy.grid.names
    }
    assert readings.training is None
    assert readings.few_shot["shape"] > 0.5
    page = page_of(cell)
    assert page.title == "toy, pixels"
    assert {finding.verdict for finding in page.findings} == {Verdict.PRESENT}


def test_a_trained_cell_has_its_twin_its_parts_and_no_checkpoint(tmp_path: Path) -> None:
    cell = made(tmp_path, replace(TINY, epochs=30, batch_size=32))
    scores, readings = scores_of(cell), readings_of(cell)
    assert readings.covered_dimensions == 2
    assert readings.training is not None
    assert readings.training.test_accuracy > 0.9
    shape, size = scores["shape"], scores["size"]
    assert shape.row_space is not None
    assert shape.row_space.value > 0.9
    assert size.row_space is not None
    assert size.complement is not None
    assert size.row_space.value < 0.6 < size.complement.value
    recovery = readings.recovery
    twins = recovery.controls["untrained"]
    assert [twin.name for twin in twins] == list(scores)
    assert (recovery.n_train, recovery.n_test, recovery.dim) == (288, 36, WIDTH)
    for score, twin in zip(scores.values(), twins, strict=True):
        lead = score.above["untrained"]
        assert lead.value == pytest.approx(score.estimate.value - twin.estimate.value)
        assert lead.low <= lead.value <= lead.high
    assert not cell.checkpoint.exists()
    page = page_of(cell)
    assert page.title == "toy, linear, taught the shape"
    assert "one cell" in render(page).lower()


def test_a_pair_differs_less_than_its_scores_do() -> None:
    """The difference of a network from itself is nought on every resample."""
    bootstrap = Bootstrap(torch.arange(36), resamples=100, generator=torch.Generator())
    found = probe_factors(seen(), Targets.of(Toy.grid), coverage=None, bootstrap=bootstrap)
    again = found.above(found, "itself")
    assert [score.above["itself"] for score in again.scores] == 4 * [Estimate(0.0, 0.0, 0.0)]


def test_the_same_cell_is_found_and_another_repetition_is_another(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert made(tmp_path).path == first.path
    other = made(tmp_path, replace(TINY, repetition=1))
    assert scores_of(other) != scores_of(first)


def test_training_stops_when_it_is_accurate_enough(tmp_path: Path) -> None:
    training = readings_of(made(tmp_path, replace(TINY, stop_accuracy=0.0))).training
    assert training is not None
    assert training.epochs == 1


def test_a_cell_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*args: Any, **options: Any) -> Any:
        """Ctrl-C after the first epoch."""

        def interrupt(_: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)

        return fit_network(*args, **options | {"on_progress": interrupt})

    with monkeypatch.context() as patch:
        patch.setattr(cell_module, "fit_network", stopped)
        stopped_cell = run_and_report(DISLIB_CELL, TINY, root=tmp_path / "stopped")
    assert stopped_cell.run.interrupted
    assert stopped_cell.result.headline.word == "Undecided"
    again = made(tmp_path / "stopped")
    assert not again.unfinished
    assert scores_of(again) == scores_of(made(tmp_path / "whole"))


def test_the_papers_correlation_is_that_of_least_squares_on_test_images() -> None:
    own = seen("mlp")
    targets = Targets.of(Toy.grid)
    bootstrap = Bootstrap(torch.arange(36), resamples=100, generator=torch.Generator())
    found = probe_factors(own, targets, coverage=None, bootstrap=bootstrap)
    train, _, test = own.pictures.parts
    h, y = own.features(torch.arange(360)).double().numpy(), targets.at(own.pictures.index).numpy()
    with_one = np.column_stack([h, np.ones(len(h))])
    fit = np.linalg.lstsq(with_one[train], y[train], rcond=1e-6)[0]
    prediction = with_one[test] @ fit
    r = [np.corrcoef(prediction[:, j], y[test][:, j])[0, 1] for j in range(y.shape[1])]
    for score, columns in zip(found.scores, targets.columns, strict=True):
        assert score.extras["r"] == pytest.approx(np.mean(r[columns]), abs=5e-3)
    assert found.rank <= 288


class Noisy(Toy):
    """A factor of two levels that noise hides from some."""

    name = "noisy"
    grid = Grid((levelled("shape", 3), levelled("side", 2, kind=Kind.BINARY), levelled("rest", 60)))

    def images(self, rows: Tensor) -> Tensor:
        side = self.grid.indices(rows)[:, 1:2]
        noise = (rows[:, None].double() ** 1.5 * torch.arange(1, 193)).sin()
        return (120 + 6 * side + 80 * noise).round().byte().view(-1, 3, 8, 8)


def test_a_factor_of_two_levels_is_scored_by_the_area_under_its_curve() -> None:
    """As `score` does; of two classes the discriminant ranks as least squares does."""
    own = seen(size=4, images=Noisy())
    bootstrap = Bootstrap(torch.arange(36), resamples=100, generator=torch.Generator())
    found = probe_factors(own, Targets.of(Noisy.grid), coverage=None, bootstrap=bootstrap)
    train, _, test = own.pictures.parts
    h, y = own.features(torch.arange(360)).double().numpy(), own.pictures.index[:, 1].numpy()
    with_one = np.column_stack([h, np.ones(len(h))])
    guess = with_one[test] @ np.linalg.lstsq(with_one[train], y[train], rcond=1e-6)[0]
    expected = roc_auc_score(y[test], guess)
    assert 0.55 < expected < 0.95
    score = found.scores[1]
    assert (score.measure, score.chance) == (MEASURES[Kind.BINARY].name, 0.5) == ("AUC", 0.5)
    assert score.estimate.value == pytest.approx(expected, abs=0.02)


def test_statistics_of_a_part_of_h_are_those_of_its_coordinates() -> None:
    own, targets = seen("linear"), Targets.of(Toy.grid)
    head = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(1))
    basis = head_row_space(head).basis
    found = gather(own, targets).projected(basis).train(0)
    train = own.pictures.parts[0]
    h = own.features(train).double() @ basis
    y = targets.at(own.pictures.index[train])
    torch.testing.assert_close(found.hh, (h - h.mean(0)).T @ (h - h.mean(0)))
    torch.testing.assert_close(found.hy, (h - h.mean(0)).T @ (y - y.mean(0)))
    torch.testing.assert_close(found.mean_h, h.mean(0))


def test_pictures_are_the_same_held_or_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    places = torch.tensor([3, 300, 7])
    held = seen().pictures
    monkeypatch.setattr(pictures_module, "HELD", 0)
    monkeypatch.setattr(pictures_module, "BLOCK", 10)
    streamed = seen()
    assert torch.equal(held[places], streamed.pictures[places])
    assert torch.equal(held[places], Toy().images(held.rows[places]))
    streamed.features(torch.arange(50))
    source: Any = streamed.pictures.source
    assert source.asked <= 10  # never more than a block at once


def test_pictures_are_averaged_down() -> None:
    small = seen(size=4).pictures
    whole = Toy().images(small.rows[:5]).float()
    means = whole.view(5, 3, 4, 2, 4, 2).mean(dim=(3, 5))
    assert torch.equal(small[torch.arange(5)], means.round().byte())
    with pytest.raises(InputError, match="whole multiples"):
        seen(size=3)


TABLE = DisLibConfig(
    budget="full",
    worlds=("toy",),
    encoders=("pixels", "linear"),
    tasks=("shape", "size"),
    repetitions=2,
    epochs=2,
    device="cpu",
)


@dataclass
class Made:
    """A table, not drawn, and what was told while it was made."""

    run: Run
    result: DisLibResult
    told: list[TableProgress]


def table_of(root: Path, config: DisLibConfig = TABLE) -> Made:
    told: list[TableProgress] = []
    done = run_study(DISLIB, config, root=root, tell=told.append, open_executor=in_a_thread)
    return Made(done.run, done.result, told)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        return table_of(tmp_path_factory.mktemp("table"))


@pytest.mark.drawn
def test_a_table_has_every_cell_and_a_page(whole: Made) -> None:
    cells = [(c.encoder, c.task, c.repetition) for c in whole.result.cells]
    assert cells == [
        (encoder, task, repetition)
        for repetition in (0, 1)
        for encoder, task in (("pixels", "shape"), ("linear", "shape"), ("linear", "size"))
    ]
    assert whole.result.status == "completed"
    assert [(s.done, s.total) for s in whole.told] == [(k, 6) for k in range(7)]
    assert whole.told[-1].seconds_left == 0
    assert DISLIB.read(whole.run) == whole.result
    page = page_of(whole.run)
    words = render(page)
    assert {figure.name for figure in page.figures} == {
        "toy-linear",
        "tasks-toy-linear",
        "transfer",
        "images-toy",
    }
    assert "toy, 360 images" not in words
    assert "toy, all 360 images at 8 x 8 pixels" in words
    assert whole.run.origin["command"].startswith("identikit reproduce dislib --budget full")


def test_a_table_promises_what_theory_does_and_judges_by_every_control(whole: Made) -> None:
    dimensions, covered, *factors = whole.result.findings
    assert (dimensions.predicted, dimensions.recovered) == (2, 2)
    assert dimensions.verdict is Verdict.AS_PREDICTED
    assert (covered.predicted, covered.verdict) == (None, Verdict.MEASURED)
    assert [f.quantity for f in factors] == [f"toy: {name}" for name in Toy.grid.names]
    assert [f.predicted for f in factors] == [1.0, None, None, None]
    for finding in factors:  # two epochs teach nothing that the pixels do not have
        assert [control.name for control in finding.controls] == ["untrained", "pixels"]
        assert all(control.lead is not None for control in finding.controls)
        assert finding.verdict in (Verdict.NOT_LEARNED, Verdict.NOT_SHOWN)
        assert "inductive bias" not in finding.explained
    headline = whole.result.headline
    assert headline.tone != "good"
    assert headline.sentence.startswith("toy, linear taught the shape, of the other factors: ")
    assert "shape)" not in headline.sentence  # the taught factor is no other


def test_a_cell_has_the_device_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = replace(TABLE, device="auto")
    cell = config.cell(config.sources[0], encoder="linear", task="size", repetition=0)
    assert cell.device == "cpu"


def test_cells_that_were_made_are_found(whole: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "SECONDS_PER_IMAGE", dict.fromkeys(table.SECONDS_PER_IMAGE, 1.0))
    more = replace(TABLE, tasks=("shape", "size", "rank"))
    again = table_of(whole.run.path.parent, more)
    assert again.result.found == 6
    assert len(again.result.cells) == 8
    assert again.told[6].seconds_left is None  # found cells say nothing of the time left


def test_lines_are_means_over_repetitions(whole: Made) -> None:
    lines = lines_of(whole.result.cells)
    assert len(lines) == 3 * 4
    line = next(x for x in lines if (x.encoder, x.task, x.factor) == ("linear", "size", "size"))
    values = [
        scores_of(Run.load(whole.run.path.parent / cell.path))["size"].estimate.value
        for cell in finished(whole.result.cells)
        if (cell.encoder, cell.task) == ("linear", "size")
    ]
    assert line.score.value == pytest.approx(np.mean(values))
    assert set(line.above) == {"untrained"}  # the pixels were split for another task
    found = transfer(lines)
    assert found is not None
    assert -1 <= found.low <= found.value <= found.high <= 1


def cells_with(whole: Made, *, shift: float, repetitions: int = 2) -> tuple[CellRecord, ...]:
    """The cells taught the shape, with every trained score that far above both controls."""

    def shifted(cell: CellRecord, pixels: CellRecord) -> CellRecord:
        recovery, own = cell.readings.recovery, pixels.readings.recovery
        flat = [replace(s, estimate=Estimate(0.5, 0.49, 0.51)) for s in own.factors]
        up = 0.5 + shift
        high = tuple(
            replace(
                s,
                estimate=Estimate(up, up - 0.01, up + 0.01),
                above={"untrained": Estimate(shift, shift - 0.01, shift + 0.01)},
            )
            for s in flat
        )
        trained = cell.encoder != "pixels"
        recovery = replace(
            recovery,
            factors=high if trained else tuple(flat),
            controls={"untrained": tuple(flat)} if trained else {},
        )
        return replace(cell, readings=replace(cell.readings, recovery=recovery))

    kept = [
        cell
        for cell in finished(whole.result.cells)
        if cell.task == "shape" and cell.repetition < repetitions
    ]
    return tuple(shifted(cell, kept[0]) for cell in kept)


@pytest.mark.parametrize("repetitions", [1, 2])
@pytest.mark.parametrize(
    ("shift", "verdict", "words", "tone"),
    [
        (0.3, Verdict.LEARNED, "Clearly above untrained, pixels.", "good"),
        (0.0, Verdict.NOT_LEARNED, "Not clearly above untrained, pixels.", "warning"),
        (-0.1, Verdict.NOT_LEARNED, "There is more of it in untrained, pixels.", "warning"),
    ],
)
def test_words_and_colour_follow_the_differences(
    whole: Made, repetitions: int, shift: float, verdict: Verdict, words: str, tone: str
) -> None:
    cells = cells_with(whole, shift=shift, repetitions=repetitions)
    result = replace(whole.result, cells=cells)
    others = result.findings[3:]
    assert {finding.verdict for finding in others} == {verdict}
    for finding in others:
        assert words in finding.explained
        assert ("inductive bias" in finding.explained) == (verdict is Verdict.LEARNED)
    assert result.headline.tone == tone
    assert ("3 of 3 learned" in result.headline.sentence) == (verdict is Verdict.LEARNED)


def test_a_table_of_pixels_says_that_nothing_was_trained(whole: Made) -> None:
    cells = tuple(c for c in finished(whole.result.cells) if c.encoder == "pixels")
    result = replace(whole.result, cells=cells)
    assert {finding.verdict for finding in result.findings} == {Verdict.PRESENT}
    assert {finding.predicted for finding in result.findings} == {None}
    assert "taught" not in result.headline.sentence
    assert result.headline.word == "Present"


def test_the_interval_over_repetitions_is_students() -> None:
    found = over_repetitions([Estimate(v, 0.0, 1.0) for v in (0.4, 0.5, 0.6)])
    assert found.value == pytest.approx(0.5)
    assert found.high == pytest.approx(0.5 + 0.1 * 4.302653 / 3**0.5)
    assert over_repetitions([Estimate(v, 0.0, 1.0) for v in (0.8, 0.9, 1.0)]).high == 1
    alone = Estimate(0.5, 0.4, 0.6)
    assert over_repetitions([alone]) == alone


def test_a_failed_cell_is_told_of_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, path: str = "") -> ImageGrid:
        raise InputError("the disk is gone")

    monkeypatch.setattr("identikit.studies.paper.dislib.cell.image_grid", broken)
    only = replace(TABLE, encoders=("pixels",), tasks=())
    done = run_and_report(DISLIB, only, root=tmp_path, open_executor=in_a_thread)
    assert (done.result.status, done.result.failed) == ("incomplete", 2)
    assert done.result.headline.tone == "neutral"
    assert "the disk is gone" in (done.run.path / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": "laptob"}, "Did you mean 'laptop'"),
        ({"encoders": ("resnet",)}, "Did you mean 'resnet18'"),
        ({"repetitions": 0}, "repetitions must be at least 1"),
        ({"encoders": ()}, "needs an encoder"),
        ({"device": "cuda"}, "no CUDA device is at hand"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=words):
        replace(TABLE, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tasks": ("shap",)}, "Did you mean 'shape'"),
        ({"worlds": ("sprite",)}, "Did you mean 'sprites'"),
        ({"worlds": ("shapes3d",)}, "--data shapes3d=PATH"),
        ({"images": 20}, "too few images for the split"),
    ],
)
def test_worlds_and_factors_are_looked_at_before_anything_is_made(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        table_of(tmp_path, replace(TABLE, **options))


def test_files_are_given_by_name_and_known_by_their_content(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="NAME=PATH"):
        replace(TABLE, data=("shapes3d",)).with_digest()
    folder = tmp_path / "norb"
    folder.mkdir()
    (folder / "a.mat").write_bytes(b"one")
    config = replace(TABLE, data=(f"smallnorb={folder}",))
    before = config.with_digest()
    assert before.sources[-1][:2] == ("smallnorb", str(folder))
    (folder / "a.mat").write_bytes(b"two")
    assert config.with_digest().digests != before.digests
