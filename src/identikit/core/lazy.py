"""What is imported when first used: public names of a package (PEP 562), places by name."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def first_used(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The package's `__getattr__` and `__dir__`; a type checker is given imports instead.

    Args:
        package: Its `__name__`.
        homes: The module of each name, below the package; of a module its own name.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{homes[name]}")
        return module if homes[name] == name else getattr(module, name)

    return find, lambda: sorted({"__all__", "__doc__", "__file__", "__name__", *homes})


def imported(place: str) -> Any:
    """What stands at module:NAME below identikit."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"identikit.{module}"), name)
