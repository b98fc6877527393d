"""Where a number came from: the command that reproduces it, versions, machine."""

import dataclasses
import os
import platform
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from tyro.conf import Positional, Suppress


def versions() -> dict[str, str]:
    """Versions of everything that decides a run's numbers."""
    packages = ("identikit", "torch", "numpy", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def machine() -> str:
    """Processor, cores and system, in words."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def command_line(command: str, config: object) -> str:
    """The shell command that makes a run of this config: its non-default options."""
    return shlex.join(["identikit", *command.split(), *_options(config)])


def _options(config: object, base: object = None) -> list[str]:
    """Words for what differs from `base`; or from what a config says it is nearest; or defaults."""
    words: list[str] = []
    if base is None and hasattr(config, "nearest_named"):
        words, base = config.nearest_named()
    for field in dataclasses.fields(cast(Any, config)):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            words += _options(value, getattr(base, field.name, None))
        elif value != getattr(base, field.name, _default(field)) and Suppress not in _markers(
            field
        ):
            flag = "--" + field.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(flag if value else flag.replace("--", "--no-", 1))
            elif Positional in _markers(field):
                words += map(str, value if isinstance(value, tuple) else (value,))
            else:
                words += [flag, *map(str, value if isinstance(value, tuple) else (value,))]
    return words


def _markers(field: "dataclasses.Field[Any]") -> tuple[Any, ...]:
    return tuple(getattr(field.type, "__metadata__", ()))


def _default(field: "dataclasses.Field[Any]") -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
