"""Two runs side by side: the options that differ, and findings with the interval of the difference.

d = a - b, from d - sqrt((a - a_low)^2 + (b_high - b)^2) to d + sqrt((a_high - a)^2 + (b - b_low)^2)
for independent a and b (MOVER; Zou and Donner 2008, Statistics in Medicine 27:1693). Two runs on
the same held-out samples err alike, so that theirs is rather narrower than this.
"""

import math
from dataclasses import dataclass
from typing import Any

from scipy.special import stdtrit

from identikit.core.config import flat
from identikit.core.estimate import Estimate, Spread
from identikit.core.finding import Finding, Quantity
from identikit.runs.store import Run

MISSING = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A quantity in two runs."""

    name: str
    measure: str
    a: Quantity | None
    b: Quantity | None
    difference: Estimate | float | None
    """a less b with its 95 % interval; bare where neither has one, None where one is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two runs do not share, and what became of it."""

    config: dict[str, tuple[Any, Any]]
    """Options by their dotted names; "—" where a run has none of that name."""
    findings: tuple[Compared, ...]


def difference(a: Run, b: Run) -> Difference:
    """Which options of two runs differ, and by how much their findings do.

    Raises:
        InputError: a run whose result holds no findings that can be read.
    """
    options = [{"study": r.command, "version": r.version, **flat(r.config)} for r in (a, b)]
    names = dict.fromkeys(name for one in options for name in one)
    pairs = {name: tuple(one.get(name, MISSING) for one in options) for name in names}
    said = [{(f.name, f.measure): f for f in run.outcome.findings} for run in (a, b)]
    return Difference(
        config={name: (x, y) for name, (x, y) in pairs.items() if x != y},
        findings=tuple(
            _compared(*key, *(one.get(key) for one in said)) for key in {**said[0], **said[1]}
        ),
    )


def _compared(name: str, measure: str, *found: Finding | None) -> Compared:
    a, b = (None if finding is None else finding.recovered for finding in found)
    return Compared(name=name, measure=measure, a=a, b=b, difference=_less(a, b))


def _less(a: Quantity | None, b: Quantity | None) -> Estimate | float | None:
    if a is None or b is None:
        return None
    (x, x_low, x_high), (y, y_low, y_high) = interval(a), interval(b)
    d = x - y
    if not (isinstance(a, Estimate | Spread) or isinstance(b, Estimate | Spread)):
        return d
    low, high = math.hypot(x - x_low, y_high - y), math.hypot(x_high - x, y - y_low)
    return Estimate(d, d - low, d + high)


def interval(value: Quantity) -> tuple[float, float, float]:
    """Value and ends of its 95 % interval; that of a mean over seeds by Student's t."""
    if isinstance(value, Estimate):
        return value.value, value.low, value.high
    if isinstance(value, Spread):
        if value.sd is None:
            return value.mean, -math.inf, math.inf
        half = float(stdtrit(value.n - 1, 0.975)) * value.sd / math.sqrt(value.n)
        return value.mean, value.mean - half, value.mean + half
    return float(value), float(value), float(value)
