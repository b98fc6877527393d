"""The Python door: every public name, light to import, typed, and thin."""

import json
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

import identikit as ik
from identikit.runs.registry import ENTRIES, imported, study_for
from identikit.worlds.config import ConditionalKind, WorldConfig, WorldOptions

DOORS = {
    "vmf": ik.worlds.VonMises,
    "normal": ik.worlds.Normal,
    "laplace": ik.worlds.Laplace,
    "generalized-normal": ik.worlds.GeneralizedNormal,
    "truncated-laplace": ik.worlds.TruncatedLaplace,
    "gaussian": ik.worlds.Gaussian,
}
OWNED = {"dim", "classes", "conditional", "kappa", "scale", "exponent", "covariance"}


def said_by(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_package_imports_nothing_that_it_does_not_need_yet() -> None:
    heavy = {"torch", "numpy", "pandas", "matplotlib", "plotly", "sklearn", "pydantic"}
    code = f"import sys, identikit as ik; dir(ik); print({heavy} & set(sys.modules))"
    assert said_by(code) == "set()"


@pytest.mark.parametrize("module", [ik, ik.worlds, ik.theory, ik.metrics])
def test_every_public_name_is_there(module: object) -> None:
    names = module.__all__
    assert set(names) <= set(dir(module))
    for name in names:
        assert getattr(module, name) is not None


def test_a_type_checker_sees_the_names_that_are_there() -> None:
    for module in (ik, ik.worlds, ik.theory):
        source = Path(module.__file__).read_text()
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
    assert set(DOORS) == set(get_args(ConditionalKind))
    for conditional, door in DOORS.items():
        world = door(dim=3, classes=7, generator="identity", seed=2)
        assert world.config == WorldConfig(
            dim=3, classes=7, conditional=conditional, generator="identity"
        )
        assert (world.n_labels, world.seed) == (7, 2)
        by_hand = ik.worlds.ClusterWorld(world.config, labels=7, seed=2)
        assert torch.equal(world.class_vectors, by_hand.class_vectors)
    assert ik.worlds.GeneralizedNormal(exponent=4.0, dim=3).config.exponent == 4.0
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
    assert recovery["azimuth"].recovered.value > 0.999


def test_the_ceiling_of_a_world_is_that_of_its_study() -> None:
    from identikit.studies.simulation.run import predict

    world = ik.worlds.VonMises(dim=2, classes=8, instances=16, generator="identity", seed=3)
    config = ik.SimulationConfig(world=world.config, instances=16, seed=3)
    ceiling = ik.theory.ceiling(world, seed=3)
    assert ceiling == predict(config).ceiling
    assert ceiling.objective == "cross-entropy over 16 instances, free features of 2 dimensions"
    normed = ik.theory.ceiling(ik.worlds.VonMises(dim=2, classes=8), normalized=True, samples=512)
    assert "8 classes, unit-norm features and rows of 2 dimensions" in normed.objective


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
    saved = json.loads((done.run.path / "result.json").read_text())
    assert saved["headline"]["sentence"] == done.headline.sentence
