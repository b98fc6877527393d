"""How the site is built: Sphinx over these pages, the tutorials and the package's docstrings."""

import contextlib
import io
import os
import pkgutil
import re
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

import identikit
from identikit.cli.commands import helps, reproducible
from identikit.cli.main import main

project = "identikit"
copyright = "the identikit authors, MIT licence"
version = release = version_of("identikit")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "identikit"
html_show_sourcelink = False
html_copy_source = False

myst_heading_anchors = 4
suppress_warnings = ["myst.header", "ref.python"]  # levels in included files; names as types
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

default_role = "code"  # docstrings quote names in single backticks
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "set_fit_request, set_score_request",  # scikit-learn's own, in its words
}

GENERATED = Path(__file__).parent / "generated"
ROOMS = {
    "worlds": "where observations with known factors come from",
    "encoders": "networks, and any layer of any model",
    "objectives": "losses and heads",
    "training": "the one fit loop",
    "theory": "what must come out",
    "features": "what users have on disk and in memory",
    "probing": "what is linearly in a representation",
    "similarity": "two representations of the same samples",
    "disentanglement": "the classic scores",
    "statistics": "bootstrap, permutations, splits",
    "core": "what crosses the doorways",
}


def write(page: Path, text: str) -> None:
    """Keep the time of a page that says the same, so that it is not built again."""
    page.parent.mkdir(parents=True, exist_ok=True)
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def write_api(app: Sphinx) -> None:
    """A page for each room, of the docstrings of all its modules."""
    for room, words in ROOMS.items():
        root = Path(identikit.__file__).parent / room
        lines = [f"# `{room}`: {words}"]
        for module in pkgutil.walk_packages([str(root)], f"identikit.{room}."):
            members = "   :no-members:\n" if module.ispkg else ""
            directive = f".. automodule:: {module.name}\n{members}"
            short = module.name.removeprefix("identikit.")
            lines.append(f"## `{short}`\n\n```{{eval-rst}}\n{directive}```")
        write(GENERATED / "api" / f"{room}.md", "\n\n".join(lines) + "\n")


def write_commands(app: Sphinx) -> None:
    """What every command says with --help."""
    lines = ["# Commands", "Every command prints one JSON object with `--json`."]
    os.environ |= {"COLUMNS": "100", "NO_COLOR": "1"}
    for name in ("", *helps(), *(f"reproduce {name}" for name in reproducible())):
        heard = io.StringIO()
        with contextlib.redirect_stdout(heard), contextlib.suppress(SystemExit):
            main([*name.split(), "--help"])
        lines += [
            f"## `identikit {name}".strip() + "`",
            f"```text\n{heard.getvalue().strip()}\n```",
        ]
    write(GENERATED / "commands.md", "\n\n".join(lines) + "\n")


def to_rst(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text: bars and stars are mathematics, aligned columns stay aligned."""
    marks = re.compile(r"(`[^`]*`)|([|*])")
    written: list[str] = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        each = paragraph.split("\n")
        if what == "module" and any(re.search(r"^ |\S  +\S", line) for line in each):
            written += ["::", "", *(f"    {line}" for line in each), ""]
        else:
            written += [marks.sub(lambda m: m[1] or f"\\{m[2]}", line) for line in each] + [""]
    lines[:] = written


def setup(app: Sphinx) -> None:
    """What Sphinx calls first."""
    app.connect("builder-inited", write_api)
    app.connect("builder-inited", write_commands)
    app.connect("autodoc-process-docstring", to_rst, priority=100)
