"""The whole study on stand-in images with the real names and annotations."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from benchmarks.imagenet_x_images import write_stand_ins
from tests.commands import refused

from identikit.core.errors import InputError
from identikit.features.shards import read_keys
from identikit.report.page import render
from identikit.runs.store import Run
from identikit.runs.study import run_and_report, run_study
from identikit.studies.paper.imagenet_x import run as run_module
from identikit.studies.paper.imagenet_x.config import ImageNetXConfig
from identikit.studies.paper.imagenet_x.reading import Reading, network_features, projected
from identikit.studies.paper.imagenet_x.result import Represented
from identikit.studies.paper.imagenet_x.run import load_shards
from identikit.studies.paper.imagenet_x.study import IMAGENET_X
from identikit.worlds.imagenet_x import ImageNetX, file_name_of, number_of

COUNT = 160
TARGETS = ("background", "pattern", "color")
"""Few of them, for speed."""
MODEL = "timm:test_resnet"


@pytest.fixture(scope="module", autouse=True)
def _few_targets() -> Iterator[None]:
    whole = run_module.usable

    def few(annotations: ImageNetX) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
        kept, _ = whole(annotations)
        targets = {name: kept[name] for name in TARGETS if name in kept}
        return targets, tuple(name for name in annotations.targets() if name not in targets)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "usable", few)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_stand_ins(folder, count=COUNT, by_class=True)
    return folder


@pytest.fixture(scope="module")
def config(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageNetXConfig:
    """A network with local weights for trained ones."""
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(5)
        weights = timm.create_model("test_resnet").state_dict()
    file = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(weights, file)
    return ImageNetXConfig(
        images=folder,
        partial=True,
        models=(MODEL,),
        checkpoint=(f"{MODEL}={file}",),
        pixels=8,
        projection=64,
        repetitions=2,
        resamples=100,
        device="cpu",
        workers=0,
    ).with_digest()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(config: ImageNetXConfig, root: Path) -> Run:
    return run_and_report(IMAGENET_X, config, root=root).run


def test_every_representation_is_probed_both_ways(run: Run) -> None:
    result = IMAGENET_X.read(run)
    roles = {each.name: (each.role, each.dim) for each in result.represented}
    assert roles == {
        "test_resnet trained": ("trained", 96),
        "test_resnet trained, head row space": ("head row space", 96),  # the head reads all of it
        "test_resnet untrained": ("untrained", 96),
        "pixels": ("pixels", 192),
        "projected pixels": ("projection", 64),
        "class alone": ("class", 1000),
    }
    published = {each.name for each in result.represented if each.published}
    assert published == {"test_resnet trained", "test_resnet untrained", "projected pixels"}
    assert result.images == COUNT
    assert result.annotated == 46_110
    assert result.targets == TARGETS
    assert set(result.left_out) == set(result.positives) - set(result.targets)


def test_what_was_drawn_is_found_and_what_was_not_is_not(run: Run) -> None:
    result = IMAGENET_X.read(run)
    pixels, network = result.of("pixels"), result.of("untrained")
    assert pixels is not None
    assert network is not None
    assert network.corrected["pattern"].accuracy.value > 0.9
    assert pixels.corrected["pattern"].accuracy.value < 0.75  # stripes at any phase have no mean
    assert pixels.corrected["background"].accuracy.value > 0.9
    assert not network.corrected["color"].enough


@pytest.mark.drawn
def test_the_page_says_what_is_missing_and_whose_annotations_they_are(run: Run) -> None:
    page = IMAGENET_X.page_of(run)
    words = render(page)
    assert "Part of the set: 160 of 46,110" in words
    assert "CC BY-NC" in words
    assert "no conclusion" in words
    assert "imagenet-x" in run.origin["command"]
    assert page.headline.tone != "good"
    assert (run.path / "report.html").exists()


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_same_numbers(
    config: ImageNetXConfig, run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features are found where the first run left them, and so is what was read out."""
    again = replace(config, resamples=101)
    steps: list[int] = []

    def stop(progress: object) -> None:
        steps.append(progress.step)  # type: ignore[attr-defined]
        if getattr(progress, "steps", 0) < COUNT and steps[-1] == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_and_report(IMAGENET_X, again, root=root, tell=stop)
    assert steps[0] == COUNT  # no image was encoded again
    (kept,) = root.glob(".*.partial")
    assert [path.name for path in (kept / "checkpoint").iterdir()] == ["test_resnet-trained.json"]
    resumed: list[int] = []
    found = run_and_report(IMAGENET_X, again, root=root, tell=lambda p: resumed.append(p.step)).run
    assert resumed[1] > 5
    theirs = IMAGENET_X.read(run).represented
    mine = IMAGENET_X.read(found).represented
    for a, b in zip(mine, theirs, strict=True):
        assert {n: r.scores for n, r in a.corrected.items()} == {
            n: r.scores for n, r in b.corrected.items()
        }


def copy_of(folder: Path, target: Path, count: int = 60) -> list[Path]:
    """Some of the images in a flat folder."""
    target.mkdir()
    chosen = sorted(folder.rglob("*.JPEG"))[:count]
    return [Path(shutil.copy(path, target)) for path in chosen]


def test_a_corrupt_image_stops_the_run_or_is_listed(
    config: ImageNetXConfig, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Represented(
        name="net", role="untrained", model="net", dim=1, corrected={}, published={}
    )
    monkeypatch.setattr(Reading, "read", lambda *_, **__: (nothing,))
    paths = copy_of(folder, tmp_path / "val")
    paths[7].write_bytes(paths[7].read_bytes()[:300])
    changed = replace(config, images=tmp_path / "val").with_digest()
    with pytest.raises(InputError, match=paths[7].name):
        run_study(IMAGENET_X, changed, root=tmp_path / "runs")
    skipping = replace(changed, skip_corrupt=True)
    result = run_study(IMAGENET_X, skipping, root=tmp_path / "runs").result
    assert result.damaged == (paths[7].name,)
    assert result.images == 59


def test_rows_are_matched_to_annotations_by_name(run: Run, folder: Path, root: Path) -> None:
    """Class folders are in another order than the images' numbers."""
    (features,) = (path for path in (root / "features").iterdir() if path.is_dir())
    numbers = [number_of(Path(key).name) for key in read_keys(features)]
    assert numbers != sorted(numbers)
    assert len(load_shards(features)) == COUNT
    result = IMAGENET_X.read(run)
    pixels = result.of("pixels")
    assert pixels is not None
    assert pixels.corrected["background"].accuracy.value > 0.8  # by chance if rows were mixed up


def test_parts_inside_and_outside_the_head() -> None:
    generator = torch.Generator().manual_seed(0)
    h, head = torch.randn(50, 6, generator=generator), torch.randn(4, 6, generator=generator)
    whole, covered, rest = network_features("net", "net", lambda: h, head)
    assert [each.role for each in (whole, covered, rest)] == [
        "trained",
        "head row space",
        "complement",
    ]
    assert covered.load().shape == (50, 3)
    inside, outside = covered.load(), rest.load()
    torch.testing.assert_close(
        inside.square().sum(1) + outside.square().sum(1), h.square().sum(1), rtol=1e-5, atol=1e-5
    )
    assert len(list(network_features("net", "net", lambda: h, None))) == 1
    torch.testing.assert_close(projected(h, dim=3, seed=1), projected(h, dim=3, seed=1))
    assert not torch.equal(projected(h, dim=3, seed=1), projected(h, dim=3, seed=2))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"models": ()}, "one or more"),
        ({"repetitions": 1}, "repetitions must be at least 2"),
        ({"test_share": 1.0}, "between 0 and 1"),
        ({"checkpoint": ("timm:other=a.pth",)}, "MODEL=FILE with a model of --models"),
        ({"untrained": True}, "contradict"),
    ],
)
def test_options_that_cannot_be(
    config: ImageNetXConfig, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        replace(config, **changes)  # type: ignore[arg-type]


def test_the_command_says_what_is_wrong_with_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("reproduce", "imagenet-x", "--images")
    words = refused(capsys, *command, str(folder), "--untrained")
    assert f"lacks {46_110 - COUNT:,} of 46,110 images" in words
    assert "--partial" in words
    (tmp_path / "n01440764_10026.JPEG").touch()
    assert "training images" in refused(capsys, *command, str(tmp_path), "--partial")
    assert "not a folder" in refused(capsys, *command, str(tmp_path / "no"), "--partial")


def test_stand_ins_have_real_names_and_are_always_the_same(folder: Path, tmp_path: Path) -> None:
    again = write_stand_ins(tmp_path, count=COUNT)[0]
    twin = next(folder.rglob(again.name))
    assert again.name == file_name_of(number_of(again.name))
    assert again.read_bytes() == twin.read_bytes()
