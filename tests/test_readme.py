"""The README keeps its promises: its example runs and its map is true."""

import re
from pathlib import Path

import pytest

import identikit

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_python_example_runs_and_finds_the_factors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    names: dict[str, object] = {}
    exec(example[1], names)
    recovery = names["recovery"]
    assert isinstance(recovery, identikit.Recovery)
    assert all(score.estimate.value > 0.99 for score in recovery.factors)
    assert "azimuth" in capsys.readouterr().out


def test_the_map_names_every_folder_and_no_other() -> None:
    root = Path(identikit.__file__).parent
    folders = {path.name for path in root.iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE)) == folders


def test_every_link_into_the_repository_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert links
    for link in links:
        assert (Path(__file__).parent.parent / link).exists(), link
