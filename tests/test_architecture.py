"""The walls of the house: imports point upstream only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import identikit

ROOT = Path(identikit.__file__).parent
FOUNDATION = (
    "errors",
    "factors",
    "representation",
    "linalg",
    "config",
    "randomness",
    "files",
    "mapped",
    "estimate",
    "plain",
)
ROOMS = (
    "worlds",
    "encoders",
    "objectives",
    "training",
    "features",
    "theory",
    "recovery",
    "report",
    "studies",
    "cli",
)
MAY_IMPORT = {
    "worlds": (),
    "encoders": (),
    "objectives": (),
    "training": ("encoders", "objectives"),
    "features": (),
    "theory": ("worlds",),
    "recovery": ("features", "theory"),
    "report": (),
    "studies": (
        "worlds",
        "encoders",
        "objectives",
        "training",
        "features",
        "theory",
        "recovery",
        "report",
    ),
    "cli": ("worlds", "report", "studies", "training"),
}


def rooms_imported(path: Path) -> set[str]:
    """Names right under `identikit` that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"identikit.{alias.name}" for alias in node.names]
                if node.module == "identikit"
                else [node.module]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("identikit.")}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_upstream(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        allowed = {room, *FOUNDATION, *MAY_IMPORT[room]}
        assert rooms_imported(path) <= allowed, path


@pytest.mark.parametrize("name", FOUNDATION)
def test_the_foundation_rests_on_itself(name: str) -> None:
    path = ROOT / f"{name}.py"
    if path.exists():
        assert rooms_imported(path) <= set(FOUNDATION)


def test_every_folder_is_a_known_room() -> None:
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ROOMS)


def test_the_command_line_starts_without_libraries_that_take_seconds_to_import() -> None:
    slow = {"torchmetrics", "torchvision", "transformers", "timm"}
    code = f"import sys, identikit.cli; print({slow} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
