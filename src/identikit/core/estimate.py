"""Numbers with their uncertainty, and how a reader wants them: 0.993 [0.991, 0.995]."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""

    def __str__(self) -> str:
        digits = _digits(self.value, self.high - self.low)
        ends = ", ".join(fixed(end, digits) for end in (self.low, self.high))
        return f"{fixed(self.value, digits)} [{ends}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One measure for each factor, and its mean over the factors."""

    mean: Estimate
    per_factor: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation over repetitions, such as seeds."""

    mean: float
    sd: float | None
    """With n - 1 in the denominator; None for a single repetition."""
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Mean and standard deviation of one value or more."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))

    def __str__(self) -> str:
        if self.sd is None:
            return format_number(self.mean)
        digits = _digits(self.mean, 2 * self.sd)
        return f"{fixed(self.mean, digits)} ± {fixed(self.sd, digits)}"


def with_ends(value: Estimate | Spread | float) -> tuple[float, float, float]:
    """Value, lower and upper end (a standard deviation off); a bare number is its own ends."""
    if isinstance(value, Estimate):
        return value.value, value.low, value.high
    if isinstance(value, Spread):
        sd = value.sd or 0.0
        return value.mean, value.mean - sd, value.mean + sd
    return value, value, value


def as_text(value: Estimate | Spread | float) -> str:
    """An estimate with its interval or spread, or a number with sensible digits."""
    return format_number(value) if isinstance(value, int | float) else str(value)


def format_cell(value: object) -> str:
    """A table's cell as text: numbers and estimates with sensible digits, — for what is missing."""
    if value is None or type(value).__name__ == "NaTType":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return format_cell(value.item())
    return format_number(value) if isinstance(value, int | float) else str(value)


def format_time_left(seconds: float | None) -> str:
    """About how long something still takes, to follow other words; empty while nobody knows."""
    if seconds is None:
        return ""
    return (
        f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"
    )


def format_brief(value: object) -> str:
    """A cell without its interval or spread, for a column beside the one that has them."""
    return format_cell(central(value))


def central(value: object) -> object:
    """The number of an estimate or a spread; anything else as it is."""
    if isinstance(value, Estimate):
        return value.value
    return value.mean if isinstance(value, Spread) else value


def format_number(value: int | float) -> str:
    """A number with sensible digits: 10,240; 0.993; 12.4; 2.1 × 10⁻⁵; n/a for NaN."""
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    size = abs(value)
    if not math.isfinite(value):
        return "n/a" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    mantissa, exponent = f"{value:.1e}".split("e")
    if size != 0 and not -3 <= int(exponent) <= 6:  # after rounding: 0.000999 is 0.001
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


def _digits(value: float, width: float | None) -> int:
    """Decimals that show the first digit of half the interval, or else about three places."""
    fewest = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    if width is None or not math.isfinite(width) or width <= 0:
        return max(fewest, 3) if abs(value) < 10 else fewest
    return min(max(fewest, -math.floor(math.log10(width / 2))), 6)
