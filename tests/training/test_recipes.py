"""Recipes: the names there are, what the paper's says, and names that are not."""

import pytest

from identikit.core.errors import InputError
from identikit.studies.simulation.config import SimulationConfig
from identikit.training.recipes import RECIPES, Recipe, recipe


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_known_names_give_their_recipe(name: str) -> None:
    assert recipe(name) is RECIPES[name]


def test_fast_is_what_a_simulation_does_unless_told_otherwise() -> None:
    config = SimulationConfig()
    assert recipe("fast") == Recipe(
        encoder=config.encoder, head=config.head, training=config.training
    )


def test_paper_is_the_protocol_of_the_paper() -> None:
    """arXiv:2410.21869, section 4.1: plain Adam at one rate, full softmax, batch norm."""
    it = recipe("paper")
    assert it.encoder.architecture == "paper"
    assert not it.encoder.whiten
    assert it.head.negatives is None
    assert not it.head.unit_features
    assert not it.head.unit_rows
    training = it.training
    assert (training.optimizer, training.schedule, training.batch_size) == (
        "adam",
        "constant",
        1024,
    )
    assert training.rate == training.head_rate == 1e-3
    assert {training.rate_share(progress) for progress in (0.0, 0.5, 1.0)} == {1.0}


@pytest.mark.parametrize(("wrong", "near"), [("papr", "paper"), ("widde", "wide")])
def test_a_misspelt_name_gets_the_nearest_one(wrong: str, near: str) -> None:
    with pytest.raises(InputError, match=f"unknown recipe '{wrong}'. Did you mean '{near}'?"):
        recipe(wrong)


def test_a_strange_name_gets_all_there_are() -> None:
    with pytest.raises(InputError, match="Known: broad, crowded, fast, flat, flow") as error:
        recipe("xyz")
    assert "Did you mean" not in str(error.value)
