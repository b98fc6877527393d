"""Which recipe a world calls for, from its own numbers, and as the command line hears of it."""

from typing import Any

import pytest

from identikit.cli.simulate import Simulate
from identikit.studies.simulation.config import from_recipe
from identikit.studies.simulation.recipe_choice import choose_recipe, separation
from identikit.worlds.config import WorldConfig


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "fast"),
        ({"kappa": 5.0}, "fast"),
        ({"classes": 1_000}, "fast"),
        ({"classes": 10_000}, "broad"),
        ({"conditional": "laplace"}, "broad"),
        ({"kappa": 20.0}, "flat"),
        ({"classes": 10}, "flat"),
        ({"dim": 10}, "flat"),
        ({"conditional": "normal", "scale": 0.2}, "flat"),
        ({"clusters": "normal"}, "crowded"),
        ({"clusters": "normal", "kappa": 50.0}, "flat"),
        ({"dim": 10, "kappa": 3.0}, "medium"),
        ({"dim": 10, "label_exponent": 1.0}, "medium"),
        ({"dim": 20}, "wide"),
        ({"dim": 50}, "wide"),
        ({"dim": 50, "generator": "orthogonal-mlp"}, "flow"),
        ({"dim": 50, "generator": "orthogonal-mlp", "observation_dim": 60}, "wide"),
        ({"kappa": 50.0, "label_exponent": 1.0}, "fast"),
        ({"generator": "sprites", "dim": 3, "kappa": 50.0}, "pixels"),
    ],
)
def test_worlds_call_for_recipes(options: dict[str, Any], name: str) -> None:
    assert choose_recipe(WorldConfig(**options))[0] == name


def test_classes_that_stand_apart_by_more_are_more_separate() -> None:
    apart = [separation(WorldConfig(**each)) for each in ({}, {"kappa": 20.0}, {"classes": 10})]
    assert apart == pytest.approx([1.0, 2.0, 10**0.5])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("", "fast"),
        ("--kappa 50", "flat"),
        ("--kappa=50 --recipe auto --steps 3", "flat"),
        ("--steps 3 --dim 20 --no-json", "wide"),
        ("--kappa 50 --recipe fast", "fast"),
        ("--kappa fifty", "fast"),  # what cannot be understood is left to the parser
        ("--classes 1", "fast"),
        ("--kappa 50 --help", "fast"),
    ],
)
def test_the_command_line_chooses_by_the_world_it_describes(words: str, name: str) -> None:
    assert Simulate.given(words.split()).config.encoder == from_recipe(name).encoder
    assert Simulate.given(words.split()).config.training == from_recipe(name).training
