"""Results in plain forms: numbers and strings for JSON, tables, text without colours."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from rich.console import Console, RenderableType
from rich.table import Table

from identikit.core.errors import InputError

R = TypeVar("R")

WIDTH = 110


_adapter: Callable[[Any], Any] = cache(TypeAdapter)


def to_plain(result: object) -> dict[str, Any]:
    """A dataclass as plain numbers, strings, lists and dictionaries, as they go into JSON."""
    plain: dict[str, Any] = _adapter(type(result)).dump_python(result, mode="json")
    return plain


def from_plain(kind: type[R], plain: Mapping[str, Any], *, writer: str) -> R:
    """The inverse of `to_plain`.

    Args:
        kind: The dataclass.
        plain: What `to_plain` made of one.
        writer: Who wrote it, for the error.

    Raises:
        InputError: a dictionary that is not such a result.
    """
    try:
        found: R = _adapter(kind).validate_python(dict(plain))
        return found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"this is not a saved {kind.__name__.lower()}: {where}: {first['msg']}. "
            f"Pass what {writer} wrote."
        ) from None


class Plain:
    """Base of results, dataclasses of plain things, that go to JSON and back unchanged."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries, as they go into JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls: type[R], plain: Mapping[str, Any]) -> R:
        """The result that `to_dict` came from.

        Raises:
            InputError: a dictionary that is not such a result.
        """
        return from_plain(cls, plain, writer=f"{cls.__name__}.to_dict")


def plain_table(**options: Any) -> Table:
    """A table in the house style: bold heads, no lines."""
    return Table(box=None, pad_edge=False, header_style="bold", **options)


def as_text(renderable: RenderableType) -> str:
    """What a terminal would show, without colours."""
    console = Console(width=WIDTH, no_color=True, force_terminal=False)
    with console.capture() as captured:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
