"""The Python door: every public name, light to import, typed, and thin."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import numpy as np
import pytest
import torch

import identikit as ik
from identikit.core.estimate import Estimate
from identikit.core.lazy import imported
from identikit.runs.lookup import study_for
from identikit.runs.registry import ENTRIES
from identikit.worlds.config import CONDITIONALS, WorldConfig, WorldOptions

DOORS: dict[str, Callable[..., ik.worlds.ClusterWorld]] = {
    "vmf": ik.worlds.VonMises,
    "normal": ik.worlds.Normal,
    "laplace": ik.worlds.Laplace,
    "generalized-normal": ik.worlds.GeneralizedNormal,
    "truncated-laplace": ik.worlds.TruncatedLaplace,
    "gaussian": ik.worlds.Gaussian,
}
OWNED = {"dim", "classes", "conditional"}.union(*(c.options for c in CONDITIONALS.values()))


def said_by(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_package_imports_nothing_that_it_does_not_need_yet() -> None:
    heavy = {"torch", "numpy", "pandas", "matplotlib", "plotly", "sklearn", "pydantic"}
    code = f"import sys, identikit as ik; dir(ik); print({heavy} & set(sys.modules))"
    assert said_by(code) == "set()"


@pytest.mark.parametrize("module", [ik, ik.worlds, ik.theory, ik.metrics])
def test_every_public_name_is_there(module: ModuleType) -> None:
    names = module.__all__
    assert set(names) <= set(dir(module))
    for name in names:
        assert getattr(module, name) is not None


def test_a_public_name_is_no_other_functions_or_classs_too() -> None:
    homes: dict[str, list[str]] = {}
    for path in Path(ik.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                homes.setdefault(node.name, []).append(path.name)
    assert {n: homes[n] for n in ik.__all__ if len(homes.get(n, [])) > 1} == {}


def test_a_type_checker_sees_the_names_that_are_there() -> None:
    for module in (ik, ik.worlds, ik.theory):
        source = Path(str(module.__file__)).read_text()
        checked = source.partition("if TYPE_CHECKING:")[2].partition("else:")[0]
        for name in module.__all__:
            assert name in checked, (module, name)
    assert (Path(ik.__file__).parent / "py.typed").exists()


def test_unknown_names_are_no_attributes() -> None:
    for module in (ik, ik.worlds, ik.theory):
        with pytest.raises(AttributeError, match="has no attribute 'scroe'"):
            getattr(module, "scroe")  # noqa: B009


def test_the_version_is_that_of_the_package() -> None:
    assert ik.__version__ == version("identikit")


def test_every_conditional_has_a_world_of_its_own() -> None:
    assert set(DOORS) <= set(CONDITIONALS)  # a new one is a `ClusterWorld` of its config at first
    for conditional, door in DOORS.items():
        world = door(dim=3, classes=7, generator="identity", seed=2)
        assert world.config == WorldConfig(
            dim=3, classes=7, conditional=conditional, generator="identity"
        )
        assert (world.n_labels, world.seed) == (7, 2)
        by_hand = ik.worlds.ClusterWorld(world.config, labels=7, seed=2)
        assert torch.equal(world.class_vectors, by_hand.class_vectors)
    assert ik.worlds.GeneralizedNormal(exponent=4.0, dim=3).config.exponent == 4.0
    assert ik.worlds.TruncatedLaplace(bound=1.5, dim=3).config.bound == 1.5
    assert ik.worlds.Gaussian(covariance="per-class", dim=3).config.covariance == "per-class"


def test_a_world_takes_every_option_that_no_conditional_owns() -> None:
    everything = {field.name for field in fields(WorldConfig)}
    hints = get_type_hints(WorldConfig)
    assert set(WorldOptions.__annotations__) == everything - OWNED
    assert all(hints[name] == kind for name, kind in get_type_hints(WorldOptions).items())


def test_kinds_by_function_are_kinds_by_word() -> None:
    assert ik.circular(360) == "circular:360.0"
    assert float(ik.circular(2 * np.pi).partition(":")[2]) == 2 * np.pi
    assert ik.ordinal("low", "mid", "high") == "ordinal:low,mid,high"
    for period in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ik.InputError, match="finite and positive"):
            ik.circular(period)
    for levels in (("low",), ("low", "low"), ("a,b", "c"), ("", "c")):
        with pytest.raises(ik.InputError, match="two or more different words"):
            ik.ordinal(*levels)


def test_score_takes_kinds_by_function() -> None:
    turn = torch.rand(400, generator=torch.Generator().manual_seed(0)).double() * 2 * torch.pi
    h = torch.stack([turn.cos(), turn.sin()], dim=1)
    recovery = ik.score(
        h, {"azimuth": turn.rad2deg()}, kinds={"azimuth": ik.circular(360)}, resamples=100
    )
    assert recovery.factors[0].kind is ik.Kind.CIRCULAR
    found = recovery["azimuth"].recovered
    assert isinstance(found, Estimate)
    assert found.value > 0.999


def test_the_ceiling_of_a_world_is_that_of_its_study() -> None:
    from identikit.studies.simulation.run import predict

    world = ik.worlds.VonMises(dim=2, classes=8, instances=16, generator="identity", seed=3)
    config = ik.SimulationConfig(world=world.config, instances=16, seed=3)
    ceiling = ik.theory.ceiling(world, seed=3)
    assert ceiling == predict(config).ceiling
    assert (
        ceiling.objective
        == "cross-entropy over 16 instances, free features and rows of 2 dimensions"
    )
    normed = ik.theory.ceiling(ik.worlds.VonMises(dim=2, classes=8), unit_rows=True, samples=512)
    assert "8 classes, unit-norm rows and free features of 2 dimensions" in normed.objective


def test_the_study_of_a_config_is_found_by_its_type() -> None:
    for entry in ENTRIES:
        assert imported(entry.config).__name__ == entry.config.partition(":")[2]
    assert study_for(ik.SimulationConfig()).name == "simulate"
    assert study_for(ik.ProbeConfig(features=(Path("h.npy"),))).name == "probe"
    with pytest.raises(ik.InputError, match=r"WorldConfig is no study's config.*ProbeConfig"):
        study_for(WorldConfig())


def test_a_run_by_its_config_is_found_again_and_says_what_the_command_says(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "f.npz", h=generator.normal(size=(200, 3)), size=generator.normal(size=200))
    config = ik.ProbeConfig(features=(tmp_path / "f.npz",), resamples=100)
    done = ik.run(config, root=tmp_path / "runs")
    again = ik.run(config, root=tmp_path / "runs")
    assert (done.found, again.found) == (False, True)
    assert [finding.quantity for finding in done.findings] == ["size"]
    assert again.findings == done.findings
    assert done["size"] == done.result["size"] == done.findings[0]
    assert repr(done) == repr(done.result)
    assert done.headline.sentence in " ".join(repr(done).split())
    assert "size" in done._repr_html_()
    assert "This command makes the same page again" in done.to_html()
    saved = json.loads((done.run.path / "result.json").read_text())
    assert saved["headline"]["sentence"] == done.headline.sentence
    (done.run.path / "result.json").write_text("{}")
    with pytest.warns(match=r"result\.json is not as it was written.*kept as .*\.damaged"):
        assert ik.run(config, root=tmp_path / "runs").findings == done.findings


@pytest.fixture(scope="module")
def world() -> ik.worlds.ClusterWorld:
    return ik.worlds.VonMises(dim=2, classes=12, generator="identity")


@pytest.fixture(scope="module")
def fitted(world: ik.worlds.ClusterWorld) -> ik.Fitted:
    return ik.fit(world, steps=200, samples=2048)


def test_a_fit_is_the_training_of_the_study(
    world: ik.worlds.ClusterWorld, fitted: ik.Fitted
) -> None:
    from identikit.studies.simulation.recipe_choice import choose_recipe
    from identikit.studies.simulation.run import simulate
    from identikit.training.recipes import recipe

    chosen = recipe(choose_recipe(world.config)[0])
    config = ik.SimulationConfig(
        objective="supervised",
        world=world.config,
        test_samples=2048,
        encoder=chosen.encoder,
        head=chosen.head,
        training=replace(chosen.training, steps=200),
    )
    done = simulate(config).result
    assert fitted.history[-1]["r2"] == done.history[-1]["r2"]
    found = ik.explain(world, fitted.encoder, fitted.head, samples=2048)
    assert found.r2_latents == pytest.approx(done.r2_latents, abs=1e-5)
    assert found.excess_loss == pytest.approx(done.excess_loss, abs=1e-5)
    assert found.prediction == done.prediction
    assert [f.quantity for f in found.findings] == [f.quantity for f in done.findings]
    assert found.explanation == done.explanation


def test_a_fit_that_has_not_arrived_begins_again() -> None:
    """As `identikit simulate` does."""
    from identikit.studies.simulation.run import simulate
    from identikit.training.config import TrainingConfig
    from identikit.training.recipes import Recipe

    world = ik.worlds.VonMises(dim=2, classes=6, generator="identity")
    hasty = TrainingConfig(steps=8, batch_size=64, starts=3)
    fitted = ik.fit(world, recipe=Recipe(training=hasty), samples=256)
    assert (fitted.starts, fitted.steps) == (3, 24)
    config = replace(fitted.config, objective="supervised")
    done = simulate(config).result
    assert [r["step"] for r in fitted.history] == [r["step"] for r in done.history]
    ends = [start.excess for start in done.starts]
    best = ik.explain(world, fitted.encoder, fitted.head, samples=2048).excess_loss
    once = ik.fit(world, recipe=Recipe(training=replace(hasty, starts=1)), samples=256)
    first = ik.explain(world, once.encoder, once.head, samples=2048).excess_loss
    assert once.starts == 1
    assert best is not None
    assert first is not None
    assert best == pytest.approx(min(e for e in ends if e is not None), rel=0.2)
    assert best < first or ends[0] == min(e for e in ends if e is not None)


def test_a_network_that_knows_the_posterior_is_at_the_optimum(
    world: ik.worlds.ClusterWorld,
) -> None:
    """W = kappa v on the true latents is the exact posterior: nothing in excess, R² 1."""
    head = torch.nn.Linear(2, 12)
    with torch.no_grad():
        head.weight.copy_(world.config.kappa * world.class_vectors)
        head.bias.fill_(3.0)  # the same for all labels: no difference to the posterior
    encoder = torch.nn.Identity()
    found = ik.explain(world, encoder, head, samples=2048)
    assert encoder.training
    assert found.excess_loss == pytest.approx(0, abs=1e-9)
    assert found.recovery.mean() > 0.9999
    assert found.recovery.objective == found.prediction.ceiling.objective
    by_rows = ik.explain(world, lambda x: x.numpy(), head.weight.detach().numpy(), samples=2048)
    assert by_rows.findings == found.findings
    with torch.no_grad():
        head.bias[0] += 2.0
    worse = ik.explain(world, encoder, head, samples=2048).excess_loss
    assert worse is not None
    assert worse > 0.01


def test_what_does_not_fit_a_world_is_said(world: ik.worlds.ClusterWorld) -> None:
    with pytest.raises(ik.InputError, match=r"a row for each label of the world \(12\).*\(11, 2\)"):
        ik.explain(world, torch.nn.Identity(), torch.zeros(11, 2), samples=256)
    with pytest.raises(ik.InputError, match="one row for each observation; got 2 for 256"):
        ik.explain(world, lambda x: x.T, torch.zeros(12, 256), samples=256)
    with pytest.raises(ik.InputError, match="unknown recipe 'quick'"):
        ik.fit(world, recipe="quick")


def test_a_score_says_whose_optimum_its_ceiling_is(world: ik.worlds.ClusterWorld) -> None:
    sample = world.sample(300)
    ceiling = ik.theory.ceiling(world, samples=512)
    recovery = ik.score(sample.x, sample.z, ceiling=ceiling, resamples=100)
    words = "12 classes, free features and rows of 2 dimensions has R² 1.0"
    assert recovery.ceiling == ceiling.r2_latents
    assert words in " ".join(str(recovery).split())
    assert all(words in finding.explained for finding in recovery.findings)
    assert recovery["z1"].predicted == ceiling.r2_latents
    by_number = ik.score(sample.x, sample.z, ceiling=0.9, resamples=100)
    assert "an objective that was not named has R² 0.900" in by_number["z1"].explained
    assert "Predicted" not in ik.score(sample.x, sample.z, resamples=100)["z1"].explained


@pytest.mark.drawn
def test_a_result_shows_itself_in_a_notebook(
    world: ik.worlds.ClusterWorld, fitted: ik.Fitted, tmp_path: Path
) -> None:
    sample = world.sample(400)
    recovery = ik.score(fitted.represent(sample.x), sample.z, x=sample.x, resamples=100)
    evaluation = ik.explain(world, fitted.encoder, fitted.head, samples=2048)
    comparison = ik.compare(sample.x, fitted.represent(sample.x), shuffles=1, resamples=100)
    assert comparison.headline.word == "Measured"
    for result in (recovery, evaluation, comparison):
        for finding in result.findings:
            assert result[finding.quantity] == finding
        with pytest.raises(ik.InputError, match="unknown finding 'z9'"):
            result["z9"]
        part = result._repr_html_()
        assert part.startswith('<div class="identikit"><style>@scope (.identikit) {')
        assert "<body" not in part
        for finding in result.findings:
            assert f"</span> {finding.verdict}</span>" in part
            assert f">{finding.label}</th>" in part
        page = result.to_html(tmp_path / "result.html")
        assert page == (tmp_path / "result.html").read_text()
        assert page.startswith("<!doctype html>")
        assert "<footer" not in page
        lines = repr(result).splitlines()
        assert len(lines) <= 30
        assert max(map(len, lines)) <= 110
        assert lines[0].startswith(result.headline.word)
        figure = result.plot()
        assert 'src="data:image/svg+xml;base64,' in figure._repr_html_()
        assert len(repr(figure)) < 1000
        figure.save(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
        assert {"value", "low", "high"} <= set(result.to_frame())
    with pytest.raises(ik.InputError, match=r"unknown ending.*'gif'"):
        figure.save(tmp_path / "figure.gif")


def test_a_screen_says_how_many_findings_it_leaves_out() -> None:
    h = torch.randn(300, 30, generator=torch.Generator().manual_seed(0))
    shown = repr(ik.score(h, h.double(), resamples=100)).splitlines()
    assert len(shown) <= 30
    assert shown[-1] == "and 10 more: see .findings or .to_frame()"
