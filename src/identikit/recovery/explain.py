"""Why a factor's score is what it is: a rule over its own numbers, in plain words (ours)."""

from identikit.recovery.result import OK, FactorScore

MOSTLY = 0.9
"""Share of what was gained over chance that must come from the covered part."""


def explain_factor(score: FactorScore) -> str:
    """One sentence about one factor."""
    if score.status != OK:
        return score.status[:1].upper() + score.status[1:] + "."
    if score.estimate.low <= score.chance:
        return "No better than chance: not linearly in these features."
    if score.covered is None:
        return "Linearly there; without the head, theory cannot say which part is guaranteed."
    gain = score.estimate.value - score.chance
    if score.covered.value - score.chance >= MOSTLY * gain:
        return "Inside the covered part: what cross-entropy pins down."
    if score.covered.low <= score.chance:
        return "Outside the covered part: inductive bias, not guaranteed by theory."
    return "Partly outside the covered part: what goes beyond it is inductive bias."
