"""One command and its options, from words; only what the command needs is imported."""

import contextlib
import inspect
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from typing import Annotated, Any, Protocol, runtime_checkable

import tyro

from identikit.cli.commands import other, reproducible
from identikit.cli.options import Execution, Output, run_and_show
from identikit.core.errors import InputError, printable, unknown_name
from identikit.core.lazy import imported
from identikit.runs.registry import Entry, entry_of

FLAGS = ("--list", "--json", "--no-list", "--no-json")
"""Options of `reproduce` that take no value, so that a name may follow them."""


@runtime_checkable
class Runnable(Protocol):
    """A command with its options."""

    def run(self) -> None:
        """Do it and print what came out."""


def parse(command: str, words: Sequence[str]) -> Runnable:
    """The command of that name with these options.

    Raises:
        InputError: options that cannot be used.
        SystemExit: help was asked for, or the words cannot be understood (both are printed).
    """
    if command == "reproduce" and (place := _named_study(words)) is not None:
        name, words = reproducible()[words[place]], [*words[:place], *words[place + 1 :]]
        return _parsed(_study_command(entry_of(name)), f"identikit {name}", words)
    found = other(command)
    if found is None:
        return _parsed(_study_command(entry_of(command)), f"identikit {command}", words)
    kind = imported(found.place)
    words = kind.completed(words) if hasattr(kind, "completed") else words
    default = kind.given(words) if hasattr(kind, "given") else None
    return _parsed(kind, f"identikit {command}", words, default=default)


def _named_study(words: Sequence[str]) -> int | None:
    """Where a study with options of its own is named, whatever stands before it."""
    for k, word in enumerate(words):
        value = k > 0 and words[k - 1].startswith("--") and words[k - 1] not in FLAGS
        if word in reproducible() and not value:
            return k
    return None


def _study_command(entry: Entry) -> type[Runnable]:
    """The command of a study, made of its entry: its config, where to run it, and the output."""
    config = imported(entry.config)
    group = tyro.conf.arg(name="")
    fields: list[Any] = [("config", Annotated[config, group])]
    if _has_defaults(config):
        fields = [(*fields[0], field(default_factory=config))]
    if entry.jobs:
        fields.append(("execution", Annotated[Execution, group], field(default_factory=Execution)))
    fields.append(("output", Annotated[Output, group], field(default_factory=Output)))

    def run(self: Any) -> None:
        execution = self.execution if entry.jobs else None
        run_and_show(entry, self.config, self.output, execution=execution)

    name = "".join(part.capitalize() for part in re.findall(r"\w+", entry.name))
    made: type[Runnable] = make_dataclass(
        name, fields, frozen=True, kw_only=True, namespace={"run": run}
    )
    made.__doc__ = f"{entry.help}\n\n{entry.details}".strip()
    return made


def _has_defaults(config: Any) -> bool:
    try:
        config()
    except (TypeError, InputError):
        return False
    return True


def _parsed(
    kind: type[Runnable],
    prog: str,
    words: Sequence[str],
    *,
    default: Any = None,
) -> Runnable:
    """Our own errors come out as they were raised, the parser's with the nearest name."""
    heard = io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(heard):
            command: Runnable = tyro.cli(
                kind,
                prog=prog,
                description=_paragraphs(kind),
                args=list(words),
                config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
                **options,
            )
            return command
    except SystemExit as stop:
        cause: BaseException | None = stop
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__context__
        if cause is not None:
            raise cause from None
        wrong = _wrong_choice(heard.getvalue(), words)
        if wrong is not None:
            raise wrong from None
        sys.stderr.write(printable(heard.getvalue()))
        raise


def _paragraphs(kind: type) -> str:
    """A docstring as the terminal may wrap it."""
    words = inspect.getdoc(kind) or ""
    return "\n\n".join(" ".join(part.split()) for part in words.split("\n\n"))


def _wrong_choice(complaint: str, words: Sequence[str]) -> InputError | None:
    """An error with the nearest name, where the parser only lists all of them."""
    flat = " ".join(re.sub("[│╭╮╰╯─]", " ", complaint).split())
    choice = re.search(r"invalid choice '(.*?)' for argument '(.*?)'.*?\((.*?)\)", flat)
    if choice:
        return unknown_name(f"value of {choice[2]}", choice[1], re.findall(r"'(.*?)'", choice[3]))
    if words and "Available subcommands" in flat:
        listed = flat.split("subcommands:")[1].split("For full")[0]
        return unknown_name("command", words[0], [name.strip() for name in listed.split(",")])
    return None
