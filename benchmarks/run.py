"""`make bench`: every benchmark of the base row side by side, on one thread, in one run.

    OMP_NUM_THREADS=1 python benchmarks/run.py

The paper's protocol takes the better part of an hour to R2 0.99; its curve of R2 over steps
is kept in results/protocol_curve.json (`make bench-protocol` makes it anew), and here a
hundred of its steps are timed again, so that both sides of a ratio come from this run.
Writes results/bench.json and results/bench.md.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import protocol
import vmf_sampling
from base_row import encoder_share, measure, medians, with_settings
from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions
from identikit.training.recipes import recipe

RESULTS = Path(__file__).parent / "results"
SEEDS = [0, 1, 2, 3, 4]


def protocol_side(ours: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the paper's protocol to each target, and how many times ours that is."""
    curve = json.loads((RESULTS / "protocol_curve.json").read_text())["curve"]
    seconds = protocol.seconds_per_step(100)
    side: dict[str, Any] = {"ms_per_step": 1e3 * seconds}
    for target in (0.95, 0.99):
        steps = next((p["step"] for p in curve if p["r2"] >= target), None)
        side[f"steps_to_{target}"] = steps
        side[f"seconds_to_{target}"] = None if steps is None else steps * seconds
        mine = ours[f"seconds_to_{target}"]
        known = steps is not None and mine is not None
        side[f"times_ours_to_{target}"] = steps * seconds / mine if known else None
    return side


def memory() -> dict[str, float]:
    """In a process of its own, so that nothing else counts."""
    script = Path(__file__).parent / "memory.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure everything, print it, keep it."""
    torch.set_num_threads(1)
    fast = recipe("fast")
    base = medians(measure(fast, SEEDS))
    report: dict[str, Any] = {
        "machine": machine(),
        "threads": 1,
        "versions": versions(),
        "base row, medians of seeds 0-4": base,
        "base row, unit-norm features and rows (Procrustes R2)": medians(
            measure(with_settings(fast, ["head.unit_features=true", "head.unit_rows=true"]), SEEDS)
        ),
        "share of a step": encoder_share(fast),
        "the paper's protocol, seed 0": protocol_side(base),
        "vMF sampling": vmf_sampling.measure(),
        "peak memory of the base row": memory(),
    }
    write_json(RESULTS / "bench.json", report)
    (RESULTS / "bench.md").write_text(as_markdown(report))
    print(as_markdown(report))


def as_markdown(report: dict[str, Any]) -> str:
    """The report as tables."""
    lines = [f"{report['machine']}, one thread, torch {report['versions']['torch']}.", ""]
    for title, values in report.items():
        if title == "versions" or not isinstance(values, dict):
            continue
        lines += [f"### {title}", "", "| quantity | value |", "| --- | --- |"]
        lines += [f"| {name.replace('_', ' ')} | {_shown(v)} |" for name, v in values.items()]
        lines.append("")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "not reached"
    return f"{value:,.4g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
