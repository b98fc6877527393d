"""From words to a command, and from errors to words."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from importlib.metadata import version

from identikit.cli.commands import helps
from identikit.core.errors import InputError, unknown_name

USAGE = "usage: identikit [-h] [--version] COMMAND ..."


def main(words: Sequence[str] | None = None) -> None:
    """Entry point: exit code 0 on success, 2 for input that cannot be used, 130 on Ctrl-C."""
    given = list(sys.argv[1:] if words is None else words)
    try:
        _run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        print("stopped before the end; give the same command again to go on.", file=sys.stderr)
        sys.exit(130)


def _run(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        sys.exit(0 if words else 2)
    if words[0] == "--version":
        print(f"identikit {version('identikit')}")
        return
    from concurrent.futures import BrokenExecutor

    from identikit.cli.parse import parse
    from identikit.cli.terminal import show_error

    try:
        if words[0] not in helps():
            raise unknown_name("command", words[0], helps())
        parse(words[0], words[1:]).run()
        return
    except InputError as error:
        show_error(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, a folder without permission
        place = f" ({error.filename})" if error.filename else ""
        show_error(
            f"the operating system refused: {error.strerror or error}{place}. Nothing that was "
            "finished is lost; see that the place can be written to and has space, or give --out "
            "another folder, and run it again."
        )
    except BrokenExecutor as error:
        show_error(
            f"worker processes died or could not be started ({error}). What was finished is kept; "
            "give fewer --workers, or see that the system lets processes and /dev/shm be used."
        )
    sys.exit(2)


def _overview() -> str:
    """All commands, a line or more each, as wide as the terminal."""
    width = max(40, min(shutil.get_terminal_size().columns, 100))
    lines = [USAGE, ""]
    lines += textwrap.wrap(
        "What a network trained with cross-entropy must recover of the factors behind its data, "
        "what it did recover, and why the two differ.",
        width,
    )
    lines += ["", "commands:"]
    for name, words in helps().items():
        indent = " " * 13
        lines += textwrap.wrap(
            words, width, initial_indent=f"  {name:<11}", subsequent_indent=indent
        )
    lines += ["", "`identikit COMMAND --help` explains a command, with an example."]
    return "\n".join(lines)
