"""Numbers and tables as a reader wants them: 0.993 [0.991, 0.995], in CSV, Markdown and LaTeX."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from identikit.files import write_atomically

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and, where it is known, its 95 % interval."""

    value: float
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return format_number(self.value)
        digits = _digits(self.value, self.high - self.low)
        ends = ", ".join(fixed(end, digits) for end in (self.low, self.high))
        return f"{fixed(self.value, digits)} [{ends}]"


def format_number(value: int | float) -> str:
    """A number with sensible digits: 10,240; 0.993; 12.4; 2.1 × 10⁻⁵; n/a for NaN."""
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    size = abs(value)
    if not math.isfinite(value):
        return "n/a" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if size != 0 and (size < 1e-3 or size >= 1e7):
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × ".replace("-", "−") + power_of_ten(int(exponent))
    return fixed(value, _digits(value, None))


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals; never a negative zero."""
    text = f"{value:,.{digits}f}"
    nought = float(text.replace(",", "")) == 0
    return (text.removeprefix("-") if nought else text).replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """0.001, 0.1, 10, 10⁻⁴: plain where that is short."""
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}" if exponent < 3 else "1,000"
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def format_cell(value: object) -> str:
    """A table's cell as text: numbers and estimates with sensible digits, — for None."""
    if value is None or value is pd.NaT:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return format_cell(value.item())
    return format_number(value) if isinstance(value, int | float) else str(value)


def write_table(frame: pd.DataFrame, path_stem: Path) -> tuple[Path, Path, Path]:
    """Write a frame (without its index) as .csv, .md and .tex beside each other.

    The CSV keeps full precision, an estimate as three columns; the other two are for reading.
    """
    text = pd.DataFrame({c: [format_cell(v) for v in frame[c]] for c in frame.columns})
    contents = {
        "csv": _numeric(frame).to_csv(index=False),
        "md": _markdown(text),
        "tex": text.to_latex(index=False, escape=True),
    }
    paths = tuple(path_stem.with_name(f"{path_stem.name}.{suffix}") for suffix in contents)
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomically(path, content.encode())
    csv, markdown, latex = paths
    return csv, markdown, latex


def _digits(value: float, width: float | None) -> int:
    """Decimals that show the first digit of half the interval, or else about three places."""
    fewest = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    if width is None or not math.isfinite(width) or width <= 0:
        return max(fewest, 3) if abs(value) < 10 else fewest
    return min(max(fewest, -math.floor(math.log10(width / 2))), 6)


def _numeric(frame: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, list[object]] = {}
    for name in frame.columns:
        values = list(frame[name])
        columns[str(name)] = [v.value if isinstance(v, Estimate) else v for v in values]
        if any(isinstance(v, Estimate) for v in values):
            columns[f"{name}_low"] = [getattr(v, "low", None) for v in values]
            columns[f"{name}_high"] = [getattr(v, "high", None) for v in values]
    return pd.DataFrame(columns)


def _markdown(text: pd.DataFrame) -> str:
    rows = [[str(c) for c in text.columns], ["---"] * len(text.columns), *text.to_numpy().tolist()]
    return "".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows
    )
