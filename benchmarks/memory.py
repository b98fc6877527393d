"""Peak resident memory of the base row, and whether it is flat over steps.

OMP_NUM_THREADS=1 python benchmarks/memory.py
"""

import json
import resource
import sys
from pathlib import Path

import torch

from base_row import BaseRow
from identikit.training.fit import Progress
from identikit.training.recipes import recipe

EARLY = 208


def peak_mib() -> float:
    """Peak resident memory of this process so far, in MiB.

    On Linux from the kernel's own count for this program: getrusage hands a parent's peak on
    to a process that it starts.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def measure() -> dict[str, float]:
    """MiB before training, after a few steps, and at the end."""
    torch.set_num_threads(1)
    row = BaseRow(recipe("fast"), seed=0)
    peaks = {"before_mib": round(peak_mib(), 1)}

    def watch(progress: Progress) -> None:
        if progress.step == EARLY:
            peaks[f"at_step_{EARLY}_mib"] = round(peak_mib(), 1)

    steps = row.fit(on_progress=watch, evaluate_every=100).steps
    return peaks | {f"at_step_{steps}_mib": round(peak_mib(), 1)}


if __name__ == "__main__":
    print(json.dumps(measure()))
