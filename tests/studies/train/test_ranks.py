"""`torchrun -m identikit train`: several ranks on loopback end where one process does."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.commands import refused

from identikit import cli
from identikit.runs.slurm import slurm

pytest.importorskip("PIL.Image")
WORDS = ["--size", "16", "--dim", "4", "--batch-size", "16", "--augment", "none", "--json"]
PATIENCE = 300
"""Seconds after which ranks that wait for one another have failed."""


@pytest.fixture
def photos(photos: Path, often_saved: Path) -> Path:
    """The images, beside the command that saves often."""
    assert often_saved.parent == photos.parent
    return photos


def command(ranks: int, photos: Path, out: str, *more: str, restarts: int = 0) -> list[str]:
    launch = [sys.executable]
    if ranks > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        launch += [f"--max-restarts={restarts}"]
    script = str(photos.parent / "often_saved.py")
    return [*launch, script, "train", "--images", str(photos), "--out", out, *WORDS, *more]


def finished(words: list[str], place: Path) -> dict[str, Any]:
    with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, text=True) as process:
        try:
            said, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.terminate()  # torchrun ends its ranks then; nothing where it has ended
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def same_losses(one: dict[str, Any], other: dict[str, Any]) -> None:
    losses = [[record["loss"] for record in found["history"]] for found in (one, other)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_two_ranks_equal_one_process_over_fifty_steps(photos: Path, tmp_path: Path) -> None:
    (photos / "red" / "00.png").unlink()  # 47 rows: not as many on each
    one = finished(command(1, photos, "one", "--steps", "50"), tmp_path)
    two = finished(command(2, photos, "two", "--steps", "50"), tmp_path)
    assert one["labels"] == two["labels"] == 47
    same_losses(one, two)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], atol=1e-4, rtol=1e-3)


def started(words: list[str], place: Path, out: str) -> subprocess.Popen[bytes]:
    """The command, once it has written a checkpoint; without one it is ended after a while."""
    state = place / f".{out}.partial" / "checkpoint" / "state.pt"
    latest = time.monotonic() + PATIENCE
    process = subprocess.Popen(
        words,
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and not state.exists():
        time.sleep(0.05)
        if time.monotonic() > latest:
            process.terminate()
            process.wait()
    return process


def ranks_of(launcher: subprocess.Popen[bytes]) -> list[int]:
    """The processes that torchrun started."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text()
    return [int(number) for number in children.split()]


@pytest.mark.slow
def test_a_checkpoint_of_four_ranks_goes_on_on_two(photos: Path, tmp_path: Path) -> None:
    steps = ("--steps", "120")
    whole = finished(command(1, photos, "whole", *steps), tmp_path)
    four = started(command(4, photos, "parts", *steps), tmp_path, "parts")
    assert four.poll() is None
    for process in (four.pid, *ranks_of(four)):
        os.kill(process, signal.SIGKILL)
    four.wait()
    rest = finished(command(2, photos, "parts", *steps), tmp_path)
    same_losses(whole, rest)


@pytest.mark.slow
def test_a_rank_that_is_killed_is_started_again_and_ends_undisturbed(
    photos: Path, tmp_path: Path
) -> None:
    steps = ("--steps", "120")
    whole = finished(command(1, photos, "whole", *steps), tmp_path)
    two = started(command(2, photos, "two", *steps, restarts=2), tmp_path, "two")
    os.kill(ranks_of(two)[-1], signal.SIGKILL)
    try:
        assert two.wait(timeout=PATIENCE) == 0
    finally:
        two.terminate()
    found = json.loads((tmp_path / "two" / "result.json").read_text())
    same_losses(whole, found)


@pytest.mark.slow
def test_a_job_of_two_processes_equals_one(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By submitit's executor for this machine, in place of SLURM's."""
    monkeypatch.setattr("identikit.runs.slurm.slurm", partial(slurm, cluster="local"))
    monkeypatch.chdir(tmp_path)
    words = ["train", "--images", str(photos), *WORDS, "--steps", "50"]
    job = ["--executor", "slurm", "--processes", "2", "--options", "time=5"]
    cli.main([*words, "--out", "one"])
    cli.main([*words, *job])
    cli.main([*words, *job])  # found: nothing is submitted
    one, two, found = map(json.loads, capsys.readouterr().out.splitlines())
    same_losses(one, two)
    assert found == two
    assert len(list((tmp_path / "runs" / ".slurm").glob("*_result.pkl"))) == 2


def test_what_is_wrong_in_a_job_is_said_where_it_was_submitted(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By an executor that calls what it is given."""
    monkeypatch.setattr("identikit.runs.slurm.slurm", lambda *_, **__: ThreadPoolExecutor(1))
    monkeypatch.setattr("identikit.runs.slurm.join_ranks", lambda: None)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a file").touch()
    words = ["train", "--images", str(photos), "--out", str(tmp_path / "taken")]
    assert "taken already exists" in refused(capsys, *words, "--executor", "slurm")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--nodes", "2"), "torchrun --nproc-per-node"),
        (("--options", "time=5"), "are for --executor slurm"),
        (("--executor", "slurm", "--nodes", "0"), "nodes must be at least 1; got 0"),
        (("--executor", "slurm", "--options", "time"), "options takes NAME=VALUE"),
    ],
)
def test_jobs_that_cannot_be(
    photos: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    assert says in refused(capsys, "train", "--images", str(photos), *more)
