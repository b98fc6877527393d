"""Configs survive the disk, refuse what they do not know, and hash by content."""

from dataclasses import dataclass, field

import pytest

from identikit.core.config import config_hash, from_dict, to_dict
from identikit.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Inner:
    kappa: float = 10.0
    classes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    seed: int = 0
    world: Inner = field(default_factory=Inner)


def test_round_trip_is_lossless() -> None:
    config = Outer(seed=3, world=Inner(kappa=0.1 + 0.2, classes=7))
    assert from_dict(Outer, to_dict(config)) == config


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown key of Inner 'kapa'\. Did you mean 'kappa'"):
        from_dict(Outer, {"world": {"kapa": 1.0}})


def test_wrong_type_names_the_key_and_the_value() -> None:
    with pytest.raises(InputError, match=r"'world.kappa'.*'much'"):
        from_dict(Outer, {"world": {"kappa": "much"}})


def test_hash_depends_on_every_value_and_the_command_and_nothing_else() -> None:
    base = config_hash("simulate", Outer(), version=1)
    assert base == config_hash("simulate", Outer(seed=0, world=Inner(kappa=10.0)), version=1)
    assert base != config_hash("simulate", Outer(world=Inner(kappa=10.5)), version=1)
    assert base != config_hash("theory", Outer(), version=1)
