"""What the terminal shows on any width and in any alphabet."""

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from identikit.cli import terminal
from identikit.core.estimate import Estimate
from identikit.core.finding import Control, Finding, Verdict
from identikit.report.shown import place_table

FOUND = [
    Finding(
        quantity=name,
        measure="R²",
        recovered=Estimate(0.8, 0.7, 0.9),
        controls=tuple(Control(name=n, recovered=0.25) for n in ("untrained twin", "pixels")),
        explained=f"Words on {name}.",
        verdict=Verdict.LEARNED,
    )
    for name in ("blocks.10.mlp.fc2.brightness", "animal")
]


@pytest.mark.parametrize("width", [30, 60, 80, 120, 200])
def test_no_width_cuts_a_name_a_number_or_a_verdict(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.StringIO()
    monkeypatch.setattr(terminal, "OUT", Console(file=file, width=width))
    terminal.show_findings(FOUND)
    shown = file.getvalue()
    assert "…" not in shown
    words = " ".join(shown.split())
    for text in ("blocks.10.mlp.fc2.brightness", "0.80 [0.70, 0.90]", "0.250", "learned"):
        assert text in words
    assert "Words on animal." in words
    assert "untrained" in shown
    assert "pixels" in shown


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_width_cuts_a_name_or_a_number_of_a_table_of_layers(width: int) -> None:
    layers = [f"encoder.{k}.attention.output" for k in (1, 10)]
    file = io.StringIO()
    found = [replace(FOUND[0], quantity=f"factor_{j}", place=p) for p in layers for j in range(5)]
    Console(file=file, width=width).print(place_table(found))
    words = file.getvalue().split()
    numbers = [words.count(text) for text in ("0.80", "(0.25,", "0.25)")]
    assert numbers == [10, 10, 10]
    tables = {40: 5, 60: 2, 80: 1, 120: 1, 200: 1}[width]
    assert [words.count(layer) for layer in layers] == [tables, tables]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_alphabet_ends_in_an_error(encoding: str) -> None:
    code = "from identikit.cli.terminal import OUT, say; say(OUT, 'R² κ − × 10⁻⁴ ± ≥ … — 字')"
    environment = {"PYTHONIOENCODING": encoding, "PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert said.stderr == b""
    text = said.stdout.decode(encoding)
    if encoding == "ascii":
        assert text.strip() == "R2 kappa - x 10^-4 +- >= ... - ?"


def test_a_reader_that_has_seen_enough_ends_nothing_in_an_error() -> None:
    command = f"{sys.executable} -m identikit reproduce --list | head -1"
    said = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert said.stderr == ""
    assert len(said.stdout.splitlines()) == 1
