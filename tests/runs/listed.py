"""Runs of made-up numbers, as any study writes them, for the tests of what is done with runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from identikit.core.estimate import Estimate, Spread
from identikit.core.finding import Finding, Headline, Quantity, Verdict
from identikit.runs.registry import entry_of
from identikit.runs.store import Draft, Run, RunStore
from identikit.studies.simulation.config import SimulationConfig
from identikit.worlds.config import WorldConfig

RECOVERED = Estimate(0.9, 0.8, 1.0)


def finding(quantity: str, recovered: Quantity | None) -> Finding:
    return Finding(
        quantity=quantity,
        measure="R²",
        recovered=recovered,
        explained="Words.",
        verdict=Verdict.MEASURED,
    )


def config(*, kappa: int | float = 10, seed: int = 0) -> SimulationConfig:
    return SimulationConfig(world=WorldConfig(kappa=float(kappa)), seed=seed)


def make(
    root: Path,
    *,
    kappa: int | float = 10,
    seed: int = 0,
    started: str = "2026-01-01 12:00:00+00:00",
    excess: float = 0.5,
    recovered: Quantity | None = RECOVERED,
    status: str = "completed",
    sentence: str = "Recovered nearly all.",
    version: int | None = None,
    **more: Any,
) -> Run:
    """A run as `identikit simulate` writes it."""
    entry, wanted = entry_of("simulate"), config(kappa=kappa, seed=seed)
    store = RunStore(root, command="simulate", version=version or entry.version)
    findings = [finding("latents", recovered), finding("rows", Spread(0.5, 0.1, 4))]
    result = {
        "status": status,
        "excess_loss": excess,
        "headline": asdict(Headline(sentence=sentence, word="As predicted", tone="good")),
        "findings": [asdict(each) for each in findings],
        **more,
    }
    origin = {
        "command": f"identikit simulate --kappa {kappa}",
        "versions": {"identikit": "0"},
        "machine": "a machine",
        "started": started,
        "seconds": 1.0,
        "resumed": False,
    }
    with store.draft(wanted, label=wanted.label) as draft:
        assert isinstance(draft, Draft)
        draft.write(result, {"h": np.eye(2)}, provenance=origin)
        return draft.publish()
