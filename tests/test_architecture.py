"""The walls of the house: imports point upstream only, and no files import in a circle."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import identikit

ROOT = Path(identikit.__file__).parent
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "core": (),
    "statistics": ("core",),
    "worlds": ("core",),
    "encoders": ("core",),
    "objectives": ("core",),
    "training": ("core", "encoders", "objectives"),
    "features": ("core",),
    "theory": ("core", "worlds"),
    "report": ("core",),
    "probing": ("core", "statistics", "features", "theory", "report"),
    "similarity": ("core", "statistics", "features", "theory", "probing", "report"),
    "disentanglement": ("core", "statistics", "features"),
    "unmixing": (
        "core",
        "statistics",
        "features",
        "theory",
        "probing",
        "similarity",
        "disentanglement",
        "report",
    ),
    "literature": ("core", "report"),
    "runs": ("core", "report"),
    "studies": (
        "core",
        "statistics",
        "worlds",
        "encoders",
        "objectives",
        "training",
        "features",
        "theory",
        "probing",
        "similarity",
        "unmixing",
        "disentanglement",
        "report",
        "runs",
    ),
    "cli": ("core", "worlds", "training", "report", "literature", "runs", "studies"),
}
"""Room by room, in the order in which the data flows, the rooms that it may import."""


def imported(path: Path) -> set[str]:
    """Modules and names of identikit that a module imports, dotted, without the package's name.

    Wherever in the module: also in functions, and for a type checker alone.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.partition(".")[2] for name in found if name.startswith("identikit.")}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_from_rooms_upstream(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        rooms = {name.partition(".")[0] for name in imported(path)}
        assert rooms <= {room, *MAY_IMPORT[room]}, path


def test_only_its_command_imports_the_literature_room() -> None:
    files = [path for path in ROOT.rglob("*.py") if path.parent != ROOT / "literature"]
    users = [p for p in files if any(name.startswith("literature.") for name in imported(p))]
    assert users == [ROOT / "cli" / "papers.py"]


def test_every_file_lies_in_a_known_room() -> None:
    files = {path.relative_to(ROOT).parts[0] for path in ROOT.rglob("*.py")}
    assert files == {*MAY_IMPORT, "__init__.py", "__main__.py", "metrics.py"}


def circle(root: Path) -> list[str]:
    """Files below a folder that import each other in a circle; none if there is no circle."""
    files = {".".join(p.relative_to(root).with_suffix("").parts): p for p in root.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for file, path in files.items():
        graph[file] = set()
        for name in imported(path):
            places = (name, name.rpartition(".")[0])  # a module, or a name in one
            known = [p for place in places for p in (place, f"{place}.__init__") if p in files]
            graph[file] |= {*known[:1]} - {file}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert " -> ".join(circle(ROOT)) == ""


@pytest.mark.parametrize(
    "back",
    [
        "from identikit.one import this\n",
        "def late():\n    from identikit.one import this\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import identikit.one\n",
    ],
)
def test_a_circle_is_seen_wherever_its_imports_stand(back: str, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("from identikit.two import that\n")
    (tmp_path / "two.py").write_text("that = 1\n")
    assert not circle(tmp_path)
    (tmp_path / "two.py").write_text(back)
    assert {*circle(tmp_path)} == {"one", "two"}


def test_the_command_line_starts_without_libraries_that_take_seconds_to_import() -> None:
    slow = {"torchmetrics", "torchvision", "transformers", "timm"}
    code = f"import sys, identikit.cli; print({slow} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_options_are_known_without_libraries_that_take_seconds_to_import() -> None:
    """All configs, recipes and sweeps: what parsing, help and `reproduce --list` need."""
    files = [*ROOT.rglob("config.py"), ROOT / "training" / "recipes.py", ROOT / "runs/registry.py"]
    names = [
        ".".join(("identikit", *p.relative_to(ROOT).with_suffix("").parts)) for p in sorted(files)
    ]
    code = f"""
import sys
from importlib import import_module
from identikit.studies.catalogue import sweeps
for name in {names}:
    import_module(name)
print(len(sweeps()), {{"numpy", "pandas", "torch"}} & set(sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, slow = said.stdout.split(maxsplit=1)
    assert int(count) > 10
    assert slow.strip() == "set()"


def test_help_needs_neither_torch_nor_pandas() -> None:
    code = (
        "import sys\n"
        "from identikit.cli import main\n"
        "for words in (['--help'], ['probe', '--help'], ['reproduce', 'dislib', '--help']):\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit:\n"
        "        pass\n"
        "print({'torch', 'pandas'} & set(sys.modules), file=sys.stderr)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stderr.strip() == "set()"
