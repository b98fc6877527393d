"""`identikit train`: by itself, as one of the ranks that torchrun starts, or as a job of SLURM."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

from identikit.cli.options import Output, run_and_show, show_finished, show_if_found
from identikit.cli.terminal import ERR, say
from identikit.core.choice import Range, check_ranges
from identikit.core.errors import InputError
from identikit.runs.registry import entry_of
from identikit.runs.store import DEFAULT_ROOT, Run
from identikit.studies.train.config import TrainConfig

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a network on your own images with DIET, classes or InfoNCE, and say what it knows.

    Example: identikit train --images photos --model timm:resnet18 --out run

    Then: identikit probe run --factors table.csv. A command that was stopped or killed goes on
    where it stopped when it is given again, to the same numbers.

    On several processes or GPUs: torchrun --nproc-per-node 2 -m identikit train ..., or on a
    cluster: identikit train ... --executor slurm --nodes 2 --processes 4 --options gpus_per_node=4
    """

    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)
    executor: Literal["here", "slurm"] = "here"
    """slurm: a job of SLURM, which is queued again when its time is up, and goes on then."""
    nodes: Annotated[int, Range(1)] = 1
    """Machines of that job; images, and the folder of runs, are on a disk that all of them see."""
    processes: Annotated[int, Range(1)] = 1
    """On each of them: one for each GPU."""
    options: tuple[str, ...] = ()
    """For SLURM, as NAME=VALUE: partition=gpu time=600."""

    def run(self) -> None:
        """Train, save, print."""
        from identikit.core.ranks import started_by_torchrun

        check_ranges(self)
        if self.executor == "slurm":
            self._submit()
        elif self.nodes * self.processes > 1 or self.options:
            raise InputError(
                "--nodes, --processes and --options are for --executor slurm. On this machine, "
                "torchrun --nproc-per-node K -m identikit train ... starts K processes."
            )
        elif started_by_torchrun():
            _among_ranks(self.config, self._here)
        else:
            self._here()

    def _here(self) -> None:
        run_and_show(entry_of("train"), self.config, self.output)

    def _submit(self) -> None:
        from identikit.runs.slurm import slurm

        if show_if_found(entry_of("train"), self.config.with_digest(), self.output):
            return
        folder = DEFAULT_ROOT / ".slurm"
        opened = slurm(self.options, folder=folder, nodes=self.nodes, processes=self.processes)
        with opened as executor:
            say(ERR, f"a job of SLURM, whose logs lie in {folder}; Ctrl-C cancels it.")
            made = executor.submit(_in_job, self.config, self.output).result()
        if isinstance(made, InputError):
            raise made
        assert made is not None  # of the first process
        show_finished(Run.load(made), found=False, as_json=self.output.json)


def _in_job(config: TrainConfig, output: Output) -> Path | InputError | None:
    """Train as one of the processes of a job; the first says where the run is, or what is wrong.

    An error is returned, for submitit makes a text of one that is raised.
    """
    from identikit.core.ranks import started_by_torchrun
    from identikit.runs.lookup import study_of
    from identikit.runs.slurm import join_ranks
    from identikit.runs.study import run_and_report

    def run() -> Path:
        study, named = study_of("train"), config.with_digest()
        return run_and_report(study, named, out=output.out, restart=output.restart).run.path

    join_ranks()
    try:
        return _among_ranks(config, run) if started_by_torchrun() else run()
    except InputError as error:
        return error


def _among_ranks(config: TrainConfig, run: Callable[[], T]) -> T | None:
    """Run on rank 0, and follow on the others."""
    from identikit.core.ranks import joined, rank, told

    with joined(config.on()):
        if rank():
            from identikit.studies.train.run import follow

            follow(config)
            return None
        try:
            made = run()
        except InputError:
            told(None)
            raise
        told(None)
        return made
