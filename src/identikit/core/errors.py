"""The one kind of error a user can cause, and how it is worded.

Wrong input raises `InputError`: one paragraph that names the argument, what came and
what would do. The command line prints it without a traceback; the API raises it as the
`ValueError` that it is.
"""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction of writing."""
_LISTED = 40
_COMPARED = 100
"""Characters of names that are compared."""
_WORDS = 300


class InputError(ValueError):
    """Input that cannot be used; the message says what came and what would do."""


def unknown_name(what: str, got: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among the known ones, with the nearest of them.

    Of more than `_LISTED` known names only the nearest are listed.
    """
    names = sorted(known)
    short = [name for name in names if len(name) <= _COMPARED]  # time grows with the square
    near = get_close_matches(got[:_COMPARED], short, n=5, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if len(names) <= _LISTED:
        return InputError(f"unknown {what} {got!r}.{hint} Known: {', '.join(names)}.")
    listed = ", ".join(near or names[:5])
    nearest = "the nearest" if near else "the first"
    return InputError(
        f"unknown {what} {got!r}.{hint} {len(names):,} are known; {nearest}: {listed}."
    )


def printable(words: str, *, keep: str = "\n\t") -> str:
    """Words that only show: what would steer a terminal or turn the writing is escaped.

    Args:
        words: From wherever.
        keep: Control characters that stay.
    """
    if words.isprintable():  # most are, and this is fast
        return words
    return "".join(
        c.encode("unicode_escape").decode()
        if c in TURNING or (unicodedata.category(c) in ("Cc", "Cs") and c not in keep)
        else c
        for c in words
    )


def look_alikes(some: Iterable[str], others: Iterable[str]) -> str:
    """A sentence about names that look alike and are written differently, if there are any."""
    known = {unicodedata.normalize("NFC", name): name for name in others}
    for name in some:
        other = known.get(unicodedata.normalize("NFC", name))
        if other is not None:
            return (
                f" {name!a} and {other!a} look alike: one is composed Unicode (NFC), the "
                "other is not; unicodedata.normalize makes them one."
            )
    return ""


def missing_package(what: str, *, extra: str) -> InputError:
    """The error for something that needs an optional package, with the command to get it."""
    return InputError(
        f'the {what} needs a package that is not installed. Run: pip install "identikit[{extra}]"'
    )


def optional_module(name: str, *, what: str, extra: str) -> Any:
    """A module of an optional package, imported here and now.

    Raises:
        InputError: it is not installed; as `missing_package` says it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise missing_package(what, extra=extra) from error


def in_words(error: BaseException) -> str:
    """An error of somebody else's code in one line: its type, and the beginning of what it says."""
    said = " ".join(str(error).split()).rstrip(".")
    short = said if len(said) <= _WORDS else said[:_WORDS] + " ..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__
