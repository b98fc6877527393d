"""`python -m tests.slurm.sweep ROOT`: jobs on SLURM, one of them killed, against serial runs."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from threading import Thread

from tests.runs.jobs import (
    BAD,
    LONG,
    SHORT,
    holder,
    numbers_of,
    sweep,
    under_way,
    wait_for,
)

from identikit.runs.slurm import slurm
from identikit.runs.study import run_study
from identikit.studies.simulation.study import SIMULATE

OPTIONS = ("partition=work", "time=10", "cpus=1")
TRAIN = "train --world sprites --limit 64 --size 16 --dim 4 --augment none --steps 50 --json"


def kill_the_long_job(root: Path) -> None:
    """Kill its first process in the middle of training, as want of memory would."""
    wait_for(lambda: under_way(LONG, root))
    pid = holder(LONG, root, (int(path.name) for path in Path("/proc").glob("[0-9]*")))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def leave_early(root: Path) -> None:
    """Leave while a job runs and others wait, as after Ctrl-C: they must all be cancelled."""
    queue = ("squeue", "--noheader", "--format=%T")
    with slurm(OPTIONS, folder=root / ".slurm") as executor:
        for _ in range(1 + (os.cpu_count() or 1)):
            executor.submit(time.sleep, 600)
        wait_for(lambda: {b"RUNNING", b"PENDING"} == set(subprocess.check_output(queue).split()))
    wait_for(lambda: not subprocess.check_output(queue))


def train_on_two_processes(root: Path) -> None:
    """One job of two ranks ends where one process does."""
    losses: list[list[float]] = []
    for more in ((), ("--executor", "slurm", "--processes", "2", "--options", *OPTIONS)):
        words = [
            sys.executable,
            "-m",
            "identikit",
            *TRAIN.split(),
            "--out",
            f"{root}/{len(losses)}",
            *more,
        ]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, cwd=root)
        history = json.loads(done.stdout)["history"]
        losses.append([record["loss"] for record in history])
    assert max(abs(a - b) / a for a, b in zip(*losses, strict=True)) < 1e-5


def main(root: Path) -> None:
    leave_early(root / "left")
    killer = Thread(target=kill_the_long_job, args=(root,))
    killer.start()
    opener = partial(slurm, OPTIONS, folder=root / ".slurm", workers=2)
    outcomes = sweep((LONG, BAD, SHORT), root, opener)
    killer.join()
    submissions = sorted(path.name for path in (root / ".slurm").glob("*_submitted.pkl"))
    print("submitted:", *submissions)
    for outcome in outcomes.values():
        print(outcome)
    assert {key for key, outcome in outcomes.items() if outcome.error} == {"bad"}
    assert len(submissions) == 4, "the killed job was not submitted again"
    for job in (LONG, SHORT):
        run_study(SIMULATE, job.config, root=root / "serial")
        assert numbers_of(job, root) == numbers_of(job, root / "serial"), job.key
    train_on_two_processes(root)
    print("equal to the serial runs")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
