"""Findings: what was predicted, recovered and explained, with the controls that give it meaning.

Every study returns findings; terminal, page, JSON and notebook read these objects, and verdicts are
made here and nowhere else, so that no two of them can say different things.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from identikit.core.estimate import Estimate, Spread, with_ends

LEVEL = 0.05
"""Of corrected p-values: above it a score may be chance."""

Quantity = Estimate | Spread | int | float
Tone = Literal["good", "warning", "bad", "neutral"]


class Verdict(StrEnum):
    """What a finding may say."""

    LEARNED = "learned"
    """Above chance, and clear of every control at hand."""
    NOT_LEARNED = "present, not learned"
    """Above chance, but not clearly above every control: the untrained twin or the pixels may have
    it too."""
    PRESENT = "present"
    """Above chance, and no control is at hand to say whether it was learned."""
    NOT_SHOWN = "not shown"
    """The interval reaches chance, or shuffles often do as well."""
    UNDECIDED = "undecided"
    """Too few independent samples for any test to tell, or the run has not ended."""
    AS_PREDICTED = "as predicted"
    LESS = "less than predicted"
    MORE = "more than predicted"
    MEASURED = "measured"
    """Theory predicts nothing here, and nothing is claimed."""

    @property
    def tone(self) -> Tone:
        """The colour of the verdict."""
        return _TONES[self]

    @property
    def mark(self) -> str:
        """What stands for it where there is room for a letter."""
        return _MARKS.get(self, "")


_TONES: dict[Verdict, Tone] = {
    Verdict.LEARNED: "good",
    Verdict.NOT_LEARNED: "warning",
    Verdict.PRESENT: "neutral",
    Verdict.NOT_SHOWN: "neutral",
    Verdict.UNDECIDED: "neutral",
    Verdict.AS_PREDICTED: "good",
    Verdict.LESS: "warning",
    Verdict.MORE: "warning",
    Verdict.MEASURED: "neutral",
}


_MARKS = {
    Verdict.LEARNED: "✓",
    Verdict.NOT_LEARNED: "!",
    Verdict.NOT_SHOWN: "–",
    Verdict.UNDECIDED: "?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The same quantity from something that was not taught, on the same held-out samples."""

    name: str
    """pixels, untrained twin, random projection, ..."""
    recovered: Quantity
    lead: Estimate | None = None
    """What was recovered less the control, paired; None where the two cannot be paired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One quantity: what theory says, what came out, what needs no learning, and why."""

    quantity: str
    measure: str = ""
    """R², AUC, ...; empty where the quantity says it."""
    predicted: Quantity | None = None
    """By theory alone; None where it makes no promise."""
    recovered: Quantity | None
    """Held out, with its interval; None where it could not be measured."""
    chance: float | None = None
    """What something that knows nothing is expected to reach."""
    controls: tuple[Control, ...] = ()
    explained: str
    """One or two plain sentences."""
    verdict: Verdict
    decide: str | None = None
    """The command that would decide what is still open."""
    place: str = ""
    """Where it was measured, such as a layer; empty where there is one place only."""

    @property
    def name(self) -> str:
        """The quantity with its place."""
        return f"{self.quantity} at {self.place}" if self.place else self.quantity

    @property
    def label(self) -> str:
        """The same with its measure."""
        return f"{self.name} ({self.measure})" if self.measure else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What a whole result says, in a sentence."""

    sentence: str
    word: str
    """Beside the tick: Learned, Learned in part, ..."""
    tone: Tone


def judge_factor(
    recovered: Estimate,
    *,
    chance: float,
    controls: Sequence[Control] = (),
    p: float | None = None,
    least_p: float | None = None,
) -> Verdict:
    """The verdict on a factor that was decoded from a representation.

    Args:
        recovered: Its held-out score.
        chance: What features that know nothing reach.
        controls: The same of other features; one without a paired lead is held against the
            interval of what was recovered.
        p: Corrected p-value; None if no test was made.
        least_p: The smallest corrected p-value that the test could have given.
    """
    if least_p is not None and least_p > LEVEL:
        return Verdict.UNDECIDED
    if recovered.low <= chance or (p is not None and p > LEVEL):
        return Verdict.NOT_SHOWN
    if not controls:
        return Verdict.PRESENT
    clear = all(_leads(recovered, control) for control in controls)
    return Verdict.LEARNED if clear else Verdict.NOT_LEARNED


def _leads(recovered: Estimate, control: Control) -> bool:
    if control.lead is not None:
        return control.lead.low > 0
    return recovered.low > with_ends(control.recovered)[2]


def _trails(recovered: Estimate, control: Control) -> bool:
    if control.lead is not None:
        return control.lead.high < 0
    return recovered.high < with_ends(control.recovered)[1]


def beside_controls(recovered: Estimate, controls: Sequence[Control]) -> str:
    """Which controls something is clearly above, or which have more of it and which as much.

    Args:
        recovered: What `judge_factor` was given.
        controls: One or more.
    """
    level = [control for control in controls if not _leads(recovered, control)]
    if not level:
        return f"clearly above {listed([control.name for control in controls])}"
    more = [control.name for control in level if _trails(recovered, control)]
    even = [control.name for control in level if control.name not in more]
    words = [f"there is more of it in {listed(more)}"] if more else []
    words += [f"not clearly above {listed(even)}"] if even else []
    return ", ".join(words)


def judge_prediction(recovered: int | float, predicted: int | float, *, close: bool) -> Verdict:
    """The verdict on a quantity that theory predicts.

    Args:
        recovered: What was measured.
        predicted: Its value at the optimum of the loss.
        close: Whether the run is at the optimum, as far as can be told: see `theory.explain`.
    """
    if close:
        return Verdict.AS_PREDICTED
    return Verdict.LESS if recovered < predicted else Verdict.MORE


def judge_interval(
    recovered: Estimate, predicted: float, *, within: float, enough: bool = True
) -> Verdict:
    """The verdict on a quantity that theory predicts, by its interval alone.

    Args:
        recovered: What was measured.
        predicted: What theory says.
        within: Distance from the prediction that counts as none.
        enough: Whether the samples are so many that a shortfall cannot be theirs.
    """
    if recovered.low > predicted + within:
        return Verdict.MORE
    if recovered.high < predicted - within:
        return Verdict.LESS if enough else Verdict.UNDECIDED
    inside = predicted - within <= recovered.low and recovered.high <= predicted + within
    return Verdict.AS_PREDICTED if inside else Verdict.UNDECIDED


def factor_headline(findings: Sequence[Finding]) -> Headline:
    """How many factors were learned, how many are only present, and which."""
    by_verdict = {
        verdict: [finding.quantity for finding in findings if finding.verdict is verdict]
        for verdict in Verdict
    }
    n = len(findings)
    if not n:
        return Headline(sentence="Nothing was measured.", word="Undecided", tone="neutral")
    learned, present = by_verdict[Verdict.LEARNED], by_verdict[Verdict.PRESENT]
    parts = [say(names, n) for verdict, say in _SAID.items() if (names := by_verdict[verdict])]
    sentence = "; ".join(parts)
    sentence = sentence[:1].upper() + sentence[1:] + "."
    if len(learned) == n:
        return Headline(sentence=sentence, word="Learned", tone="good")
    if learned:
        return Headline(sentence=sentence, word="Learned in part", tone="warning")
    if present:
        return Headline(sentence=sentence, word="Present", tone="neutral")
    if by_verdict[Verdict.NOT_LEARNED]:
        return Headline(sentence=sentence, word="Present, not learned", tone="warning")
    if by_verdict[Verdict.UNDECIDED]:
        return Headline(sentence=sentence, word="Undecided", tone="neutral")
    return Headline(sentence=sentence, word="Not shown", tone="neutral")


_SAID: dict[Verdict, Callable[[list[str], int], str]] = {
    Verdict.LEARNED: lambda names, n: f"{len(names)} of {n} learned ({listed(names)})",
    Verdict.PRESENT: lambda names, n: (
        f"{len(names)} of {n} present ({listed(names)}), with no control at hand to say whether "
        "learned"
    ),
    Verdict.NOT_LEARNED: lambda names, n: (
        f"{len(names)} of {n} present, but not clearly above every control ({listed(names)})"
    ),
    Verdict.NOT_SHOWN: lambda names, n: f"{len(names)} of {n} not shown ({listed(names)})",
    Verdict.UNDECIDED: lambda names, n: (
        f"{len(names)} of {n} undecided, for want of independent samples ({listed(names)})"
    ),
}
"""How a count of each verdict on factors is put into words."""


def listed(names: Sequence[str], *, most: int = 8) -> str:
    """Names with commas; of many the first ones and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def overall(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings that are about no single place; all of them, where each has its own."""
    return tuple(finding for finding in findings if not finding.place) or tuple(findings)


def by_place(findings: Sequence[Finding]) -> dict[str, dict[str, Finding]]:
    """Findings that have a place: of each place, in their order, those on each quantity."""
    found: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        if finding.place:
            found.setdefault(finding.place, {})[finding.quantity] = finding
    return found


def controls_of(findings: Sequence[Finding]) -> list[str]:
    """The names of all controls, in the order in which they first appear: a column each."""
    return list(dict.fromkeys(control.name for f in findings for control in f.controls))
