"""The worlds of the paper's simulations (arXiv:2410.21869, section 4.1, tables 2 and 3).

A base row (d = 5, C = 100, κ = 10, uniform cluster vectors; N = 10,240 instances for DIET),
and one thing changed at a time. The projected normal and Laplace have scale 1: around e_1
for the cluster vectors, around v_c for the conditional.
"""

from typing import Any

WORLDS: dict[str, dict[str, Any]] = {
    "base": {},
    "d = 10": {"dim": 10},
    "d = 20": {"dim": 20},
    "C = 10": {"classes": 10},
    "C = 1,000": {"classes": 1_000},
    "C = 10,000": {"classes": 10_000},
    "κ = 5": {"kappa": 5.0},
    "κ = 50": {"kappa": 50.0},
    "clusters: Laplace": {"clusters": "laplace"},
    "clusters: normal": {"clusters": "normal"},
    "conditional: Laplace": {"conditional": "laplace"},
    "conditional: normal": {"conditional": "normal"},
}
TRAINING: dict[str, dict[str, Any]] = {
    "d = 10": {"steps": 3_000},
    "d = 20": {"recipe_name": "wide"},
    "C = 10": {"recipe_name": "flat"},
    "κ = 50": {"recipe_name": "flat"},
    "clusters: Laplace": {"recipe_name": "crowded"},
    "clusters: normal": {"recipe_name": "crowded"},
    "conditional: Laplace": {"steps": 3_000},
    "conditional: normal": {"steps": 3_000},
}
"""How the worlds are trained that need more than the base row."""
