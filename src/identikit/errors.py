"""The one kind of error a user can cause, and how it is worded.

Wrong input raises `InputError`: one paragraph that names the argument, what came and
what would do. The command line prints it without a traceback; the API raises it as the
`ValueError` that it is.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Input that cannot be used; the message says what came and what would do."""


def unknown_name(what: str, got: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    near = get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {what} {got!r}.{hint} Known: {', '.join(names)}.")


def missing_package(what: str, *, extra: str) -> InputError:
    """The error for something that needs an optional package, with the command to get it."""
    return InputError(
        f'the {what} needs a package that is not installed. Run: pip install "identikit[{extra}]"'
    )
