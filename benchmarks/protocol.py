"""The paper's protocol on its base row, run until held-out affine R2 reaches 0.99.

    OMP_NUM_THREADS=1 python benchmarks/protocol.py --out benchmarks/results/protocol_curve.json
    OMP_NUM_THREADS=1 python benchmarks/protocol.py --steps 100

The first takes the better part of an hour on one thread. It writes the curve as it goes
and, killed and started again with the same --out, goes on from its checkpoint. The second
only times steps. Seconds are the processor's, of the training loop without evaluation.
"""

import argparse
import json
from pathlib import Path

import torch

from base_row import BaseRow
from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions
from identikit.training.fit import Progress
from identikit.training.recipes import recipe

TARGET = 0.99
EVALUATE_EVERY = 250
MOST_STEPS = 60_000


class Reached(Exception):  # noqa: N818
    """Held-out R2 has reached the target."""


def seconds_per_step(steps: int) -> float:
    """Seconds of one step of the protocol."""
    return BaseRow(recipe("paper"), seed=0).fit(steps=steps).seconds / steps


class Curve:
    """Points (step, seconds, R2), on disk as soon as they are known."""

    def __init__(self, out: Path) -> None:
        self.out = out
        known = json.loads(out.read_text())["curve"] if out.exists() else []
        self.points = {point["step"]: point for point in known}

    def add(self, progress: Progress) -> None:
        """Keep a new evaluation, in place of one that a kill made the run repeat."""
        if progress.step % EVALUATE_EVERY:
            return
        seconds = round(progress.seconds - progress.evaluation_seconds, 2)
        r2 = progress.evaluation["r2"]
        self.points[progress.step] = {"step": progress.step, "seconds": seconds, "r2": r2}
        origin = {"machine": machine(), "threads": torch.get_num_threads(), "versions": versions()}
        write_json(self.out, {**origin, "curve": [self.points[s] for s in sorted(self.points)]})
        print(f"step {progress.step}  {seconds:.0f} s  R2 {r2:.4f}", flush=True)
        if r2 >= TARGET:
            raise Reached


def run(out: Path) -> None:
    """Train until the target is reached."""
    row = BaseRow(recipe("paper"), seed=0)
    checkpoint = out.with_suffix(".checkpoint")
    curve = Curve(out)
    try:
        row.fit(
            steps=MOST_STEPS,
            evaluate_every=EVALUATE_EVERY,
            on_progress=curve.add,
            checkpoint=checkpoint,
        )
    except Reached:
        print(f"R2 {TARGET} is reached; {checkpoint} can be deleted")


def main() -> None:
    """Run the protocol, or only time its steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/protocol_curve.json"))
    parser.add_argument("--steps", type=int, help="only time this many steps")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.steps:
        seconds = seconds_per_step(options.steps)
        print(json.dumps({"steps": options.steps, "ms_per_step": round(1e3 * seconds, 2)}))
    else:
        run(options.out)


if __name__ == "__main__":
    main()
