"""The command line: parses, calls a study, prints. It computes nothing.

Every command is a dataclass: its fields are the options, its docstring the help.
"""

import contextlib
import io
import json
import re
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import identikit
from identikit.errors import InputError, unknown_name
from identikit.report.page import Page
from identikit.studies.coil20 import Coil20Config
from identikit.studies.executors import ExecutorName, open_executor
from identikit.studies.probe import ProbeConfig
from identikit.studies.registry import COIL20, DEMO, PROBE, SIMULATE, page_of
from identikit.studies.simulation import SimulationConfig, predict
from identikit.studies.store import DEFAULT_ROOT, Run
from identikit.studies.study import Study, draw, perform
from identikit.studies.sweeps.catalogue import sweeps
from identikit.studies.sweeps.run import SweepConfig
from identikit.studies.sweeps.study import draw_runs, sweep_study
from identikit.terminal import (
    ERR,
    progress_board,
    progress_count,
    progress_line,
    show_catalogue,
    show_error,
    show_outcome,
    show_prediction,
)
from identikit.training.recipes import RECIPES

RecipeName = Literal["fast", "flat", "wide", "crowded", "paper"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a run goes and how it is printed."""

    out: Path | None = None
    """Folder of the run, which must not exist yet; by default one under runs/ that is named
    after the config, where the same command finds its run again."""
    json: bool = False
    """Print one JSON object, for scripts."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where the runs of a study are made."""

    workers: int | None = None
    """Processes of one thread each on this machine, by default one per processor core; or jobs in
    SLURM's queue at a time, by default all."""
    executor: ExecutorName = "processes"
    """processes: on this machine; dask: a Dask cluster; slurm: a SLURM cluster."""
    address: str | None = None
    """Of the Dask scheduler, such as tcp://host:8786."""
    options: tuple[str, ...] = ()
    """For SLURM, as NAME=VALUE: partition=cpu time=30."""

    def open(self) -> AbstractContextManager[Executor]:
        """The executor that the options name."""
        return open_executor(
            self.executor, workers=self.workers, address=self.address, options=self.options
        )


@dataclass(frozen=True, kw_only=True)
class Simulate:
    """Train on a simulated world and compare what was recovered with what theory predicts.

    Example: identikit simulate --objective diet --instances 10240 --classes 100 --dim 5
    --kappa 10 --seed 0

    The defaults are the base row of the paper. An interrupted run goes on from its checkpoint
    when the same command is given again.
    """

    recipe: RecipeName = "fast"
    """Named settings of encoder, head and training, which other options then change. flat: for few
    or far-apart classes; wide: for some twenty latents; paper: the protocol of arXiv:2410.21869,
    hours long."""
    config: Annotated[SimulationConfig, tyro.conf.arg(name="")] = field(
        default_factory=SimulationConfig
    )
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Train, save, print."""
        _perform(SIMULATE, self.config, self.output)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Watch a network recover hidden factors on a sphere, and get a page about it.

    Example: identikit demo
    """

    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Simulate a world of three latents, which can be drawn."""
        _perform(SIMULATE, DEMO, self.output)


@dataclass(frozen=True, kw_only=True)
class Theory:
    """Say what theory predicts of a simulated world, without training.

    Example: identikit theory --conditional laplace --scale 0.5
    """

    config: Annotated[SimulationConfig, tyro.conf.arg(name="")] = field(
        default_factory=SimulationConfig
    )
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Predict and print."""
        prediction = predict(self.config)
        if self.json:
            print(json.dumps(asdict(prediction)))
        else:
            show_prediction(prediction)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Ask what is linearly in anybody's features, and which part of it theory covers.

    Example: identikit probe features.npz --kinds azimuth=circular:360
    """

    config: Annotated[ProbeConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Read out, save, print."""
        _perform(PROBE, self.config.with_digest(), self.output)


@dataclass(frozen=True, kw_only=True)
class Coil20:
    """Train on photographs of 20 objects and ask what is known of object and azimuth.

    Example: identikit coil20 --data coil20.mat
    """

    config: Annotated[Coil20Config, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Train, read out, save, print."""
        _perform(COIL20, self.config.with_digest(), self.output)


@dataclass(frozen=True, kw_only=True)
class Reproduce:
    """Run a named study: many simulations, one table of predicted, recovered and explained.

    Example: identikit reproduce table3 --workers 4

    Runs that were made before are found; a study that was stopped or killed goes on when the
    same command is given again. Without a name, or with --list, all studies are listed.
    """

    config: Annotated[SweepConfig, tyro.conf.arg(name="")] = field(default_factory=SweepConfig)
    list: bool = False
    """List all studies with what they cost, and run none."""
    execution: Annotated[Execution, tyro.conf.arg(name="")] = field(default_factory=Execution)
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Run what is missing, save, print."""
        if self.list or not self.config.name:
            show_catalogue(sweeps().values(), as_json=self.output.json)
            return
        config = self.config.with_digest()
        self.execution.open()  # refuses what cannot be, before anything is written
        with progress_board() as watch:
            study = sweep_study(
                root=DEFAULT_ROOT, open_executor=self.execution.open, on_board=watch
            )
            run, page, found = perform(study, config, out=self.output.out, wait=True)
        _finish(run, page, found=found, as_json=self.output.json)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Draw the page and the figures of a saved run again.

    Example: identikit report runs/simulate-diet-vmf-d5-c100-s0-0123456789
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    runs: bool = False
    """Draw the pages of a study's runs too, some seconds each."""
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Draw and print."""
        run = Run.load(self.folder)
        if self.runs:
            with progress_count("pages") as watch:
                draw_runs(run, on_drawn=watch)
        page = page_of(run)
        draw(page, run)
        show_outcome(run, page, as_json=self.json)


Command = Simulate | Demo | Theory | Probe | Coil20 | Reproduce | Report


def _commands(words: Sequence[str]) -> Any:
    """All commands; a recipe among the words sets the defaults of `simulate`."""
    named = re.search(r"--recipe[= ](\S+)", " ".join(words))
    settings = RECIPES.get(named[1] if named else "fast", RECIPES["fast"])
    config = SimulationConfig(
        encoder=settings.encoder, head=settings.head, training=settings.training
    )
    simulate = tyro.conf.subcommand("simulate", default=Simulate(config=config))
    return (
        Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Simulate, simulate]
        | Annotated[Theory, tyro.conf.subcommand("theory")]
        | Annotated[Probe, tyro.conf.subcommand("probe")]
        | Annotated[Coil20, tyro.conf.subcommand("coil20")]
        | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
        | Annotated[Report, tyro.conf.subcommand("report")]
    )


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
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard):
            command: Command = tyro.cli(
                _commands(words),
                prog="identikit",
                description=identikit.__doc__,
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
        return unknown_name("command", words[0], [name.strip() for name in listed.split(",")])
    return None


def _perform(study: Study[Any], config: Any, output: Output) -> None:
    with progress_line(study.command) as watch:
        run, page, found = perform(study, config, out=output.out, on_progress=watch)
    _finish(run, page, found=found, as_json=output.json)


def _finish(run: Run, page: Page, *, found: bool, as_json: bool) -> None:
    if found:
        ERR.print(f"found: this run was made before ({run.result['provenance']['started']}).")
    show_outcome(run, page, as_json=as_json)
    if run.interrupted:
        ERR.print("stopped early; the same command goes on where it stopped.")
        sys.exit(130)
    if run.unfinished:
        ERR.print(
            f"{run.result['failed']} runs failed, and the table says why; the same command tries "
            "them again."
        )
        sys.exit(1)
