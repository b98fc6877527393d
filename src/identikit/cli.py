"""The command line: parses, calls a study, prints. It computes nothing.

Every command is a dataclass: its fields are the options, its docstring the help.
"""

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

import identikit
from identikit.errors import InputError, unknown_name
from identikit.report.page import Page
from identikit.report.tables import format_cell
from identikit.studies.coil20 import Coil20Config
from identikit.studies.probe import ProbeConfig
from identikit.studies.registry import COIL20, DEMO, PROBE, SIMULATE, study_of
from identikit.studies.simulation import Prediction, SimulationConfig, predict
from identikit.studies.store import Run
from identikit.studies.study import Study, Watch, draw, perform
from identikit.training.recipes import RECIPES

RecipeName = Literal["fast", "paper"]

OUT = Console()
ERR = Console(stderr=True)
WIDE = 120
"""Columns from which a table of four columns reads well."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a run goes and how it is printed."""

    out: Path | None = None
    """Folder of the run, which must not exist yet; by default one under runs/ that is named
    after the config, where the same command finds its run again."""
    json: bool = False
    """Print one JSON object, for scripts."""


@dataclass(frozen=True, kw_only=True)
class Simulate:
    """Train on a simulated world and compare what was recovered with what theory predicts.

    Example: identikit simulate --objective diet --instances 10240 --classes 100 --dim 5
    --kappa 10 --seed 0

    The defaults are the base row of the paper. An interrupted run goes on from its checkpoint
    when the same command is given again.
    """

    recipe: RecipeName = "fast"
    """Named settings of encoder, head and training, which other options then change. paper:
    the protocol of arXiv:2410.21869, hours long."""
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
            _print_prediction(prediction)


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
class Report:
    """Draw the page and the figures of a saved run again.

    Example: identikit report runs/simulate-diet-d5-0123456789
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Draw and print."""
        run = Run.load(self.folder)
        page = draw(study_of(run.command), run)
        _print_outcome(run, page, as_json=self.json)


Command = Simulate | Demo | Theory | Probe | Coil20 | Report


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
    except KeyboardInterrupt:
        ERR.print("stopped before the end; give the same command again to go on.")
        sys.exit(130)


def _fail(message: str) -> None:
    ERR.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
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
    with _progress(study.command) as watch:
        run, page, found = perform(study, config, out=output.out, on_progress=watch)
    if found:
        ERR.print(f"found: this run was made before ({run.result['provenance']['started']}).")
    _print_outcome(run, page, as_json=output.json)
    if run.interrupted:
        ERR.print("stopped early; the same command goes on from the checkpoint.")
        sys.exit(130)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Watch]:
    """A live line on standard error once training starts: steps, scores, time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[scores]}"),
        TextColumn("{task.fields[left]:.0f} s left"),
    )
    bar = Progress(*columns, console=ERR)
    task = bar.add_task(what, scores="", left=0.0)

    def watch(progress: Any) -> None:
        bar.start()
        found = progress.evaluation.items()
        scores = "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in found)
        steps = {"total": progress.steps, "completed": progress.step}
        bar.update(task, scores=scores, left=progress.seconds_left, **steps)

    try:
        yield watch
    finally:
        if bar.live.is_started:
            bar.stop()


def _print_prediction(prediction: Prediction) -> None:
    bayes, ceiling, loss = prediction.bayes, prediction.ceiling, prediction.sensitivity
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("predicted")
    table.add_column("", justify="right")
    for name, value in {
        f"recovery ceiling of {ceiling.dim} dimensions (affine R²)": ceiling.r2_latents,
        "recovery ceiling of a wide representation": ceiling.r2_wide,
        "ceiling of the head rows": ceiling.r2_head,
        "Bayes loss (nats)": bayes.value,
        "loss above it that this width cannot avoid (nats)": ceiling.excess,
        "classes that the best classifier tells apart": bayes.bayes_accuracy,
        "excess per unit of lost R², cheapest distortion (nats)": loss.cheapest,
        "excess per unit of lost R², typical distortion (nats)": loss.typical,
    }.items():
        table.add_row(name, format_cell(value))
    OUT.print(table)
    checks = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("assumption", "holds", "measured", "consequence"):
        checks.add_column(name)
    for check in prediction.assumptions:
        checks.add_row(check.name, "yes" if check.holds else "NO", check.detail, check.consequence)
    OUT.print(checks)


def _print_outcome(run: Run, page: Page, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(run.result | {"run": str(run.path)}))
        return
    OUT.print(f"\n[bold]{page.title}[/]\n{escape(page.subtitle)}\n", highlight=False)
    OUT.print(_comparison(page))
    OUT.print(f"\n[bold]{escape(page.verdict)}[/]", highlight=False)
    OUT.print(f"page: {run.path / 'report.html'}", highlight=False, markup=False, soft_wrap=True)


def _comparison(page: Page) -> Table:
    """Predicted | recovered | explained; on a narrow terminal the words go below the name."""
    wide = OUT.width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("")
    for name in ("predicted", "recovered"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("explained")
    for row in page.rows:
        numbers = [escape(format_cell(cell)) for cell in (row.predicted, row.recovered)]
        if wide:
            table.add_row(escape(row.quantity), *numbers, escape(row.explained))
        else:
            table.add_row(f"{escape(row.quantity)}\n[dim]{escape(row.explained)}[/]", *numbers)
    return table
