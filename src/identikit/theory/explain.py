"""Why a run recovered what it did: a rule over measured numbers, in plain words.

First the loss: a run has arrived where its excess, less that of the optimum and less the noise
of single head rows, is no more than an error usually costs that moves R² by CEILING_MARGIN. Only
then is R² compared with its value at the optimum, and only a run that has arrived shows what the
world allows. A gap is put down to the optimiser, a basin, the encoder, noise in rows or a flat
loss where an experiment separates that cause from the others; else the others are named too.
The rules are ours; the quantities are those of `ceiling`, `bayes` and `sensitivity`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from identikit.core.errors import InputError
from identikit.core.estimate import fixed
from identikit.theory.assumptions import AssumptionCheck
from identikit.theory.recovery_ceiling import AS_GOOD
from identikit.theory.sensitivity import Sensitivity

CEILING_MARGIN = 0.02
"""R² within which a run counts as having reached its ceiling."""
FLAT = 1 / 3
"""A gap that costs at most this share of an unstructured error of its size may lie where the
loss is flat: trained networks were at .9 in the base world, .07 to .2 in flat ones."""
HELPS = 1 / 3
"""Share of a gap that an experiment has to close to speak for its cause."""
NOISY = 0.1
"""Share of the excess from which noise in single rows is among the possible causes."""
SAMPLES_PER_DIMENSION = 10
TINY = 1e-12


class Cause(StrEnum):
    """What a gap between theory and recovery is put down to."""

    NONE = "none"
    WORLD = "world"
    OPTIMISER = "optimiser"
    """Too few steps, or too slow ones: the same network goes on learning."""
    BASIN = "basin"
    """Training settled where more of it does not lead out; another start does not get there."""
    ENCODER = "encoder"
    """It cannot undo the generator, however it is trained in this budget."""
    FLAT_LOSS = "flat loss"
    ROW_NOISE = "row noise"
    """Single labels are seen too seldom, so their head rows are noisy."""
    INTERRUPTED = "interrupted"
    SAMPLE = "sample"
    """Too few samples for the linear probe."""
    UNDECIDED = "undecided"
    """Several causes are still possible."""
    UNKNOWN = "unknown"
    """Theory says nothing here, or the numbers contradict each other."""


class Variation(StrEnum):
    """A run that differs in one thing and so separates causes."""

    CLASS_LABELS = "class labels"
    """Classes instead of instances as labels: no noise of single rows."""
    ORACLE = "oracle"
    """The same encoder, told the true latents."""
    RESTART = "another start"
    WIDER = "a wider encoder"
    LONGER = "a longer run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A run that differs in one thing, and what came out."""

    variation: Variation
    detail: str
    """What was changed: "6,400 steps for 1,600"."""
    r2: float
    """As for the run itself."""
    excess: float | None
    """As for the run itself, noise in single rows taken off; an oracle has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One cause and the sentence that says why."""

    cause: Cause
    sentence: str
    possible: tuple[Cause, ...] = ()
    """What is still possible where the cause is undecided, the likeliest first."""
    next_command: str | None = None
    """Runs the experiments that decide, where some would and their command is known."""
    arrived: bool | None = None
    """Whether the loss is as good as at its optimum; None where that is not known."""


def tolerance(sensitivity: Sensitivity) -> float:
    """Nats that usually go with an R² changed by CEILING_MARGIN, or count as nothing."""
    return max(AS_GOOD, CEILING_MARGIN * sensitivity.equipartition)


def has_arrived(excess: float, sensitivity: Sensitivity) -> bool:
    """Whether a loss is as good as at its optimum: if not, that is reason for a new start.

    Args:
        excess: Above the Bayes loss in nats, without the noise of single rows.
        sensitivity: Of the world, which says what errors usually cost.
    """
    return sensitivity.above(excess) <= tolerance(sensitivity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a run stands: first its loss, then its score."""

    r2: float
    ceiling_r2: float
    excess: float | None
    """Above the Bayes loss, without the noise of single rows."""
    standard_error: float
    sensitivity: Sensitivity | None
    margin: float
    """R² that counts as nothing."""

    @property
    def above(self) -> float | None:
        """Nats above the optimum."""
        if self.excess is None or self.sensitivity is None:
            return None
        return self.sensitivity.above(self.excess)

    @property
    def tolerance(self) -> float | None:
        """That of the world, where it is known."""
        return None if self.sensitivity is None else tolerance(self.sensitivity)

    @property
    def arrived(self) -> bool | None:
        """Whether the loss is as good as at its optimum."""
        if self.excess is None or self.sensitivity is None:
            return None
        return has_arrived(self.excess, self.sensitivity)

    @property
    def gap(self) -> float:
        """How far R² lies below its value at the optimum."""
        return self.ceiling_r2 - self.r2

    @property
    def full(self) -> bool:
        """Whether the optimum recovers all of the latents."""
        return self.ceiling_r2 >= 1 - CEILING_MARGIN

    def distance(self, r2: float, excess: float | None) -> float | None:
        """What is left to explain of another run, in the unit in which this one falls short."""
        if self.gap > self.margin:
            return max(0.0, self.ceiling_r2 - r2)
        if excess is None or self.sensitivity is None:
            return None
        return self.sensitivity.above(excess)

    def left(self, experiment: Experiment) -> float | None:
        """The share of what is to explain that another run leaves, if it can be told."""
        mine = self.distance(self.r2, self.excess)
        its = self.distance(experiment.r2, experiment.excess)
        return None if mine is None or its is None else its / max(mine, TINY)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What a sentence may need beside the standing."""

    standing: Standing
    checks: Sequence[AssumptionCheck]
    row_noise: float
    """Nats of the run's excess that are noise in head rows of single labels."""
    seen: float | None
    experiments: Sequence[Experiment]
    command: str | None

    def of(self, variation: Variation) -> Experiment | None:
        """The experiment of that kind, if it was made."""
        return next((e for e in self.experiments if e.variation is variation), None)

    def helped(self, variation: Variation) -> Experiment | None:
        """The same, if it leaves clearly less to explain."""
        made = self.of(variation)
        left = None if made is None else self.standing.left(made)
        return None if left is None or left > 1 - HELPS else made

    @property
    def oracle(self) -> tuple[Experiment, bool] | None:
        """The oracle and whether it gets there; None if it was not made or tells neither."""
        made = self.of(Variation.ORACLE)
        left = None if made is None else self.standing.left(made)
        if made is None or left is None or HELPS < left < 1 - HELPS:
            return None
        return made, left <= HELPS

    @property
    def restart_is_better(self) -> bool:
        """Whether another start arrives where a longer run comes only half as near."""
        restart, longer = self.helped(Variation.RESTART), self.of(Variation.LONGER)
        if restart is None or longer is None:
            return False
        left, stays = self.standing.left(restart), self.standing.left(longer)
        assert left is not None
        arrives = abs(self.standing.ceiling_r2 - longer.r2) <= self.standing.margin
        return stays is not None and not arrives and left <= stays / 2

    @property
    def diagnosis(self) -> str | None:
        """The command that makes the experiments."""
        return None if self.command is None else f"{self.command} --diagnose"


def explain_gap(
    *,
    r2: float,
    ceiling_r2: float | None = None,
    ceiling_spread: float = 0.0,
    excess: float | None = None,
    excess_standard_error: float = 0.0,
    sensitivity: Sensitivity | None = None,
    checks: Sequence[AssumptionCheck] = (),
    interrupted: bool = False,
    rank: int | None = None,
    needed: int | None = None,
    most: int | None = None,
    dim: int | None = None,
    samples: int | None = None,
    row_noise: float = 0.0,
    seen: float | None = None,
    r2_all: float | None = None,
    experiments: Sequence[Experiment] = (),
    command: str | None = None,
) -> Explanation:
    """Name the cause of the gap between the optimum and what was recovered.

    Args:
        r2: Recovered affine R² of the latents, from the part of h in the head's row space.
        ceiling_r2: Its value at the optimum in this world, if known.
        ceiling_spread: How much that is uncertain: its standard deviation, or half the range
            of minima that are as good.
        excess: Excess loss in nats, if known.
        excess_standard_error: Of `excess`, in nats.
        sensitivity: Of the loss in this world, if known.
        checks: Assumption checks of the world.
        interrupted: Whether training stopped before its schedule ended.
        rank: Numerical rank of the representation.
        needed: Rank of the optimum's.
        most: Largest rank that the encoder can give: the width of its narrowest layer.
        dim: Width of the representation.
        samples: Samples that the linear probe was fitted on.
        row_noise: Share of `excess`, in nats, that goes when every label of a class gets the
            class's mean row.
        seen: How often training saw each label.
        r2_all: R² from all of h, where that is more than the head sees.
        experiments: Runs that differ in one thing each.
        command: Of this run, to give the one that decides.

    Raises:
        InputError: an R² above 1 or NaN.
    """
    for name, value in (("r2", r2), ("ceiling_r2", ceiling_r2)):
        if value is not None and not value <= 1 + 1e-6:
            raise InputError(f"{name} must be an R², at most 1; got {value}.")
    if samples is not None and dim is not None and samples < SAMPLES_PER_DIMENSION * (dim + 1):
        return Explanation(
            cause=Cause.SAMPLE,
            sentence=f"The linear probe was fitted on {samples} samples for {dim} dimensions; the "
            f"score says little. Use at least {SAMPLES_PER_DIMENSION * (dim + 1)}.",
        )
    if ceiling_r2 is None:
        return Explanation(
            cause=Cause.UNKNOWN,
            sentence="No ceiling is known here, so theory does not say how much of the "
            f"recovered R² of {fixed(r2, 3)} to expect.",
        )
    standing = Standing(
        r2=r2,
        ceiling_r2=ceiling_r2,
        excess=None if excess is None else excess - max(0.0, row_noise),
        standard_error=excess_standard_error,
        sensitivity=sensitivity,
        margin=max(CEILING_MARGIN, 2 * ceiling_spread),
    )
    context = _Context(
        standing=standing,
        checks=checks,
        row_noise=row_noise,
        seen=seen,
        experiments=experiments,
        command=command,
    )
    lost = rank is not None and needed is not None and rank < needed
    if lost and most is not None and most < (needed or 0):
        found = _too_narrow(context, most=most, needed=needed or 0)
    elif abs(standing.gap) <= standing.margin and (standing.full or standing.arrived):
        found = _at_the_ceiling(context)
    elif interrupted:
        found = _interrupted(context)
    elif lost:
        found = _collapsed(context, rank=rank or 0, needed=needed or 0)
    elif standing.gap > standing.margin:
        found = _below(context)
    else:
        found = _not_arrived(context)
    if r2_all is not None:
        found = _with_rest(found, r2_all)
    return replace(_with_world(found, context), arrived=standing.arrived)


def _too_narrow(context: _Context, *, most: int, needed: int) -> Explanation:
    return Explanation(
        cause=Cause.ENCODER,
        sentence=f"The encoder's narrowest layer has {most} units, so h has at most {most} of the "
        f"{needed} dimensions that the optimum has. {_recovered(context.standing)}",
    )


def _recovered(standing: Standing) -> str:
    return (
        f"Recovered {fixed(standing.r2, 3)} where the optimum has {fixed(standing.ceiling_r2, 3)}."
    )


def _at_the_ceiling(context: _Context) -> Explanation:
    standing = context.standing
    if standing.full:
        sentence = (
            f"Recovered {fixed(standing.r2, 3)}, within {CEILING_MARGIN} of the "
            f"{fixed(standing.ceiling_r2, 3)} that "
            "theory predicts."
        )
        if standing.arrived is False:
            sentence += f" {_nats_left(standing)}, and little of it costs R²."
        return Explanation(cause=Cause.NONE, sentence=sentence)
    return Explanation(
        cause=Cause.WORLD,
        sentence=f"Recovered {fixed(standing.r2, 3)}, as much as cross-entropy identifies in "
        "this world "
        f"({fixed(standing.ceiling_r2, 3)} at the optimum, and the loss is within "
        f"{standing.above:.2g} "
        f"nats of it): the world does not meet every assumption{_broken(context.checks)}.",
    )


def _nats_left(standing: Standing) -> str:
    return (
        f"The loss is still {standing.above:.2g} nats above the optimum (an error that moves R² by "
        f"{CEILING_MARGIN} usually costs {standing.tolerance:.2g})"
    )


def _interrupted(context: _Context) -> Explanation:
    standing = context.standing
    known = "" if standing.arrived is not False else f" {_nats_left(standing)}."
    return Explanation(
        cause=Cause.INTERRUPTED,
        sentence=f"Training was interrupted; recovery stands at {fixed(standing.r2, 3)} of "
        f"{fixed(standing.ceiling_r2, 3)}.{known} Resume it.",
    )


def _collapsed(context: _Context, *, rank: int, needed: int) -> Explanation:
    words = (
        f"The representation has collapsed to {rank} of the {needed} dimensions of the optimum; "
        "what it lost no linear probe brings back."
    )
    return _decided(context, words, (Cause.BASIN, Cause.OPTIMISER, Cause.ENCODER))


def _not_arrived(context: _Context) -> Explanation:
    """R² is what the optimum's is, or more, and the loss is not, or is not known."""
    standing = context.standing
    words = _recovered(standing)
    if standing.arrived and standing.ceiling_r2 <= CEILING_MARGIN:
        return Explanation(
            cause=Cause.WORLD,
            sentence=f"{words} Labels say nothing of the latents, so the loss is silent on what h "
            "keeps of the observations: none of it was identified.",
        )
    if standing.arrived:  # so R² is above, and by how much the loss allows
        assert standing.sensitivity is not None
        assert standing.excess is not None
        _, high = standing.sensitivity.r2_range(
            standing.excess + 2 * standing.standard_error, ceiling_r2=standing.ceiling_r2
        )
        if standing.r2 <= high + standing.margin:
            return Explanation(
                cause=Cause.WORLD,
                sentence=f"{words} With a loss within {standing.above:.2g} nats of the optimum's "
                f"R² may still be up to {fixed(high, 3)}: as much as cross-entropy identifies "
                "in this "
                f"world, which does not meet every assumption{_broken(context.checks)}.",
            )
        return Explanation(
            cause=Cause.UNKNOWN,
            sentence=f"{words} No small error at an excess of {standing.above:.2g} nats raises R² "
            f"above {fixed(high, 3)}: the run is near another minimum, or the score and the "
            "loss come "
            "from different samples.",
        )
    if standing.arrived is None and standing.gap >= -standing.margin:
        return Explanation(
            cause=Cause.UNKNOWN,
            sentence=f"{words} Without the excess loss and the sensitivity of this world nothing "
            "says whether the run has arrived there or is passing by.",
        )
    if standing.arrived is None:
        words += " The run has not converged: here the loss trades R² away."
    else:
        words += f" {_nats_left(standing)}, so the run has not arrived there"
        words += (
            ": here the loss trades R² away, and closeness of the loss, not of R², is the measure."
            if standing.gap < -standing.margin
            else ", and its R² says nothing yet."
        )
    return _decided(context, words, (Cause.OPTIMISER, Cause.ENCODER))


def _below(context: _Context) -> Explanation:
    standing, gap = context.standing, context.standing.gap
    above, sensitivity = standing.above, standing.sensitivity
    if above is None or sensitivity is None or standing.excess is None:
        words = (
            f"Recovery is {fixed(gap, 3)} below its ceiling; without the excess loss and the "
            "sensitivity of this world nothing says why."
        )
        return Explanation(cause=Cause.UNKNOWN, sentence=words)
    low, _ = sensitivity.r2_range(
        standing.excess + 2 * standing.standard_error, ceiling_r2=standing.ceiling_r2
    )
    usual = gap * sensitivity.typical
    if standing.r2 < low:
        words = (
            f"An excess of {above:.3g} nats is too small for a loss of {fixed(gap, 3)} in R² "
            "(small "
            f"smooth distortions lower it to {fixed(low, 3)} at most): the error is large or "
            "rough, the "
            "run is near another minimum, or the score and the loss come from different samples."
        )
        if not context.experiments:
            return Explanation(cause=Cause.UNKNOWN, sentence=words, next_command=context.diagnosis)
        return _decided(context, words, (Cause.BASIN, Cause.OPTIMISER))
    if above <= FLAT * usual:
        words = (
            f"The loss is within {above:.3g} nats of the optimum, yet R² is {fixed(gap, 3)} "
            "below its "
            f"value there: an unstructured error of that size would cost {usual:.3g} nats, the "
            f"smoothest {gap * sensitivity.cheapest:.3g}."
        )
        possible = (Cause.FLAT_LOSS, Cause.BASIN, Cause.OPTIMISER, Cause.ENCODER)
        if not standing.arrived:  # a flat loss is what is left once nothing else is
            possible = (Cause.OPTIMISER, Cause.BASIN, Cause.ENCODER, Cause.FLAT_LOSS)
        return _decided(context, words, possible)
    comparison = (
        f"more than the {usual:.3g} nats that even an unstructured distortion of the "
        "missing R² costs"
        if above > usual
        else f"enough to account for the missing {fixed(gap, 3)} in R²"
    )
    words = f"The loss is still {above:.3g} nats above the optimum, {comparison}."
    return _decided(context, words, (Cause.OPTIMISER, Cause.ENCODER))


_STILL = {
    Cause.OPTIMISER: "the optimiser has not arrived (a longer run would tell)",
    Cause.ENCODER: "the encoder cannot undo the generator (an oracle and a wider one would tell)",
    Cause.BASIN: "this start leads into a basin (another start would tell)",
    Cause.FLAT_LOSS: "the loss is flat there (what is left if nothing helps)",
    Cause.ROW_NOISE: "head rows of single labels are noisy (classes for labels would tell)",
}
_LEFT = {
    (Cause.FLAT_LOSS,): "What is missing lies where the loss is flat.",
    (Cause.OPTIMISER,): "The encoder is not in the way: the optimiser does not get there.",
}
"""What may be said because nothing else is left."""


def _decided(context: _Context, words: str, possible: tuple[Cause, ...]) -> Explanation:
    """The cause that experiments single out of the possible ones, or all that are left."""
    for rule in (_row_noise, _optimiser, _basin, _encoder):
        found = rule(context)
        if found is not None:
            cause, sentence = found
            return Explanation(cause=cause, sentence=f"{words} {sentence}")
    excess = (context.standing.excess or 0.0) + context.row_noise
    if context.row_noise > max(NOISY * excess, 2 * context.standing.standard_error):
        possible = (*possible, Cause.ROW_NOISE)
    left = tuple(cause for cause in possible if cause not in _excluded(context))
    words += _tried(context)
    if left in _LEFT:  # the others are excluded
        return Explanation(cause=left[0], sentence=f"{words} {_LEFT[left]}")
    if not left:
        return Explanation(cause=Cause.UNKNOWN, sentence=f"{words} None of them helps.")
    return Explanation(
        cause=Cause.UNDECIDED,
        sentence=f"{words} Still possible: {'; or '.join(_STILL[cause] for cause in left)}.",
        possible=left,
        next_command=context.diagnosis,
    )


def _excluded(context: _Context) -> set[Cause]:
    """Causes that an experiment speaks against."""
    mended = context.helped(Variation.RESTART) is not None
    against = {
        Cause.OPTIMISER: context.of(Variation.LONGER) is not None,
        Cause.BASIN: context.of(Variation.RESTART) is not None and not mended,
        Cause.FLAT_LOSS: mended,
        Cause.ROW_NOISE: context.of(Variation.CLASS_LABELS) is not None,
        Cause.ENCODER: mended or _clears_the_encoder(context),
    }
    return {cause for cause, excluded in against.items() if excluded}


def _clears_the_encoder(context: _Context) -> bool:
    if context.oracle is not None:
        return context.oracle[1]
    wider = context.of(Variation.WIDER)
    return wider is not None and context.helped(Variation.WIDER) is None


_Ruling = tuple[Cause, str] | None


def _row_noise(context: _Context) -> _Ruling:
    twin = context.helped(Variation.CLASS_LABELS)
    if twin is None:
        return None
    often = "" if context.seen is None else f" (training saw each label {context.seen:,.0f} times)"
    return Cause.ROW_NOISE, (
        f"Head rows of single labels are noisy{often}: with {twin.detail} {_came_to(twin)}. Train "
        "for longer, or on fewer labels."
    )


def _optimiser(context: _Context) -> _Ruling:
    longer = context.helped(Variation.LONGER)
    if longer is not None and not context.restart_is_better:
        return Cause.OPTIMISER, (
            f"The optimiser had not arrived: with {longer.detail} {_came_to(longer)}."
        )
    wider = context.helped(Variation.WIDER)
    if wider is None or context.oracle is None or not context.oracle[1]:
        return None
    if context.of(Variation.LONGER) is None or context.helped(Variation.RESTART) is not None:
        return None
    return Cause.OPTIMISER, (
        f"The encoder can undo the generator (told the true latents it comes to an R² of "
        f"{fixed(context.oracle[0].r2, 3)}), but the optimiser does not find that from labels; "
        "with "
        f"{wider.detail} {_came_to(wider)}."
    )


def _basin(context: _Context) -> _Ruling:
    """Another start that helps, where a longer run does not or by far not as much."""
    restart, longer = context.helped(Variation.RESTART), context.of(Variation.LONGER)
    if restart is None or longer is None:
        return None
    return Cause.BASIN, (
        f"This start leads into a basin: with {restart.detail} {_came_to(restart)}; with "
        f"{longer.detail} {_came_to(longer)}."
    )


def _encoder(context: _Context) -> _Ruling:
    """An encoder that an oracle cannot teach, or a wider one that helps where steps do not."""
    wider, longer = context.helped(Variation.WIDER), context.of(Variation.LONGER)
    if longer is None or (context.oracle is not None and context.oracle[1]):
        return None
    if wider is None and context.oracle is None:
        return None
    told = (
        ""
        if context.oracle is None
        else f"; even told the true latents it comes to an R² of {fixed(context.oracle[0].r2, 3)}"
    )
    each = "; ".join(f"with {e.detail} {_came_to(e)}" for e in (longer, wider) if e is not None)
    return Cause.ENCODER, f"The encoder cannot undo the generator: {each}{told}."


def _came_to(experiment: Experiment) -> str:
    excess = "" if experiment.excess is None else f", excess {experiment.excess:.3g}"
    return f"R² is {fixed(experiment.r2, 3)}{excess}"


def _tried(context: _Context) -> str:
    if not context.experiments:
        return ""
    each = (f"{e.variation} ({e.detail}): {_came_to(e)}" for e in context.experiments)
    return f" Tried: {'; '.join(each)}."


def _with_world(found: Explanation, context: _Context) -> Explanation:
    """The same cause, with what the world alone takes away where that is not nothing."""
    if context.standing.full or found.cause is Cause.WORLD:
        return found
    world = (
        f" The world alone lowers the prediction from 1 to {fixed(context.standing.ceiling_r2, 3)}"
        f"{_broken(context.checks)}."
    )
    return replace(found, sentence=found.sentence + world)


def _with_rest(found: Explanation, r2_all: float) -> Explanation:
    rest = (
        f" That is of the part of h in the head's row space; all of h gives {fixed(r2_all, 3)}, "
        "and what "
        "that has more is inductive bias."
    )
    return replace(found, sentence=found.sentence + rest)


def _broken(checks: Sequence[AssumptionCheck]) -> str:
    """The assumptions that do not hold, in brackets, with what was measured of them."""
    named = [f"{check.name}: {check.detail}" for check in checks if not check.holds]
    return f" (not so here: {'; '.join(named)})" if named else ""
