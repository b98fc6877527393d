"""DIET in pixels: what is held out, what is read out of known features, and what may be said."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from tests.studies.genealogy.test_genealogy import CELL
from tests.worlds.eth80_file import SIDE, N, content, write
from torch import Tensor
from torch.nn.functional import one_hot

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.finding import Finding, Verdict
from identikit.features.shards import (
    Manifest,
    describe_shard,
    shard_file,
    write_keys,
    write_manifest,
    write_shard,
)
from identikit.runs.lookup import page_of
from identikit.runs.run_config import run
from identikit.runs.study import Done, run_study
from identikit.studies.diet_pixels.config import (
    BUDGETS,
    REFERENCE,
    DietPixelsConfig,
    PhotographsConfig,
)
from identikit.studies.diet_pixels.page import sections_of
from identikit.studies.diet_pixels.photographs import (
    Photographs,
    load_photographs,
    read_out,
)
from identikit.studies.diet_pixels.result import (
    DietPixelsResult,
    FailedTraining,
    PhotographsRecord,
    PhotographsResult,
)
from identikit.studies.diet_pixels.study import DIET_PIXELS
from identikit.studies.genealogy.result import CellRecord, GenealogyResult

NO_WORLDS = GenealogyResult(status="completed", failed=0, found=0, cells=())


@pytest.fixture
def eth80(tmp_path: Path) -> Path:
    return write(tmp_path / "eth80.zip", content())


@pytest.fixture
def coil20(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (1440, 1024), dtype=np.uint8)
    path = tmp_path / "coil20.mat"
    savemat(path, {"X": pixels, "Y": np.repeat(np.arange(1, 21, dtype=np.uint8), 72)[:, None]})
    return path


# What is held out, and what is read out


def test_every_image_is_held_out_by_one_of_four_seeds(eth80: Path, coil20: Path) -> None:
    for data, file in {"eth80": eth80, "coil20": coil20}.items():
        photographs = load_photographs(data, file, size=SIDE)
        for kind in ("views", "objects"):
            held = torch.stack([photographs.held_out(kind, seed=seed) for seed in range(4)])
            assert (held.sum(0) == 1).all()
            assert torch.equal(held[1], photographs.held_out(kind, seed=5))
            group = getattr(photographs, kind)
            for part in held:
                assert not set(group[part].tolist()) & set(group[~part].tolist())


def test_arcs_of_the_turntable_are_held_out_whole_and_evenly(coil20: Path) -> None:
    photographs = load_photographs("coil20", coil20, size=SIDE)
    azimuth = photographs.factors["azimuth"].values[:72]
    held = azimuth[photographs.held_out("views", seed=0)[:72]]
    assert held.tolist() == [*range(5, 35, 5), *range(125, 155, 5), *range(245, 275, 5)]


def test_a_new_object_is_none_of_those_seen(eth80: Path) -> None:
    photographs = load_photographs("eth80", eth80, size=SIDE)
    assert photographs.read("objects") == ("category", "angle_from_vertical", "azimuth")
    assert photographs.read("views")[:2] == ("category", "object")


def told(photographs: Photographs) -> Tensor:
    """Features that say every factor, linearly."""
    columns = []
    for factor in photographs.factors.values():
        values = factor.values.double().nan_to_num()
        if factor.period is not None:
            turn = values * 2 * torch.pi / factor.period
            columns += [turn.cos()[:, None], turn.sin()[:, None]]
        else:
            categorical = factor.levels or factor.name == "object"
            columns.append(one_hot(values.long()).double() if categorical else values[:, None])
    return torch.cat(columns, dim=1)


@pytest.mark.parametrize("held_out", ["views", "objects"])
def test_features_that_say_a_factor_score_one_and_noise_scores_chance(
    held_out: str, eth80: Path
) -> None:
    photographs = load_photographs("eth80", eth80, size=SIDE)
    scores = read_out(told(photographs), photographs, held_out, seed=0)
    assert scores == pytest.approx(dict.fromkeys(photographs.read(held_out), 1.0), abs=1e-3)
    noise = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
    lost = read_out(noise, photographs, held_out, seed=0)
    assert lost["angle_from_vertical"] < 0.3
    assert lost["category"] < 0.8


def test_what_is_said_of_seen_images_alone_is_not_scored(eth80: Path) -> None:
    photographs = load_photographs("eth80", eth80, size=SIDE)
    h = told(photographs)
    h[photographs.held_out("objects", seed=1)] = 0.0
    scores = read_out(h, photographs, "objects", seed=1)
    assert scores["category"] == pytest.approx(0.5)
    assert scores["angle_from_vertical"] < 0.1
    assert read_out(h, photographs, "objects", seed=0)["category"] > 0.5


def test_each_object_of_coil20_has_a_front_of_its_own(coil20: Path) -> None:
    """Known views of known objects are read by a map for each; of new objects there is no map."""
    photographs = load_photographs("coil20", coil20, size=SIDE)
    turn = photographs.factors["azimuth"].values.deg2rad() + 2.4 * photographs.objects
    h = torch.stack([turn.cos(), turn.sin()], dim=1)
    assert read_out(h, photographs, "views", seed=0)["azimuth"] == pytest.approx(1, abs=1e-6)
    assert read_out(h, photographs, "objects", seed=0)["azimuth"] < 0.1


def test_a_factor_that_does_not_vary_in_what_is_held_out_is_named(eth80: Path) -> None:
    photographs = load_photographs("eth80", eth80, size=SIDE)
    angle = photographs.factors["angle_from_vertical"]
    held = photographs.held_out("views", seed=2)
    flat = replace(angle, values=torch.where(held, 90.0, angle.values))
    still = replace(photographs, factors=Factors([flat]))
    with pytest.raises(InputError, match="angle_from_vertical has one value in the quarter of"):
        read_out(torch.randn(N, 4), still, "views", seed=2)


# What may be said


def record(
    condition: str,
    seed: int,
    scores: dict[str, float],
    *,
    data: str = "eth80",
    held_out: str = "views",
    pixels: float = 0.5,
    untrained: float = 0.4,
) -> PhotographsRecord:
    controls = {"pixels": pixels, "untrained": untrained}
    if condition == REFERENCE:
        del controls["untrained"]
    found = {"h": scores} | {name: dict.fromkeys(scores, v) for name, v in controls.items()}
    result = PhotographsResult(
        status="completed",
        scores=found,
        measures=dict.fromkeys(scores, "R²"),
        chances=dict.fromkeys(scores, 0.0),
        history=({"step": 1, "seconds": 1.0, "loss": 2.0},),
    )
    return PhotographsRecord(
        data=data, held_out=held_out, condition=condition, seed=seed, path="", result=result
    )


def result(*records: PhotographsRecord | FailedTraining, **options: Any) -> DietPixelsResult:
    given: dict[str, Any] = {"status": "completed", "failed": 0, "found": 0, "worlds": NO_WORLDS}
    return DietPixelsResult(**given | options, photographs=records)


def runs(
    condition: str, values: Sequence[float], factor: str = "azimuth", **options: Any
) -> list[PhotographsRecord]:
    return [record(condition, seed, {factor: v}, **options) for seed, v in enumerate(values)]


def of(found: DietPixelsResult, quantity: str) -> Finding:
    return found[f"ETH-80, new views: {quantity}"]


CLEAR, EVEN, GONE = (0.80, 0.81, 0.79), (0.50, 0.52, 0.47), (0.01, -0.02, 0.00)


def test_a_factor_is_found_where_it_is_clearly_above_both_controls() -> None:
    found = of(result(*runs("DIET", CLEAR)), "azimuth. DIET")
    assert found.verdict is Verdict.LEARNED
    assert found.predicted is None
    assert found.explained == (
        "The loss asks that images differ, along no line that theory names: clearly above pixels, "
        "untrained."
    )
    even = of(result(*runs("DIET", EVEN)), "azimuth. DIET")
    assert even.verdict is Verdict.NOT_LEARNED
    assert even.explained.endswith("not clearly above pixels.")
    gone = of(result(*runs("DIET", GONE)), "azimuth. DIET")
    assert gone.verdict is Verdict.NOT_SHOWN
    assert gone.explained.endswith(
        "there is more of it in pixels, untrained, and the interval over seeds reaches chance."
    )


def test_one_seed_has_no_interval_and_claims_nothing() -> None:
    alone = result(*runs("DIET", CLEAR[:1]), *runs("DIET, augmented", CLEAR[:1]))
    found = of(alone, "azimuth. DIET")
    assert found.verdict is Verdict.UNDECIDED
    assert found.explained.endswith("one seed has no interval.")
    assert alone.differences == ()
    assert alone.headline.sentence == "Of photographs nothing is claimed: one seed has no interval."
    assert alone.headline.word == "Measured"


def test_what_is_taught_is_predicted_on_new_views_and_not_of_new_objects() -> None:
    taught = {"factor": "category"}
    views = result(*runs("supervised by object", (0.999, 0.998, 0.999), **taught))
    found = of(views, "category. supervised by object")
    assert (found.predicted, found.verdict) == (1.0, Verdict.AS_PREDICTED)
    assert found.explained.startswith("What the loss asks for:")
    other = of(
        result(*runs("supervised by category", CLEAR, factor="object")),
        "object. supervised by category",
    )
    assert (other.predicted, other.verdict) == (None, Verdict.LEARNED)
    assert other.explained.startswith("The loss asks nothing of it:")
    new = result(*runs("supervised by category", CLEAR, held_out="objects", **taught)).findings[0]
    assert (new.predicted, new.verdict) == (None, Verdict.LEARNED)
    assert new.explained.startswith("What the loss asks for:")


def test_of_new_objects_of_coil20_no_azimuth_is_expected() -> None:
    where = {"data": "coil20", "held_out": "objects"}
    (found,) = result(*runs("DIET", GONE, **where)).findings
    assert found.explained.startswith("Every object counts its azimuth from a front of its own")
    (views,) = result(*runs("DIET", GONE, data="coil20")).findings
    assert "front" not in views.explained
    (eth80,) = result(*runs("DIET", GONE, held_out="objects")).findings
    assert "front" not in eth80.explained


def test_a_reference_has_pixels_beside_it_and_was_taught_other_classes() -> None:
    found = of(result(*runs(REFERENCE, CLEAR)), f"azimuth. {REFERENCE}")
    assert [control.name for control in found.controls] == ["pixels"]
    assert found.explained == "Taught other images' classes: clearly above pixels."


def test_what_augmentation_costs_is_said_where_it_costs_something() -> None:
    name = "azimuth. DIET, augmented, less DIET"
    mirrored = "An image and its mirror image share a label"
    less = of(result(*runs("DIET", CLEAR), *runs("DIET, augmented", EVEN)), name)
    assert less.recovered is not None
    assert less.explained.startswith("DIET, augmented has clearly less of it. " + mirrored)
    more = of(result(*runs("DIET", EVEN), *runs("DIET, augmented", CLEAR)), name)
    assert more.explained == "DIET, augmented has clearly more of it."
    even = of(result(*runs("DIET", EVEN), *runs("DIET, augmented", (0.52, 0.49, 0.51))), name)
    assert even.explained == "No difference that 3 seeds show."
    category = result(
        *runs("DIET", CLEAR, factor="category"), *runs("DIET, augmented", EVEN, factor="category")
    )
    assert mirrored not in of(category, name.replace("azimuth", "category")).explained
    taught = result(*runs("DIET", EVEN), *runs("supervised by object", CLEAR))
    found = of(taught, "azimuth. DIET, less supervised by object")
    assert found.explained == "DIET has clearly less of it."


def test_conditions_of_other_seeds_are_not_compared() -> None:
    found = result(*runs("DIET", CLEAR), *runs("DIET, augmented", CLEAR)[1:])
    assert found.differences == ()


def test_the_headline_names_the_factors_that_diet_finds() -> None:
    objects = {"held_out": "objects"}
    part = result(
        *runs("DIET", CLEAR),
        *runs("DIET", EVEN, **objects),
        *runs("DIET, augmented", GONE, **objects),
        *runs("supervised by object", CLEAR, **objects),
    ).headline
    assert part.word == "Found in part"
    assert "finds 1 of 2 factors" in part.sentence
    assert "(ETH-80, new views: azimuth)" in part.sentence
    assert result(*runs("DIET", CLEAR)).headline.word == "Found"
    none = result(*runs("DIET", EVEN)).headline
    assert (none.word, none.tone) == ("Not found", "bad")
    assert "finds 0 of 1 factors clearly above pixels and untrained network" in none.sentence
    assert "rendered" not in none.sentence


def worlds() -> GenealogyResult:
    cells = tuple(
        CellRecord(world="sprites", objective=objective, seed=seed, path="", result=CELL)
        for objective in ("diet", "infonce")
        for seed in (0, 1)
    )
    return replace(NO_WORLDS, cells=cells)


def test_rendered_worlds_come_first_and_alone_make_a_headline() -> None:
    found = result(worlds=worlds())
    assert [f.quantity for f in found.findings] == ["sprites: DIET", "sprites: InfoNCE"]
    assert found.headline.word == "As predicted"
    assert found.headline.sentence.startswith("Of rendered worlds: All 2 cells")
    assert "photographs" not in found.headline.sentence


# Configs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": "laptob"}, "unknown budget 'laptob'. Did you mean 'laptop'"),
        ({"worlds": ("sprite",)}, "unknown world 'sprite'. Did you mean 'sprites'"),
        ({"worlds": ()}, "nothing to train on: give --worlds sprites, --coil20 coil20.mat"),
        ({"seeds": 0}, "seeds must be"),
        ({"steps": 0}, "steps must be"),
        ({"reference": Path("features")}, "give --eth80 FILE too"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        DietPixelsConfig(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": "eth8"}, "unknown data 'eth8'"),
        ({"condition": "SimCLR"}, "unknown condition 'SimCLR'"),
        ({"held_out": "view"}, "unknown held_out 'view'. Did you mean 'views'"),
        ({"batch_size": 1}, "batch_size must be"),
    ],
)
def test_a_training_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"data": "eth80", "condition": "DIET", "held_out": "views"}
    with pytest.raises(InputError, match=said):
        PhotographsConfig(**given | options, file=Path("eth80.zip"), sha256="")


def test_files_that_are_not_there_are_named(tmp_path: Path, eth80: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.mat"):
        DietPixelsConfig(coil20=tmp_path / "nowhere.mat").with_digest()
    config = DietPixelsConfig(eth80=eth80, reference=tmp_path / "nothing")
    with pytest.raises(InputError, match=r"nothing is not a folder of features\. Make it"):
        config.with_digest()


def test_the_cells_are_those_that_make_sense(eth80: Path, coil20: Path, tmp_path: Path) -> None:
    config = DietPixelsConfig(eth80=eth80, coil20=coil20, seeds=2, device="cpu").with_digest()
    assert len(config.world_cells) == 2 * 4 * 2
    assert {(c.world, c.objective) for c in config.world_cells if c.world[:5] == "rooms"} == {
        ("rooms", "supervised"),
        ("rooms", "diet"),
        ("rooms", "infonce"),
        ("rooms-pairs", "infonce"),
    }
    cells = config.photograph_cells
    assert len(cells) == 2 * 2 * (3 + 4)
    assert "supervised by category" not in {c.condition for c in cells if c.data == "coil20"}
    assert len({cell.label for cell in cells}) == len(cells)
    (tmp_path / "features").mkdir()
    beside = replace(config, reference=tmp_path / "features").with_digest()
    added = set(beside.photograph_cells) - set(cells)  # those that were made are found
    assert {cell.condition for cell in added} == {REFERENCE}
    assert len(added) == 2 * 2


def test_a_budget_gives_way_to_what_is_asked_for() -> None:
    assert DietPixelsConfig().preset == BUDGETS["laptop"]
    asked = DietPixelsConfig(budget="full", seeds=2, steps=7).preset
    assert (asked.seeds, asked.steps, asked.world_steps) == (2, 7, 7)
    assert asked.model == BUDGETS["full"].model


# Runs


def training(eth80: Path, **options: Any) -> PhotographsConfig:
    given: dict[str, Any] = {"data": "eth80", "condition": "DIET", "held_out": "views"}
    given |= {"file": eth80, "sha256": "", "size": SIDE, "steps": 2, "batch_size": 16}
    return PhotographsConfig(**given | options)


def test_a_training_reads_out_h_and_its_controls(eth80: Path, tmp_path: Path) -> None:
    done = run(training(eth80, condition="supervised by object"), root=tmp_path)
    assert done.result.status == "completed"
    assert set(done.result.scores) == {"h", "untrained", "pixels"}
    assert done.result.chances["object"] == pytest.approx(1 / 8)
    assert done.result.measures["azimuth"] == "circular R²"
    assert len(done.result.history) == 2
    assert not done.run.checkpoint.exists()
    page = page_of(done.run)
    assert page.title == "ETH-80: supervised by object"
    assert [finding.verdict for finding in page.findings] == [Verdict.MEASURED] * 4


def features(folder: Path, keys: tuple[str, ...], h: Tensor) -> Path:
    folder.mkdir()
    write_shard(folder / shard_file(0), h.float().numpy())
    write_keys(folder, keys)
    write_manifest(
        folder,
        Manifest(
            finished=True,
            n=len(h),
            dim=h.shape[1],
            dtype="float32",
            shards=(describe_shard(folder / shard_file(0))[0],),
            controls={},
            head=None,
            settings={},
            versions={},
        ),
    )
    return folder


def test_features_that_are_given_are_joined_by_their_keys(eth80: Path, tmp_path: Path) -> None:
    photographs = load_photographs("eth80", eth80, size=SIDE)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    keys = tuple(photographs.keys[k] for k in order.tolist())
    given = features(tmp_path / "given", keys, told(photographs)[order])
    config = training(eth80, condition=REFERENCE, features=given, held_out="objects")
    found = run(config, root=tmp_path).result
    assert set(found.scores) == {"h", "pixels"}
    assert found.scores["h"]["azimuth"] == pytest.approx(1, abs=1e-3)
    assert found.history == ()
    few = features(tmp_path / "few", keys[:5], told(photographs)[order][:5])
    with pytest.raises(InputError, match="samples have no row in"):
        run(replace(config, features=few), root=tmp_path)


def test_the_page_has_a_table_and_bars_for_each_set_and_curves_of_worlds() -> None:
    found = result(
        *runs("DIET", CLEAR),
        *runs(REFERENCE, CLEAR),
        FailedTraining(label="eth80-DIET-views-s3", error="no memory"),
        worlds=worlds(),
    )
    sections = sections_of(found)
    assert [section.heading for section in sections] == [
        "Rendered worlds",
        "ETH-80, new views",
        "Trainings without a result",
    ]
    figures = {figure.name for section in sections for figure in section.figures}
    assert figures == {"excess-sprites", "eth80-views"}
    frame = sections[1].tables[0].frame
    assert list(frame.columns) == ["factor", "chance", "DIET", REFERENCE, "pixels", "untrained"]
    assert sections[2].tables[0].frame["why"].tolist() == ["no memory"]


@pytest.mark.slow
def test_a_table_finds_the_trainings_that_were_made(eth80: Path, tmp_path: Path) -> None:
    def made(**options: Any) -> Done[DietPixelsResult]:
        config = DietPixelsConfig(worlds=(), eth80=eth80, steps=1, **options).with_digest()
        return run_study(DIET_PIXELS, config, root=tmp_path, open_executor=one_thread)

    first = made(seeds=1)
    assert first.result.status == "completed"
    assert (first.result.found, len(first.result.photographs)) == (0, 8)
    both = made(seeds=2)
    assert (both.result.found, len(both.result.photographs)) == (8, 16)
    assert len(both.result.findings) == (4 + 3) * 4 + (4 + 3) * 3
    page = page_of(both.run)
    assert page.findings == both.result.findings
    assert page.subtitle == "Budget laptop; seeds 0 to 1."


def one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)
