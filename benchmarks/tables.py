"""The paper's simulation tables: our seconds per row against its protocol's on one machine.

    identikit reproduce tables
    OMP_NUM_THREADS=1 python benchmarks/tables.py runs/reproduce-tables-HASH

Takes the seconds of every row from the saved study, times some steps of the paper's own
protocol (our implementation: `--recipe paper`) in the same world on one thread, and multiplies
them by the steps that the protocol plans: 50,000 epochs of N // 1,024 batches, at least one
(500,000 steps for N = 10,240, which is taken for the supervised rows too). Writes
results/tables.json and tables.md.
"""

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from identikit.core.estimate import Spread, format_cell
from identikit.core.files import write_json
from identikit.core.randomness import stream
from identikit.encoders.mlp import MLP
from identikit.objectives.head import SoftmaxHead
from identikit.runs.provenance import machine, versions
from identikit.runs.store import Run
from identikit.studies.catalogue import sweep_named
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.run import make_world
from identikit.studies.sweeps.result import SweepResult
from identikit.studies.sweeps.study import SWEEP
from identikit.training.fit import CHUNK, fit_network
from identikit.training.recipes import recipe

RESULTS = Path(__file__).parent / "results"
EPOCHS, BATCH = 50_000, 1_024
"""Of the paper's protocol (section 4.1 and its code)."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of a table, timed."""

    group: str
    row: str
    predicted: float | None
    recovered: Spread | None
    seconds: float
    """Ours, a whole run on one core, mean over seeds."""
    protocol_ms_per_step: float
    times_faster: float
    """All steps that the protocol plans, over `seconds`."""


def seconds_per_step(config: SimulationConfig, steps: int) -> float:
    """Seconds of one step of the paper's protocol in the world of a config."""
    paper, world = recipe("paper"), make_world(config)
    in_dim = world.config.observation_dim or world.dim
    encoder = MLP(paper.encoder, in_dim, config.dim, generator=stream(0, "encoder"))
    options = replace(
        paper.head,
        unit_features=config.head.unit_features,
        unit_rows=config.head.unit_rows,
    )
    head = SoftmaxHead(options, config.n_labels, config.dim, generator=stream(0, "head"))

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sample = world.sample(n, generator=generator)
        return sample.x, sample.label

    def seconds(count: int) -> float:
        training = replace(paper.training, steps=count)
        return fit_network(encoder, head, draw=draw, config=training, seed=0).seconds

    seconds(CHUNK)  # warm-up
    return seconds(steps) / steps


def measure(result: SweepResult, steps: int) -> list[Line]:
    """Every row of the saved study beside the protocol."""
    lines = []
    for row, found in zip(sweep_named("tables").rows, result.lines, strict=True):
        assert found.row.label == row.label
        assert found.seconds is not None
        planned = EPOCHS * max(1, row.config.instances // BATCH)
        step = seconds_per_step(row.config, steps)
        line = Line(
            group=row.group,
            row=row.label,
            predicted=found.ceiling,
            recovered=found.latents,
            seconds=found.seconds.mean,
            protocol_ms_per_step=1e3 * step,
            times_faster=step * planned / found.seconds.mean,
        )
        print(_markdown(line), flush=True)
        lines.append(line)
    return lines


def _markdown(line: Line) -> str:
    numbers = (line.predicted, line.recovered, line.seconds, line.protocol_ms_per_step)
    cells = [line.group, line.row, *map(format_cell, numbers), f"{line.times_faster:,.0f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Time, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of `identikit reproduce tables`")
    parser.add_argument("--chunks", type=int, default=2, help=f"timed, of {CHUNK} steps each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = Run.load(options.run)
    result = SWEEP.read(run)
    lines = measure(result, CHUNK * options.chunks)
    wall = None if result.found else run.origin["seconds"]
    core = result.core_seconds
    totals = {"wall_seconds_of_the_study": wall, "core_seconds_of_the_study": core}
    origin = {
        "machine": machine(),
        "versions": versions(),
        "study_made_on": run.origin["machine"],
    }
    rows = [asdict(line) for line in lines]
    write_json(RESULTS / "tables.json", {**origin, **totals, "rows": rows})
    head = "| table | row | predicted | recovered | s | protocol, ms per step | times faster |\n"
    text = "\n".join(_markdown(line) for line in lines)
    words = f"{origin['machine']}. The whole study: {core:,.0f} core-seconds"
    words += ".\n\n" if wall is None else f", {wall:,.0f} s of wall clock.\n\n"
    (RESULTS / "tables.md").write_text(f"{words}{head}|{' --- |' * 7}\n{text}\n")


if __name__ == "__main__":
    main()
