"""What training is told: budget, batches, optimiser, rates and their schedule."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from identikit.core.choice import Range, check_ranges
from identikit.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Budget, optimiser and schedule of one fit.

    Raises:
        InputError: a value outside its range, named.
    """

    steps: Annotated[int, Range(1)] = 1600
    """Steps of one start at most."""
    starts: Annotated[int, Range(1)] = 1
    """Starts of `identikit simulate` at most, which knows the optimum: where the loss of one does
    not end there, another follows, and the one of least loss counts. One only where max_seconds is
    given."""
    batch_size: Annotated[int, Range(1)] = 1024
    """Samples per step, at the start."""
    final_batch_size: int | None = None
    """Samples per step at the end, in between geometrically more; batch_size, if not given or
    less."""
    max_seconds: float | None = None
    """Seconds at most; the schedule anneals over whichever budget runs out first."""
    optimizer: Literal["muon", "adam", "sgd"] = "muon"
    """muon: Muon for square hidden matrices, Adam for all else; adam: Adam for all; sgd: steps
    along the gradient with Nesterov's momentum of 0.9."""
    weight_decay: Annotated[float, Range(0)] = 0.0
    """Of all weights but those that Muon trains: with adam as AdamW has it, with sgd as a part of
    the gradient."""
    rate: float = 3e-2
    """Adam's rate (or that of sgd) for the encoder, at the top of the schedule."""
    head_rate: float = 1e-1
    """Adam's rate (or that of sgd) for the head, at the top of the schedule."""
    muon_rate: float = 1e-1
    """Muon's rate, at the top of the schedule."""
    muon_momentum: float = 0.98
    """Share of Muon's momentum that is kept at each step."""
    second_moment: float = 0.99
    """Share of Adam's running second moments that is kept at each step (its beta 2)."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rates fall to zero after the warm-up."""
    warmup: float = 0.05
    """Share of the budget over which the rates rise linearly."""

    def __post_init__(self) -> None:
        check_ranges(self, of="training ")
        for name in ("rate", "head_rate", "muon_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"training {name} must be positive; got {getattr(self, name)}.")
        for name in ("warmup", "muon_momentum", "second_moment"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"training {name} is a share in [0, 1); got {getattr(self, name)}."
                )
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise InputError(f"training max_seconds must be positive; got {self.max_seconds}.")

    def batches_in_one(self, step: int) -> int:
        """How many times batch_size a step (from 0) takes: a whole number, so groups stay whole."""
        growth = max(1.0, (self.final_batch_size or 0) / self.batch_size)
        return round(float(growth ** (step / self.steps)))

    def samples(self, steps: int) -> int:
        """Samples that the first steps see together."""
        return self.batch_size * sum(self.batches_in_one(step) for step in range(steps))

    def rate_share(self, progress: float) -> float:
        """The share of the top rate to use when `progress` (0 to 1) of the budget is spent."""
        if progress < self.warmup:
            return max(progress / self.warmup, 0.02)
        done = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        if self.schedule == "constant":
            return 1.0
        return 1 - done if self.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
