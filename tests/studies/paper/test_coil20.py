"""The COIL-20 study: splits, linear probes on known cases, draws, results on disk and the page."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.finding import Verdict
from identikit.report.page import render
from identikit.runs.study import Done, run_and_report, run_study
from identikit.studies.paper.coil20 import run as run_module
from identikit.studies.paper.coil20.config import Coil20Config, Objective
from identikit.studies.paper.coil20.linear_probes import (
    Parts,
    ProbePredictions,
    symmetry_prediction,
    within_share,
)
from identikit.studies.paper.coil20.result import (
    CONTROLS,
    Coil20Result,
    Leads,
    Scores,
    Training,
)
from identikit.studies.paper.coil20.run import Draws, run_coil20, shifted
from identikit.studies.paper.coil20.study import COIL20
from identikit.training.fit import fit_network
from identikit.worlds.coil20 import Coil20, load_coil20
from identikit.worlds.constants import AZIMUTHS, OBJECTS

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "coil20.mat"
ARCS = Parts.of(arc_degrees=30, margin_degrees=5, folds=4)
SINGLES = Parts.of(arc_degrees=5, margin_degrees=0, folds=4)


def turning_blobs(*, symmetric: int = 0) -> Coil20:
    """Objects that are a bright blob going round; the first few look the same from behind."""
    angle = torch.arange(1, AZIMUTHS + 1) * 2 * torch.pi / AZIMUTHS
    grid = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"), -1)
    images = []
    for o in range(OBJECTS):
        turns = 2 if o < symmetric else 1
        at = torch.stack([(turns * angle).cos(), (turns * angle).sin()], 1) * 7 + 15.5
        blob = (-(grid - at[:, None, None]).square().sum(-1) / 40).exp() * 0.5
        blob[:, o, :3] += 0.3  # tells the objects apart
        images.append(blob)
    n = OBJECTS * AZIMUTHS
    return Coil20(
        images=torch.cat(images),
        object=torch.arange(n) // AZIMUTHS,
        azimuth_deg=(torch.arange(n) % AZIMUTHS + 1).double() * 5,
    )


def blob_file(folder: Path) -> Path:
    pixels = (turning_blobs().images * 255).byte().transpose(1, 2).reshape(-1, 1024).numpy()
    path = folder / "blobs.mat"
    savemat(path, {"X": pixels, "Y": np.repeat(np.arange(1, 21), 72)[:, None]})
    return path


def small(data: Path) -> Coil20Config:
    return Coil20Config(
        data=str(data),
        objectives=("supervised", "diet"),
        folds=3,
        seeds=1,
        steps=10,
        diet_steps=5,
        batch_size=16,
        dim=24,
        width=2,
        resamples=100,
    )


# -- which azimuths are seen ------------------------------------------------------------


@pytest.mark.parametrize("parts", [ARCS, SINGLES])
def test_every_azimuth_is_held_out_once_and_the_margin_is_kept(parts: Parts) -> None:
    held = torch.stack([parts.held_out(fold) for fold in range(4)])
    assert (held.sum(0) == 1).all()
    for fold in range(4):
        a, b = parts.held_out(fold).nonzero(), parts.seen(fold).nonzero()
        steps = (a - b.T).abs()
        assert torch.minimum(steps, 72 - steps).min() == parts.margin + 1


@pytest.mark.parametrize("parts", [ARCS, SINGLES])
def test_a_constant_gains_nothing_from_the_split(parts: Parts) -> None:
    circle = turning_blobs().circle()[:72]
    for fold in range(4):
        assert circle[parts.seen(fold)].mean(0).abs().max() < 1e-12
        assert circle[parts.held_out(fold)].mean(0).abs().max() < 1e-12


def test_inner_splits_stay_inside_the_seen_part_and_keep_the_margin() -> None:
    split, inner = ARCS.split(1, objects=3)
    assert len(inner) == 3
    assert not np.intersect1d(split.train, split.test).size
    for part in inner:
        fit, scored = split.train[part.train], split.train[part.test]
        same_object = fit[:, None] // 72 == scored // 72
        steps = (fit[:, None] - scored).abs() % 72
        apart = torch.minimum(steps, 72 - steps)
        assert apart[same_object].min() == ARCS.margin + 1


# -- linear probes whose answer is known ----------------------------------------------------


def predictions(h: torch.Tensor, data: Coil20, parts: Parts = ARCS) -> ProbePredictions:
    found = ProbePredictions.empty(seeds=1, folds=4)
    for fold in range(4):
        found.fill(h, data, parts, seed=0, fold=fold)
    return found


def r2(prediction: torch.Tensor, data: Coil20) -> float:
    return float(1 - (prediction[0].double() - data.circle()).square().sum(1).mean())


def test_an_affine_image_of_the_factors_is_recovered_whole() -> None:
    data = turning_blobs()
    generator = torch.Generator().manual_seed(0)
    z = torch.cat([data.circle(), torch.eye(20, dtype=torch.float64)[data.object]], 1)
    h = z @ torch.randn(22, 200, generator=generator, dtype=torch.float64) * 1e-3 + 7
    found = predictions(h, data)
    assert r2(found.azimuth, data) > 0.9999
    assert r2(found.pooled, data) > 0.9999
    assert bool((found.object[0] == data.object).all())


def test_noise_scores_about_zero_and_chance() -> None:
    data = turning_blobs()
    found = predictions(torch.randn(1440, 64, generator=torch.Generator().manual_seed(0)), data)
    assert -0.1 < r2(found.azimuth, data) < 0.05
    assert -0.02 < r2(found.pooled, data) < 0.02
    assert (found.object[0] == data.object).double().mean() < 0.1


def test_a_front_of_its_own_for_each_object_defeats_one_map_for_all() -> None:
    data = turning_blobs()
    start = torch.rand(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    angle = data.azimuth_deg.deg2rad() + 2 * torch.pi * start[data.object]
    found = predictions(torch.stack([angle.cos(), angle.sin()], 1), data)
    assert r2(found.azimuth, data) > 0.999
    assert r2(found.pooled, data) < 0.3


def test_azimuths_one_by_one_are_easier_than_arcs() -> None:
    # the same features: neighbours give an image away, a far end of an arc has none
    data = turning_blobs()
    wiggle = torch.stack([(k * data.azimuth_deg.deg2rad()).cos() for k in range(3, 9)], 1)
    arcs, singles = (predictions(wiggle, data, parts) for parts in (ARCS, SINGLES))
    assert r2(singles.azimuth, data) > r2(arcs.azimuth, data) - 0.02


def test_symmetry_predicts_which_azimuths_can_be_told() -> None:
    leaves = symmetry_prediction(turning_blobs(symmetric=5), ARCS)
    assert (leaves[:5] < 0.1).all()  # the far side looks the same
    assert (leaves[5:] > 0.95).all()


def test_variance_within_groups() -> None:
    group = torch.arange(200) % 4
    means = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))[group]
    noise = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    assert within_share(means, group) == pytest.approx(0, abs=1e-12)
    assert 0.95 < within_share(noise, group) <= 1


# -- draws ------------------------------------------------------------------------------


def test_shifts_move_images_and_let_black_in() -> None:
    image = torch.zeros(500, 8, 8)
    image[:, 3, 4] = 1
    moved = shifted(image, by=2, generator=torch.Generator().manual_seed(0))
    at = moved.flatten(1).argmax(1)
    assert (moved.sum((1, 2)) == 1).all()
    assert set((at // 8).tolist()) == {1, 2, 3, 4, 5}
    assert set((at % 8).tolist()) == {2, 3, 4, 5, 6}


def test_no_draw_shows_a_held_out_azimuth_and_turns_stay_near() -> None:
    data = turning_blobs()
    marked = torch.arange(1440.0)[:, None, None].expand(-1, 32, 32) / 1440  # row in every pixel
    data = Coil20(images=marked, object=data.object, azimuth_deg=data.azimuth_deg)
    config = Coil20Config(data="", shift=0, brightness=0.0, turn_kappa=20.0)
    for fold in range(4):
        draw = Draws.of(config, data, fold=fold, objective="diet-turned")
        x, label = draw(4000, torch.Generator().manual_seed(0))
        row = (x[:, 0, 0] * 1440).round().long()
        assert Parts.of_run(config).seen(fold)[row % 72].all()
        own = Parts.of_run(config).seen(fold).repeat(20).nonzero().flatten()[label]
        assert (own // 72 == row // 72).all()
        turn = (data.azimuth_deg[row] - data.azimuth_deg[own]).deg2rad()
        assert 0.9 < turn.cos().mean() < 1  # far round the circle: hardly ever
        assert turn.sin().mean().abs() < 0.05


def test_labels_are_objects_or_images() -> None:
    data, config = turning_blobs(), Coil20Config(data="")
    assert Draws.of(config, data, fold=0, objective="supervised").labels == 20
    diet = Draws.of(config, data, fold=0, objective="diet")
    assert diet.labels == 20 * int(Parts.of_run(config).seen(0).sum())
    assert diet.label.unique().numel() == diet.labels


# -- what is said -----------------------------------------------------------------------


def about(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05)


def said(
    azimuth: dict[str, float], *, objectives: tuple[Objective, ...] = ("supervised",)
) -> Coil20Result:
    """A result with these azimuth R²; all other scores are 0.5."""
    scores = {
        name: Scores(
            azimuth=about(value),
            azimuth_by_object=(about(value),) * OBJECTS,
            azimuth_by_seed=(value,),
            pooled=about(0.5),
            object=about(0.5),
            within_share=0.5,
        )
        for name, value in azimuth.items()
    }
    leads = {
        a: {
            b: Leads(azimuth=about(azimuth[a] - azimuth[b]), pooled=about(0.0), object=about(0.0))
            for b in azimuth
        }
        for a in azimuth
    }
    return Coil20Result(
        objectives=objectives,
        dim=24,
        scores=scores,
        leads=leads,
        symmetry=(0.7,) * OBJECTS,
        symmetry_correlations=dict.fromkeys(azimuth, 0.5),
        training={o: Training(labels=20, ranks=[19], histories=[[]]) for o in objectives},
        seconds=1.0,
    )


LOW = dict.fromkeys(CONTROLS, 0.2) | {"supervised": 0.5}


@pytest.mark.parametrize(
    ("azimuth", "verdict", "tone", "words"),
    [
        (LOW, Verdict.LEARNED, "good", "is learned: clearly above pixels, random projection, un"),
        (
            LOW | {"pixels": 0.7},
            Verdict.NOT_LEARNED,
            "warning",
            "not learned: there is more of it in pixels",
        ),
        (LOW | {"untrained": 0.5}, Verdict.NOT_LEARNED, "warning", "not clearly above untrained."),
        (LOW | {"supervised": 0.04}, Verdict.NOT_SHOWN, "neutral", "the interval reaches chance."),
    ],
)
def test_the_azimuth_is_called_learned_only_above_every_control(
    azimuth: dict[str, float], verdict: Verdict, tone: str, words: str
) -> None:
    result = said(azimuth)
    assert result.headline.tone == tone
    assert words in result.headline.sentence
    assert ("is learned" in result.headline.sentence) == (verdict is Verdict.LEARNED)
    (whole,) = (f for f in result.findings if "whole h" in f.quantity)
    assert whole.verdict is verdict


def test_theory_predicts_the_object_and_turned_draws_but_nothing_of_the_head_row_space() -> None:
    parts = {f"supervised, {part}": 0.4 for part in ("head row space", "random part")}
    result = said(
        LOW | {"diet": 0.5, "diet-turned": 0.5} | parts,
        objectives=("supervised", "diet", "diet-turned"),
    )
    predicted = {f.quantity: f.predicted for f in result.findings if f.predicted is not None}
    assert predicted == {
        "Object. Taught the object": 1.0,
        "Dimensions of h in the head row space. Taught the object": 19,
        "Azimuth of each object. DIET, turned draws": pytest.approx(0.7),
    }
    (inside,) = (f for f in result.findings if "R²" in f.measure and "row space" in f.quantity)
    assert [c.name for c in inside.controls] == ["random part", "untrained"]
    assert inside.verdict is Verdict.NOT_LEARNED
    assert inside.explained.startswith("Not clearly above random part.")


def test_scores_that_are_paired_are_judged_by_their_difference() -> None:
    result = said(LOW)
    (one_map,) = (f for f in result.findings if "one map" in f.quantity)
    assert one_map.verdict is Verdict.NOT_LEARNED
    ahead = replace(result.leads["supervised"]["pixels"], pooled=about(0.06))
    leads = result.leads | {"supervised": dict.fromkeys(CONTROLS, ahead)}
    (one_map,) = (f for f in replace(result, leads=leads).findings if "one map" in f.quantity)
    assert one_map.verdict is Verdict.LEARNED  # though the intervals overlap


# -- the whole run ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Coil20Config:
    return small(blob_file(tmp_path_factory.mktemp("data"))).with_digest()


@pytest.fixture(scope="module")
def steps() -> list[float]:
    """What share of its steps a run told, one after another."""
    return []


@pytest.fixture(scope="module")
def made(
    config: Coil20Config, steps: list[float], tmp_path_factory: pytest.TempPathFactory
) -> Done[Coil20Result]:
    """The whole run, without a page."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "EVALUATE_EVERY", 4)
        return run_study(COIL20, config, root=root, tell=lambda p: steps.append(p.step / p.steps))


@pytest.mark.drawn
def test_a_run_survives_the_disk_and_has_a_page(
    config: Coil20Config, made: Done[Coil20Result], steps: list[float]
) -> None:
    run, result = made.run, made.result
    assert not made.found
    assert steps == sorted(steps)
    assert steps[-1] == 1
    assert COIL20.read(run) == result
    scores = result.scores
    assert set(scores) >= {"pixels", "random projection", "untrained", *config.objectives}
    assert result.training["supervised"].ranks == [19] * 3
    assert result.training["diet"].ranks == [24] * 3
    assert "diet, head row space" not in scores  # all of h is
    assert scores["pixels"].azimuth.value > 0.9  # a blob's place is nearly linear in pixels
    assert 0 <= scores["supervised"].object.low <= scores["supervised"].object.high <= 1
    lead = result.leads["supervised"]["pixels"]
    for kind in ("azimuth", "pooled", "object"):
        ours, theirs, gap = (
            getattr(s, kind) for s in (scores["supervised"], scores["pixels"], lead)
        )
        assert gap.value == pytest.approx(ours.value - theirs.value)
    assert all(c.lead is not None for f in result.findings for c in f.controls)
    page = COIL20.page_of(run)
    html = render(page)
    assert "--data" in html
    assert "object 20" in html
    assert {figure.name for figure in page.figures} >= {"azimuth", "objects", "circle"}


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_bits(
    config: Coil20Config,
    made: Done[Coil20Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once while it trains, which Ctrl-C ends, and once while features are read out."""
    fits: list[int] = []

    def at_work(*args: Any, on_progress: Any, **options: Any) -> Any:
        fits.append(0)

        def watch(progress: Any) -> None:
            fits[-1] = progress.step
            if len(fits) == 2:
                os.kill(os.getpid(), signal.SIGINT)

        return fit_network(*args, **options | {"on_progress": watch})

    def killed(*args: Any, **options: Any) -> None:
        raise RuntimeError("out of memory")

    def done() -> Coil20Result:
        return run_study(COIL20, config, root=tmp_path).result

    monkeypatch.setattr(run_module, "EVALUATE_EVERY", 4)
    monkeypatch.setattr(run_module, "fit_network", at_work)
    with pytest.raises(KeyboardInterrupt):
        done()
    assert fits[1] < config.diet_steps
    with monkeypatch.context() as patch:
        patch.setattr(ProbePredictions, "fill", killed)
        with pytest.raises(RuntimeError, match="out of memory"):
            done()
    result = done()
    assert len(fits) == 2 + 1 + 5  # the first encoder was kept, the second one when trained
    assert fits[3] == 0
    assert not list(tmp_path.rglob("*.pt"))
    whole = made.result
    assert (whole.scores, whole.leads) == (result.scores, result.leads)
    for objective in config.objectives:
        one, other = (r.training[objective] for r in (whole, result))
        assert one.ranks == other.ranks
        losses = [[[r["loss"] for r in own] for own in t.histories] for t in (one, other)]
        assert losses[0] == losses[1]


@pytest.mark.slow
def test_one_objective_alone_makes_a_page(tmp_path: Path) -> None:
    config = Coil20Config(
        data=str(blob_file(tmp_path)),
        objectives=("diet-turned",),
        arc_degrees=5,
        margin_degrees=0,
        folds=3,
        seeds=1,
        diet_steps=2,
        batch_size=16,
        dim=16,
        width=2,
        resamples=100,
    )
    run = run_and_report(COIL20, config, out=tmp_path / "a").run
    assert "DIET, turned draws" in render(COIL20.page_of(run))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arc_degrees": 7}, "arc_degrees must be a multiple of 5"),
        ({"arc_degrees": 60}, "arc_degrees"),
        ({"margin_degrees": 30}, "margin_degrees"),
        ({"margin_degrees": 3}, "margin_degrees"),
        ({"folds": 3, "margin_degrees": 15}, "below 15"),
        ({"folds": 2}, "folds must be at least 3"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"shift": 16}, "shift must be below"),
        ({"brightness": -0.1}, "brightness must not be negative"),
        ({"turn_kappa": float("nan")}, "turn_kappa"),
        ({"objectives": ()}, "objectives"),
        ({"rate": 0.0}, "rate must be positive"),
        ({"resamples": 10}, "resamples"),
    ],
)
def test_settings_that_cannot_be_are_named_before_anything_is_read(
    change: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Coil20Config(data="none", **change)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason=f"the COIL-20 photographs are not there: {REAL}")
def test_on_the_photographs_the_object_is_kept_and_the_azimuth_is_not_gained() -> None:
    result = run_coil20(Coil20Config(data=str(REAL), objectives=("supervised",), seeds=1))
    scores = result.scores
    assert scores["supervised"].object.value > scores["pixels"].object.value
    assert scores["supervised"].azimuth.value < scores["pixels"].azimuth.value
    assert scores["supervised"].within_share < 0.5 * scores["pixels"].within_share
    assert result.symmetry_correlation("pixels") > 0.9


@pytest.mark.skipif(not REAL.exists(), reason=f"the COIL-20 photographs are not there: {REAL}")
def test_symmetry_of_the_photographs() -> None:
    leaves = symmetry_prediction(load_coil20(REAL), ARCS)
    duck, lucky_cat, toy_car = leaves[0], leaves[3], leaves[18]
    assert min(duck, lucky_cat) > 0.9 > 0.3 > toy_car  # a car's two sides look alike
