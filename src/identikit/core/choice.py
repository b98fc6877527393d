"""Choices by name: a config holds the name, the choice owns its words, its options and its maker.

Light to import: what makes a choice is imported when it is made.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from typing_extensions import Doc

from identikit.core.errors import InputError, unknown_name
from identikit.core.lazy import imported


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the things that an option of a config can name."""

    name: str
    help: str
    """A few words, for the option's help and for pages."""
    maker: str
    """What makes it, as module:NAME below identikit."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the config that have an effect only where it is chosen, and what its maker calls
    them."""

    def make(self, config: object, *args: Any, **more: Any) -> Any:
        """What its maker makes of these and of its options."""
        own = {word: getattr(config, option) for option, word in self.options.items()}
        return imported(self.maker)(*args, **own, **more)


@dataclass(frozen=True, slots=True)
class Range:
    """Annotates an option with the values that it may have, both ends among them."""

    low: int | float
    high: int | float = math.inf


C = TypeVar("C", bound=Choice)


def by_name(*choices: C) -> dict[str, C]:
    """The choices of one option."""
    return {choice.name: choice for choice in choices}


def described(option: str, choices: Mapping[str, Any]) -> Doc:
    """Annotates an option with its help: a few words on it, and the `help` of each choice."""
    return Doc(f"{option} ({'; '.join(f'{name}: {c.help}' for name, c in choices.items())}).")


def check_ranges(config: Any, *, of: str = "") -> None:
    """See that every number of a config lies within the range that annotates it, if it is given.

    Args:
        config: A dataclass.
        of: What the options are of, for the error, if their names alone do not say it.

    Raises:
        InputError: one does not.
    """
    for each in fields(config):
        value = getattr(config, each.name)
        for limit in getattr(each.type, "__metadata__", ()):
            if not isinstance(limit, Range) or value is None:
                continue
            if not limit.low <= value <= limit.high:
                least = f"at least {limit.low:g}"
                words = least if limit.high == math.inf else f"from {limit.low:g} to {limit.high:g}"
                raise InputError(f"{of}{each.name} must be {words}; got {value}.")


def check_choices(config: Any, choices: Mapping[str, Mapping[str, Choice]]) -> None:
    """See that a config chooses what there is, and sets only options of what it chose.

    Args:
        config: A dataclass.
        choices: Of each of its options that names one, by the option's name.

    Raises:
        InputError: an unknown name, or an option without effect that has not its default.
    """
    for family, known in choices.items():
        if getattr(config, family) not in known:
            raise unknown_name(family, str(getattr(config, family)), known)
    used = {o for family, known in choices.items() for o in known[getattr(config, family)].options}
    for each in fields(config):
        owners = [
            f"{family} {', '.join(names)}"
            for family, known in choices.items()
            if (names := [name for name, choice in known.items() if each.name in choice.options])
        ]
        value = getattr(config, each.name)
        if owners and each.name not in used and value != each.default:
            raise InputError(
                f"{each.name} has no effect here; got {value}. It belongs to {' or '.join(owners)}."
            )
