"""From words to a command, and from errors to words."""

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from functools import reduce
from operator import or_
from typing import Annotated, Any, Protocol, runtime_checkable

import tyro

import identikit
from identikit.cli.coil20 import Coil20
from identikit.cli.compare import Compare
from identikit.cli.data import Data
from identikit.cli.experiments import EXPERIMENTS
from identikit.cli.extract import Extract
from identikit.cli.layers import Layers
from identikit.cli.papers import Papers
from identikit.cli.probe import Probe
from identikit.cli.report import Report
from identikit.cli.reproduce import Reproduce
from identikit.cli.simulate import Demo, Simulate, Theory
from identikit.cli.terminal import ERR, show_error
from identikit.core.errors import InputError, unknown_name
from identikit.studies.simulation import SimulationConfig
from identikit.training.recipes import RECIPES
from identikit.worlds.config import WorldConfig


@runtime_checkable
class Command(Protocol):
    """What the command line can do."""

    def run(self) -> None:
        """Do it and print what came out."""


COMMANDS: dict[str, type[Command]] = {
    "demo": Demo,
    "simulate": Simulate,
    "theory": Theory,
    "layers": Layers,
    "extract": Extract,
    "probe": Probe,
    "compare": Compare,
    "coil20": Coil20,
    "data": Data,
    "reproduce": Reproduce,
    "report": Report,
    "papers": Papers,
}


def _commands(words: Sequence[str]) -> Any:
    """All commands; a recipe among the words sets the defaults of `simulate`."""
    named = re.search(r"--recipe[= ](\S+)", " ".join(words))
    settings = RECIPES.get(named[1] if named else "fast", RECIPES["fast"])
    images = settings.encoder.architecture == "cnn"
    config = SimulationConfig(
        world=WorldConfig(generator="sprites") if images else WorldConfig(),
        encoder=settings.encoder,
        head=settings.head,
        training=settings.training,
    )
    named_commands = [
        Annotated[
            kind,
            tyro.conf.subcommand(name, default=Simulate(config=config))
            if kind is Simulate
            else tyro.conf.subcommand(name),
        ]
        for name, kind in COMMANDS.items()
    ]
    return reduce(or_, named_commands)


def main(words: Sequence[str] | None = None) -> None:
    """Entry point: exit code 0 on success, 2 for input that cannot be used, 130 on Ctrl-C."""
    try:
        _parse(sys.argv[1:] if words is None else words).run()
    except InputError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a folder without permission
        place = f" ({error.filename})" if error.filename else ""
        _fail(
            f"the operating system refused: {error.strerror or error}{place}. Nothing that was "
            "finished is lost; see that the place can be written to and has space, or give --out "
            "another folder, and run it again."
        )
    except BrokenExecutor as error:
        _fail(f"no worker could be started: {error}. What was finished is kept.")
    except KeyboardInterrupt:
        ERR.print("stopped before the end; give the same command again to go on.")
        sys.exit(130)


def _fail(message: str) -> None:
    show_error(message)
    sys.exit(2)


def _parse(words: Sequence[str]) -> Command:
    """The command that the words ask for; our own errors come out as they were raised."""
    heard, prog, kind = io.StringIO(), "identikit", None
    if len(words) > 1 and words[0] == "reproduce" and words[1] in EXPERIMENTS:
        prog, kind, words = f"identikit reproduce {words[1]}", EXPERIMENTS[words[1]], words[2:]
    try:
        with contextlib.redirect_stderr(heard):
            command: Command = tyro.cli(
                kind or _commands(words),
                prog=prog,
                description=None if kind else identikit.__doc__,
                args=list(words),
                config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
            )
            return command
    except SystemExit as stop:
        cause: BaseException | None = stop
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__context__
        if cause is not None:
            raise cause from None
        wrong = _wrong_name(heard.getvalue(), list(words))
        if wrong is not None:
            raise wrong from None
        sys.stderr.write(heard.getvalue())
        raise


def _wrong_name(complaint: str, words: list[str]) -> InputError | None:
    """An error with the nearest name, where the parser only lists all of them."""
    flat = " ".join(re.sub("[│╭╮╰╯─]", " ", complaint).split())
    choice = re.search(r"invalid choice '(.*?)' for argument '(.*?)'.*?\((.*?)\)", flat)
    if choice:
        return unknown_name(f"value of {choice[2]}", choice[1], re.findall(r"'(.*?)'", choice[3]))
    if words and "Available subcommands" in flat:
        listed = flat.split("subcommands:")[1].split("For full")[0]
        wrong = next((word for word in words if word not in COMMANDS), words[0])
        return unknown_name("command", wrong, [name.strip() for name in listed.split(",")])
    return None
