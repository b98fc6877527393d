"""The exercises of CONTRIBUTING.md: made in a copy of the source, counted, and run."""

import importlib
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
CHAPTER = (ROOT / "CONTRIBUTING.md").read_text().partition("## Exercises")[2]
EXERCISES = {
    name: (int(count), text)
    for name, count, text in re.findall(
        r"^### ([^\n:]+): (\d) files?\n(.*?)(?=^### |\Z)", CHAPTER, re.MULTILINE | re.DOTALL
    )
}
SAYS = {
    "A generator": "x by x = z + z³",
    "A conditional": "power spherical (kappa 20.0)",
    "An objective": "labels are smoothed classes",
    "A score": "absolute_error",
    "A sweep": "How many steps does a small world need?",
    "A study": "The file has 201 lines.",
    "A section for all pages": "How to cite",
}
"""What the terminal or a page says where the exercise was done."""


def blocks(kind: str, text: str) -> list[tuple[str, str]]:
    """What stands after the kind of each block, and the block."""
    found: list[tuple[str, str]] = re.findall(
        rf"^```{kind} ?([^\n]*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )
    return found


def changed(source: str, diff: str) -> str:
    """The source with every hunk of a diff applied at the one place that it fits."""
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    return source


def done(text: str, root: Path) -> set[str]:
    """Make an exercise in the tree at a root; the files that were touched."""
    touched = set()
    for path, content in blocks("python", text):
        assert not (root / path).exists()
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(content)
        touched.add(path)
    for path, diff in blocks("diff", text):
        (root / path).write_text(changed((root / path).read_text(), diff))
        touched.add(path)
    return touched


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the source, beside features and factors."""
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "vendor")
    )
    h = np.random.default_rng(0).normal(size=(200, 4))
    np.save(tmp_path / "h.npy", h)
    lines = ["z", *map(str, h[:, 0] + h[:, 1])]
    (tmp_path / "z.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_every_exercise_is_known() -> None:
    assert list(EXERCISES) == list(SAYS)


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_touches_as_many_files_as_it_says(name: str, tree: Path) -> None:
    count, text = EXERCISES[name]
    touched = done(text, tree)
    assert len(touched) == count
    python = [path for path in touched if path.endswith(".py")]
    for path in python:
        compile((tree / path).read_text(), path, "exec")


@pytest.fixture
def of_the_tree(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package is imported anew, from the tree, unchecked as by users; others stay imported."""

    def leave() -> dict[str, ModuleType]:
        ours = [name for name in sys.modules if name.partition(".")[0] == "identikit"]
        return {name: sys.modules.pop(name) for name in ours}

    hooks = [finder for finder in sys.meta_path if "jaxtyping" not in type(finder).__module__]
    monkeypatch.setattr(sys, "meta_path", hooks)
    monkeypatch.syspath_prepend(tree / "src")
    monkeypatch.setenv("PYTHONPATH", str(tree / "src"))  # for its workers
    monkeypatch.chdir(tree)
    found = leave()
    yield
    leave()
    sys.modules.update(found)


@pytest.mark.slow
@pytest.mark.usefixtures("of_the_tree")
@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_does_what_it_says(
    name: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = EXERCISES[name]
    done(text, tree)
    ((_, command),) = blocks("console", text)
    mark, program, *words = shlex.split(command)
    assert (mark, program) == ("$", "identikit")
    cli = importlib.import_module("identikit.cli")
    assert Path(cli.__file__ or "").is_relative_to(tree)
    cli.main(words)
    pages = [page.read_text() for page in tree.rglob("*.html")]
    assert any(SAYS[name] in said for said in (capsys.readouterr().out, *pages))
