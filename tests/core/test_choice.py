"""Choices own their words, options and makers; configs are held to them."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from identikit.core.choice import Choice, Range, by_name, check_choices, check_ranges, described
from identikit.core.errors import InputError

MADE = by_name(
    Choice("fraction", "a ratio", "core.estimate:fixed", {"places": "digits"}),
    Choice("word", "as it is", "core.estimate:format_cell"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    shown: str = "fraction"
    places: Annotated[int, Range(0, 6)] = 3
    times: Annotated[int | None, Range(1)] = None

    def __post_init__(self) -> None:
        check_ranges(self, of="shown ")
        check_choices(self, {"shown": MADE})


def test_a_choice_is_made_of_its_options_under_its_makers_names() -> None:
    config = Config(places=2)
    assert MADE[config.shown].make(config, 0.123456) == "0.12"


def test_its_words_are_the_options_help() -> None:
    help = described("How it is shown", MADE).documentation
    assert help == "How it is shown (fraction: a ratio; word: as it is)."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shown": "wrod"}, r"unknown shown 'wrod'\. Did you mean 'word'\?"),
        ({"places": 7}, "shown places must be from 0 to 6; got 7"),
        ({"times": 0}, "shown times must be at least 1; got 0"),
        ({"shown": "word", "places": 2}, "no effect here; got 2. It belongs to shown fraction"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Config(**options)
    assert Config(shown="word", places=3).shown == "word"
