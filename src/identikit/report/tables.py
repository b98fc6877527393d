"""Tables as a reader wants them, in CSV, Markdown and LaTeX."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from identikit.core.errors import printable
from identikit.core.estimate import Estimate, Spread, central, format_cell
from identikit.core.files import write_atomically


@dataclass(frozen=True, slots=True)
class Links:
    """A cell that leads somewhere; files for print keep the words only."""

    targets: tuple[tuple[str, str], ...]
    """Words and address of each link; addresses are relative to the page."""

    def __str__(self) -> str:
        return " ".join(words for words, _ in self.targets)


def write_table(frame: pd.DataFrame, path_stem: Path) -> tuple[Path, Path, Path]:
    """Write a frame (without its index) as .csv, .md and .tex beside each other.

    The CSV keeps full precision, an estimate as three columns, a spread as two; the other two
    are for reading.
    """
    text = frame.map(lambda cell: printable(format_cell(cell), keep=""))
    text.columns = [printable(str(name), keep="") for name in frame.columns]
    contents = {
        "csv": _inert(_numeric(frame)).to_csv(index=False),
        "md": _markdown(text),
        "tex": _latex(text.to_latex(index=False, escape=True)),
    }
    paths = tuple(path_stem.with_name(f"{path_stem.name}.{suffix}") for suffix in contents)
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomically(path, content.encode())
    csv, markdown, latex = paths
    return csv, markdown, latex


def _numeric(frame: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, list[object]] = {}
    for name in frame.columns:
        values = list(frame[name])
        columns[str(name)] = [central(v) for v in values]
        for kind, ends in ((Estimate, ("low", "high")), (Spread, ("sd",))):
            if any(isinstance(v, kind) for v in values):
                for end in ends:
                    columns[f"{name}_{end}"] = [getattr(v, end, None) for v in values]
    return pd.DataFrame(columns)


_POWERS = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True))
_SYMBOLS = {"×": "times", "±": "pm", "≥": "geq", "≤": "leq", "∞": "infty", "→": "to", "·": "cdot"}
_SYMBOLS |= {"†": "dagger", "≈": "approx"}
_GREEK = (
    "α:alpha β:beta γ:gamma δ:delta ε:varepsilon ζ:zeta η:eta θ:theta ι:iota κ:kappa λ:lambda μ:mu "
    "ν:nu ξ:xi π:pi ρ:rho σ:sigma τ:tau υ:upsilon φ:varphi χ:chi ψ:psi ω:omega Γ:Gamma Δ:Delta "
    "Θ:Theta Λ:Lambda Ξ:Xi Π:Pi Σ:Sigma Φ:Phi Ψ:Psi Ω:Omega"
)
_SYMBOLS |= {pair[0]: pair[2:] for pair in _GREEK.split()}


def _latex(text: str) -> str:
    """Signs, powers and Greek letters as any LaTeX knows them; other scripts need XeLaTeX."""
    text = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"$^{{{''.join(_POWERS[c] for c in m[0])}}}$", text)
    for letter, name in _SYMBOLS.items():
        text = text.replace(letter, rf"$\{name}$")
    return text.replace("−", "$-$").replace("—", "---").replace("–", "--").replace("…", r"\ldots{}")


def _inert(frame: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""

    def inert(cell: object) -> object:
        formula = isinstance(cell, str) and len(cell) > 1 and cell[0] in "=+-@"
        return f"'{cell}" if formula else cell

    return frame.map(inert).rename(columns=inert)


def _markdown(text: pd.DataFrame) -> str:
    rows = [[str(c) for c in text.columns], ["---"] * len(text.columns), *text.to_numpy().tolist()]
    return "".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows
    )
