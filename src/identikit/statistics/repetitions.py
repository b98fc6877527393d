"""The mean of independent repetitions, such as seeds, with its interval."""

import math
from collections.abc import Sequence

from scipy.special import stdtrit

from identikit.core.estimate import Estimate, Spread


def mean_interval(values: Sequence[float], *, largest: float = math.inf) -> Estimate:
    """The mean of two repetitions or more with its 95 % interval (Student's).

    That is mean ± t_(r-1) sd / sqrt(r) for r repetitions, up to the largest that can be.
    """
    spread = Spread.of(values)
    assert spread.sd is not None
    arm = float(stdtrit(spread.n - 1, 0.975)) * spread.sd / spread.n**0.5
    return Estimate(spread.mean, spread.mean - arm, min(largest, spread.mean + arm))


def over_seeds(values: Sequence[float], *, largest: float = math.inf) -> Estimate | float:
    """The same of any number of repetitions; the number of a single one."""
    return mean_interval(values, largest=largest) if len(values) > 1 else values[0]
