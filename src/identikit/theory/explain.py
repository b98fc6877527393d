"""Why a run recovered what it did: a rule over measured numbers, in plain words.

gap = ceiling - recovered R². A gap is put down, in this order, to too few samples for the
read-out, to a run that was cut short, to a collapsed representation, to too few samples for
each label (most of the excess is noise in single head rows), to the loss (the excess is small
for a gap of that size: the error lies where the loss is flat) or to the optimiser (it is not
small).
The rules are ours; the quantities are those of `ceiling`, `bayes` and `sensitivity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from identikit.core.errors import InputError
from identikit.theory.assumptions import SPAN, AssumptionCheck
from identikit.theory.sensitivity import Sensitivity

CLOSE = 0.02
"""R² within which a run counts as having reached its ceiling."""
FLAT = 1 / 3
"""A gap that costs at most this share of an unstructured error of its size lies where the
loss is flat: trained networks were at .9 in the base world, .07 to .2 in flat ones."""
SAMPLES_PER_DIMENSION = 10


class Cause(StrEnum):
    """What a gap between theory and recovery is put down to."""

    NONE = "none"
    WORLD = "world"
    OPTIMISER = "optimiser"
    FLAT_LOSS = "flat loss"
    INTERRUPTED = "interrupted"
    SAMPLE = "sample"
    ENCODER = "encoder"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One cause and the sentence that says why."""

    cause: Cause
    sentence: str


def explain(
    *,
    r2: float,
    ceiling_r2: float | None = None,
    excess: float | None = None,
    excess_standard_error: float = 0.0,
    sensitivity: Sensitivity | None = None,
    checks: Sequence[AssumptionCheck] = (),
    interrupted: bool = False,
    rank: int | None = None,
    dim: int | None = None,
    samples: int | None = None,
    row_noise: float = 0.0,
    seen: float | None = None,
) -> Explanation:
    """Name the cause of the gap between the ceiling and what was recovered.

    Args:
        r2: Recovered affine R² of the latents.
        ceiling_r2: Its ceiling in this world, if known.
        excess: Excess loss in nats, if known.
        excess_standard_error: Of `excess`, in nats.
        sensitivity: Of the loss in this world, if known.
        checks: Assumption checks of the world.
        interrupted: Whether training stopped before its schedule ended.
        rank: Numerical rank of the representation.
        dim: Width of the representation.
        samples: Samples that the read-out was fitted on.
        row_noise: Share of `excess`, in nats, that goes when every label of a class gets the
            class's mean row.
        seen: How often training saw each label.

    Raises:
        InputError: an R² above 1 or NaN.
    """
    for name, value in (("r2", r2), ("ceiling_r2", ceiling_r2)):
        if value is not None and not value <= 1 + 1e-6:
            raise InputError(f"{name} must be an R², at most 1; got {value}.")
    if samples is not None and dim is not None and samples < SAMPLES_PER_DIMENSION * (dim + 1):
        return Explanation(
            cause=Cause.SAMPLE,
            sentence=f"The read-out was fitted on {samples} samples for {dim} dimensions; the "
            f"score says little. Use at least {SAMPLES_PER_DIMENSION * (dim + 1)}.",
        )
    if ceiling_r2 is None:
        return Explanation(
            cause=Cause.UNKNOWN,
            sentence="No ceiling is known here, so theory does not say how much of the "
            f"recovered R² of {r2:.3f} to expect.",
        )
    gap = ceiling_r2 - r2
    if abs(gap) <= CLOSE:
        return _at_the_ceiling(r2, ceiling_r2, checks)
    if interrupted:
        return Explanation(
            cause=Cause.INTERRUPTED,
            sentence=f"Training was interrupted; recovery stands at {r2:.3f} of {ceiling_r2:.3f}. "
            "Resume it.",
        )
    unseen = [check for check in checks if check.name == SPAN and not check.holds]
    if gap < 0 and unseen:
        return _more_than_was_seen(r2, ceiling_r2, unseen[0])
    if gap < 0:
        return _with_world(_above_the_ceiling(r2, ceiling_r2, excess), ceiling_r2, checks)
    if rank is not None and dim is not None and rank < dim:
        return Explanation(
            cause=Cause.OPTIMISER,
            sentence=f"The representation has collapsed to {rank} of {dim} dimensions; what it "
            "lost no read-out brings back.",
        )
    if excess is not None and row_noise > max(excess / 2, 2 * excess_standard_error):
        return _with_world(_noisy_rows(gap, excess, row_noise, seen), ceiling_r2, checks)
    below = _below_the_ceiling(gap, excess, excess_standard_error, sensitivity)
    return _with_world(below, ceiling_r2, checks)


def _at_the_ceiling(r2: float, ceiling_r2: float, checks: Sequence[AssumptionCheck]) -> Explanation:
    if ceiling_r2 >= 1 - CLOSE:
        return Explanation(
            cause=Cause.NONE,
            sentence=f"Recovered {r2:.3f}, within {CLOSE} of the {ceiling_r2:.3f} that theory "
            "predicts.",
        )
    return Explanation(
        cause=Cause.WORLD,
        sentence=f"Recovered {r2:.3f}, as much as cross-entropy identifies in this world "
        f"(ceiling {ceiling_r2:.3f}): the world does not meet every assumption{_broken(checks)}.",
    )


def _with_world(
    found: Explanation, ceiling_r2: float, checks: Sequence[AssumptionCheck]
) -> Explanation:
    """The same cause, with what the world alone takes away where that is not nothing."""
    if ceiling_r2 >= 1 - CLOSE:
        return found
    world = f" The world alone lowers the prediction from 1 to {ceiling_r2:.3f}{_broken(checks)}."
    return replace(found, sentence=found.sentence + world)


def _broken(checks: Sequence[AssumptionCheck]) -> str:
    """The assumptions that do not hold, in brackets, with what was measured of them."""
    named = [f"{check.name}: {check.detail}" for check in checks if not check.holds]
    return f" (not so here: {'; '.join(named)})" if named else ""


def _above_the_ceiling(r2: float, ceiling_r2: float, excess: float | None) -> Explanation:
    known = "" if excess is None else f" (its excess loss is {excess:.3g} nats)"
    return Explanation(
        cause=Cause.OPTIMISER,
        sentence=f"Recovered {r2:.3f}, above the {ceiling_r2:.3f} of the optimum: training has "
        f"not converged{known}. Here the loss trades R² away, so closeness to the ceiling is the "
        "measure, not R².",
    )


def _more_than_was_seen(r2: float, ceiling_r2: float, span: AssumptionCheck) -> Explanation:
    return Explanation(
        cause=Cause.WORLD,
        sentence=f"Recovered {r2:.3f}, more than the {ceiling_r2:.3f} that theory guarantees: "
        f"{span.detail}, so some latent directions change no difference of logits, and what the "
        "network keeps of them is inductive bias.",
    )


def _noisy_rows(gap: float, excess: float, row_noise: float, seen: float | None) -> Explanation:
    often = "" if seen is None else f": training saw each label {seen:,.0f} times"
    return Explanation(
        cause=Cause.SAMPLE,
        sentence=f"R² is {gap:.3f} below the ceiling, and {row_noise:.3g} of the {excess:.3g} nats "
        f"of excess loss are noise in the head rows of single labels{often}. Train for longer, "
        "or on fewer labels.",
    )


def _below_the_ceiling(
    gap: float, excess: float | None, standard_error: float, sensitivity: Sensitivity | None
) -> Explanation:
    if excess is None or sensitivity is None:
        return Explanation(
            cause=Cause.UNKNOWN,
            sentence=f"Recovery is {gap:.3f} below its ceiling; without the excess loss and the "
            "sensitivity of this world nothing says why.",
        )
    above = max(0.0, excess - sensitivity.ceiling_excess)
    least, usual = gap * sensitivity.cheapest, gap * sensitivity.typical
    if above + 2 * standard_error < least:
        return Explanation(
            cause=Cause.UNKNOWN,
            sentence=f"An excess of {above:.3g} nats is too small for a loss of {gap:.3f} in R² "
            f"(a small smooth distortion of that size costs at least {least:.3g}): the error "
            "is large or rough, or the score and the loss come from different samples.",
        )
    if above <= FLAT * usual:
        return Explanation(
            cause=Cause.FLAT_LOSS,
            sentence=f"The loss is within {above:.3g} nats of the optimum, yet R² is {gap:.3f} "
            f"below the ceiling: an unstructured error of that size would cost {usual:.3g} nats, "
            f"the smoothest {least:.3g}. What is missing lies where the loss is flat.",
        )
    comparison = (
        f"more than the {usual:.3g} nats that even an unstructured distortion of the "
        "missing R² costs"
        if above > usual
        else f"enough to account for the missing {gap:.3f} in R²"
    )
    return Explanation(
        cause=Cause.OPTIMISER,
        sentence=f"The loss is still {above:.3g} nats above the optimum, {comparison}: the "
        "optimiser has not arrived. Train for longer, or with another recipe.",
    )
