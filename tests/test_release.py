"""What is released is whole: wheel and sdist hold every file, and all metadata say the same."""

import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = FACTS["project"]
PAPER = json.loads((ROOT / "src/identikit/literature/data/2410.21869.json").read_text())["paper"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return out


def package_files() -> set[str]:
    """Every file of the package, seen from the folder above it."""
    files = (path for path in (ROOT / "src" / "identikit").rglob("*") if path.is_file())
    return {p.relative_to(ROOT / "src").as_posix() for p in files if "__pycache__" not in p.parts}


def test_the_wheel_holds_every_file_of_the_package_and_no_other(built: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (metadata,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        said = wheel.read(metadata).decode()
        licences = [name for name in wheel.namelist() if "/licenses/" in name]
    assert names == package_files()
    assert any(name.endswith(".min.js") for name in names)
    assert len(licences) == len(PROJECT["license-files"])
    assert f"Requires-Python: {PROJECT['requires-python']}" in said
    assert "Version: 0.0" not in said


def test_the_sdist_can_be_built_and_tested_from(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"src/{name}" for name in package_files()} <= names
    others = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "Makefile")
    assert {*others, "tests/conftest.py", "docs/runs.md"} <= names


def test_the_version_is_one_and_not_written_down() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert version("identikit")[0].isdigit()


def test_citation_and_archive_say_what_the_project_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    for one, description in ((citation, "abstract"), (zenodo, "description")):
        assert one["title"] == PROJECT["name"]
        assert one[description] == PROJECT["description"]
        assert one["license"] == PROJECT["license"]
        assert one["keywords"] == PROJECT["keywords"]
    (paper,) = citation["references"]
    names = [f"{who['given-names']} {who['family-names']}" for who in paper["authors"]]
    assert (paper["title"], names, paper["year"]) == (
        *(PAPER[k] for k in ("title", "authors")),
        2024,
    )
    assert paper["identifiers"][0]["value"] == zenodo["related_identifiers"][0]["identifier"]


def recipe(**environ: str) -> dict[str, Any]:
    """The conda recipe as conda-build renders it."""
    values: dict[str, Any] = {
        "load_file_data": lambda name, from_recipe_dir: tomllib.loads((ROOT / name).read_text()),
        "environ": environ,
        "PYTHON": "python",
    }
    text = Environment().from_string((ROOT / "conda" / "meta.yaml").read_text()).render(**values)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_conda_recipe_asks_for_what_the_project_asks_for() -> None:
    made = recipe(GIT_DESCRIBE_TAG="v0.2.0")
    assert made["package"] == {"name": "identikit", "version": "0.2.0"}
    wanted = {one.name: str(one.specifier) for one in map(Requirement, PROJECT["dependencies"])}
    wanted["pytorch"] = wanted.pop("torch")
    asked = dict(one.split(" ") for one in made["requirements"]["run"])
    assert asked == wanted | {"python": PROJECT["requires-python"]}
    host = {one.split(" ")[0] for one in made["requirements"]["host"]}
    assert host == {"python", "pip", "hatchling", "hatch-vcs"}
    assert made["about"]["license_file"] == PROJECT["license-files"]
    assert recipe()["package"]["version"] == "0.2.0.dev0"
