"""What a study is to the runner, and the one way a run is made, saved, drawn and found again."""

import errno
import math
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from numpy.typing import NDArray

from identikit.core.files import write_json
from identikit.core.finding import Finding, Headline
from identikit.core.serialization import from_plain, to_plain
from identikit.report.page import (
    Page,
    render,
    save_figures,
    save_tables,
    write_page,
)
from identikit.report.shown import Said
from identikit.runs.config import StudyConfig
from identikit.runs.executors import processes
from identikit.runs.provenance import command_line, machine, versions
from identikit.runs.registry import entry_of
from identikit.runs.store import DEFAULT_ROOT, PAGE_FILE, PROGRESS_FILE, Draft, Run, RunStore

Arrays = Mapping[str, NDArray[Any]]
Tell = Callable[[Any], None]
"""Told how a run stands, by the study's own kind of progress."""
Warn = Callable[[str], None]
"""Told in a sentence what is not as it should be and ends nothing."""
NOTED_EVERY = 2.0
"""Seconds, at least, between two notes of how much of a run is done."""
OpenExecutor = Callable[[], AbstractContextManager[Executor]]
"""Opens a `concurrent.futures` executor, where a study makes many runs."""


def quiet(progress: object) -> None:
    """Tell nobody."""


def python_warning(words: str) -> None:
    """Warn as Python does, where the library is used from it."""
    warnings.warn(words, stacklevel=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a study is given beside its config: none of it changes a number."""

    draft: Draft
    """Folder to write into; may keep a checkpoint."""
    root: Path = DEFAULT_ROOT
    """Folder of all runs, for a study that is made of others."""
    tell: Tell = quiet
    warn: Warn = python_warning
    open_executor: OpenExecutor = processes
    restart: bool = False
    """Whether what an unfinished run left behind, or one that it is made of, is thrown away."""


class Result(Protocol):
    """What every study's result has: a frozen dataclass of plain numbers, strings and tuples."""

    @property
    def status(self) -> str:
        """completed; interrupted or incomplete, if the same command has something left to do."""

    @property
    def headline(self) -> Headline:
        """What the whole says."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Predicted, recovered and explained, quantity by quantity."""


Config = TypeVar("Config", bound=StudyConfig)
if TYPE_CHECKING:
    R = TypeVar("R", bound=Result)
else:  # a protocol of attributes cannot be checked at run time
    R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Study(Generic[Config, R]):
    """A kind of run."""

    name: str
    """The command that makes such runs, without `identikit`."""
    result: type[R]
    compute: Callable[[Config, Context], tuple[R, Arrays]]
    """From config to result, and to the arrays that its figures need."""
    page: Callable[[Run, R], Page]
    """The page of a saved run."""

    @property
    def version(self) -> int:
        """Its own, as the registry has it."""
        return entry_of(self.name).version

    def store(self, root: Path = DEFAULT_ROOT) -> RunStore:
        """The place where runs of this study are kept."""
        return RunStore(root, command=self.name, version=self.version)

    def read(self, run: Run) -> R:
        """The typed result of a saved run.

        Raises:
            InputError: a run of another study or version, or a damaged one.
        """
        run.require(self.name, self.version)
        return from_plain(self.result, run.result, writer=f"identikit {self.name}")

    def page_of(self, run: Run) -> Page:
        """The page of a saved run.

        Raises:
            InputError: a run of another study or version, or a damaged one.
        """
        return self.page(run, self.read(run))


@dataclass(frozen=True, kw_only=True, repr=False)
class Done(Said, Generic[R]):
    """A run that was made or found, with its result."""

    run: Run
    result: R
    study: "Study[Any, R]"
    found: bool
    """Whether it was there already."""

    @property
    def headline(self) -> Headline:
        """What the whole says."""
        return self.result.headline

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Predicted, recovered and explained, quantity by quantity."""
        return self.result.findings

    def to_html(self, path: str | Path | None = None) -> str:
        """The run's page, which needs no other file; also written where a path is given.

        Raises:
            InputError: the file cannot be written.
        """
        page = self.study.page(self.run, self.result)
        if path is not None:
            write_page(page, Path(path))
        return render(page)


def run_study(
    study: Study[Config, R],
    config: Config,
    *,
    root: Path = DEFAULT_ROOT,
    out: Path | None = None,
    tell: Tell = quiet,
    open_executor: OpenExecutor = processes,
    finish: Callable[[Run], None] | None = None,
    warn: Warn = python_warning,
    wait: bool = False,
    restart: bool = False,
) -> Done[R]:
    """The finished run of a config, made now unless found; it is not drawn.

    Args:
        study: What to run.
        config: Decides every number.
        root: Folder of all runs.
        out: Folder of this run, if not one under `root`.
        tell: Told how it stands.
        open_executor: For a study that makes many runs.
        finish: Called with a new run before it moves to its place, which it does only then.
        warn: Told of a damaged run that stood in the place.
        wait: Wait for another process that is writing this very run.
        restart: Throw away what was left of it when it was stopped, checkpoints above all.

    Raises:
        InputError: the output folder exists or is being written by another process.
    """
    store, label = study.store(root), config.label
    if restart:
        store.discard(config, label=label, out=out)
    with store.draft(config, label=label, out=out, wait=wait) as draft:
        if isinstance(draft, Run):
            return Done(run=draft, result=study.read(draft), study=study, found=True)
        if draft.damage:
            warn(draft.damage)
        resumed = draft.checkpoint.exists()
        started, clock = datetime.now(UTC), time.perf_counter()
        context = Context(
            draft=draft,
            root=root,
            tell=_noting(tell, draft.folder / PROGRESS_FILE),
            warn=warn,
            open_executor=open_executor,
            restart=restart,
        )
        result, arrays = study.compute(config, context)
        if result.status != "interrupted":
            (draft.folder / PROGRESS_FILE).unlink(missing_ok=True)
        origin = {
            "command": command_line(study.name, config),
            "versions": versions(),
            "machine": machine(),
            "started": started.isoformat(" ", "seconds"),
            "seconds": time.perf_counter() - clock,
            "resumed": resumed,
        }
        said = {
            "headline": to_plain(result.headline),
            "findings": [to_plain(finding) for finding in result.findings],
        }
        written = draft.write(to_plain(result) | said, arrays, provenance=origin)
        if finish is not None:
            finish(written)
        return Done(run=draft.publish(), result=result, study=study, found=False)


def _noting(tell: Tell, file: Path) -> Tell:
    """Tells, and now and then notes in a file how much is done, for lists of runs."""
    noted = -math.inf

    def tell_and_note(standing: Any) -> None:
        nonlocal noted
        if time.monotonic() - noted >= NOTED_EVERY:
            noted = time.monotonic()
            write_json(file, {"done": standing.done, "total": standing.total})
        tell(standing)

    return tell_and_note


def run_and_report(
    study: Study[Config, R],
    config: Config,
    **options: Any,
) -> Done[R]:
    """The finished run of a config, made now unless found, with its page; as for `run_study`.

    Raises:
        InputError: the output folder exists or is being written by another process.
    """

    def finish(made: Run) -> None:
        draw(study.page_of(made), made)

    done = run_study(study, config, finish=finish, **options)
    if done.found and not (done.run.path / PAGE_FILE).exists():  # a sweep leaves its runs undrawn
        try:
            draw(study.page(done.run, done.result), done.run)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise  # a place that can only be read keeps its run without a page
    return done


def draw(page: Page, run: Run) -> None:
    """Write the page, its figures and its tables into the folder of its run."""
    figures = run.path / "figures"
    figures.mkdir(exist_ok=True)
    save_figures(page, figures)
    save_tables(page, run.path / "tables")
    write_page(page, run.path / PAGE_FILE)
