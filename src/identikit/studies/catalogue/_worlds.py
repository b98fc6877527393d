"""The worlds of the paper's simulations, and its scores (arXiv:2410.21869, tables 2, 3 and 5).

A base row (d = 5, C = 100, κ = 10, uniform cluster vectors; N = 1,000 instances for DIET), and one
thing changed at a time. The projected normal and Laplace have scale 1: around e_1 for the cluster
vectors, around v_c for the conditional.
"""

from typing import Any

from identikit.studies.catalogue._simulation import ROW_RATE
from identikit.studies.sweeps.sweep import Printed, Published

WORLDS: dict[str, dict[str, Any]] = {
    "base": {},
    "d = 10": {"dim": 10},
    "d = 20": {"dim": 20},
    "C = 10": {"classes": 10},
    "C = 1,000": {"classes": 1_000},
    "C = 10,000": {"classes": 10_000},
    "κ = 5": {"kappa": 5.0},
    "κ = 10, repeated": {"start": 1},
    "κ = 50": {"kappa": 50.0},
    "conditional: Laplace": {"conditional": "laplace"},
    "conditional: normal": {"conditional": "normal"},
}
CLUSTERS: dict[str, dict[str, Any]] = {
    "clusters: Laplace": {"clusters": "laplace"},
    "clusters: normal": {"clusters": "normal"},
}
SOME_OVERLAP: dict[str, Any] = {"recipe_name": "broad", "steps": 2_400}
TRAINING: dict[str, dict[str, Any]] = {
    "base": SOME_OVERLAP,
    "d = 10": {"recipe_name": "medium", "head_rate": ROW_RATE, "final_batch_size": 4_096},
    "C = 1,000": SOME_OVERLAP,
    "κ = 5": SOME_OVERLAP,
    "κ = 10, repeated": SOME_OVERLAP,
    "N = 100,000": {"recipe_name": "broad"},
    "d = 20": {"recipe_name": "wide"},
    "C = 10": {"recipe_name": "flat"},
    "κ = 50": {"recipe_name": "flat"},
    "clusters: Laplace": {"recipe_name": "crowded"},
    "clusters: normal": {"recipe_name": "crowded"},
    "C = 10,000": {"recipe_name": "broad"},
    "conditional: Laplace": {"recipe_name": "broad"},
    "conditional: normal": {"recipe_name": "broad"},
}
"""How the worlds are trained."""

_DIET: dict[str, tuple[str, str]] = {
    "base": ("98.6±.01 / 99.9", "99.0 / 99.9"),
    "N = 100,000": ("98.2±.01 / 99.5", "99.7 / 99.8"),
    "d = 10": ("92.5±.01 / 99.6", "93.0±.03 / 99.6"),
    "d = 20": ("70.8±.02 / 97.1±.01", "81.9±.01 / 99.7"),
    "C = 10": ("88.6±.05 / 85.7±.15", "90.0±.05 / 99.0±.03"),
    "C = 1,000": ("99.3 / 99.9", "99.2 / 99.9"),
    "κ = 5": ("98.6±.01 / 99.9", "99.0 / 99.8"),
    "κ = 10, repeated": ("99.0 / 99.9", "99.1 / 99.9"),
    "κ = 50": ("45.0±.06 / 49.7±.06", "72.5±.03 / 75.5"),
    "conditional: Laplace": ("85.2±.01 / 99.7±.01", "85.4 / 99.5"),
    "conditional: normal": ("98.7 / 99.8", "98.6 / 99.6"),
    "clusters: Laplace": ("98.7 / 99.5", "99.1 / 99.8"),
    "clusters: normal": ("98.2±.01 / 99.2±.01", "99.2 / 99.8"),
}
"""Tables 2 and 5 as printed, in per cent: latents / rows, for unit rows (C3), free ones (C4)."""
_SUPERVISED: dict[str, str] = {
    "base": "99.8",
    "d = 10": "97.2±.01",
    "d = 20": "82.1±.02",
    "C = 10": "97.5±.03",
    "C = 1,000": "99.8",
    "C = 10,000": "99.8",
    "κ = 5": "99.7",
    "κ = 10, repeated": "99.7",
    "κ = 50": "65.5±.09",
    "conditional: Laplace": "85.4±.01",
    "conditional: normal": "99.6",
}
"""Table 3, latents only."""


def diet_in_print(label: str, *, unit_rows: bool) -> Published:
    """What the paper reports of a row of table 2 or 5."""
    return _read(_DIET[label][not unit_rows])


def supervised_in_print(label: str) -> Published:
    """What the paper reports of a row of table 3."""
    return _read(_SUPERVISED[label])


def _read(cell: str) -> Published:
    latents, *head = (_printed(part) for part in cell.split(" / "))
    return Published(latents=latents, head=head[0] if head else None)


def _printed(part: str) -> Printed:
    mean, _, sd = part.partition("±")
    return Printed(round(float(mean) / 100, 4), float(sd) if sd else None)
