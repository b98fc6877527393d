"""`torchrun -m identikit train`: several ranks on loopback end where one process does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

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
