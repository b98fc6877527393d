"""Configs on disk: frozen dataclasses to JSON and back, and the hash a run is found by."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from identikit.core.errors import InputError, unknown_name

C = TypeVar("C")


def to_dict(config: object) -> dict[str, Any]:
    """A config as nested dictionaries of JSON types; paths become strings."""
    return cast(
        dict[str, Any], json.loads(json.dumps(dataclasses.asdict(cast(Any, config)), default=str))
    )


def from_dict(kind: type[C], data: dict[str, Any]) -> C:
    """The config of the given kind; the inverse of `to_dict`.

    Raises:
        InputError: unknown keys (with the nearest known one) or values of a wrong type.
    """
    _refuse_unknown_keys(kind, data)
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"config value {where!r} cannot be used: {first['msg']}; got {first['input']!r}."
        ) from error


def _refuse_unknown_keys(kind: type, data: dict[str, Any]) -> None:
    types = get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    for key, value in data.items():
        if key not in known:
            raise unknown_name(f"key of {kind.__name__}", key, known)
        if dataclasses.is_dataclass(types[key]) and isinstance(value, dict):
            _refuse_unknown_keys(cast(type, types[key]), value)


def flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with dotted names."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        inner = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def config_hash(command: str, config: object, *, version: int) -> str:
    """Ten hexadecimal digits that name a run of this version of `command` with this config."""
    return digest([version, command, to_dict(config)])


def digest(data: object) -> str:
    """Ten hexadecimal digits that name JSON data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:10]
