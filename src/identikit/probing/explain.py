"""Why a factor's score is what it is: a rule over its own numbers, in few words (ours)."""

from identikit.probing.result import OK, FactorScore

MOSTLY = 0.9
"""Share of what was gained over chance that must come from the covered part."""


def explain_factor(score: FactorScore) -> str:
    """One phrase about one factor."""
    if score.status != OK:
        return score.status
    if score.estimate.low <= score.chance:
        return "no better than chance"
    if score.covered is None:
        return "linearly there; without a head, nothing is guaranteed"
    gain = score.estimate.value - score.chance
    if score.covered.value - score.chance >= MOSTLY * gain:
        return "inside the covered part, which theory pins down"
    if score.covered.low <= score.chance:
        return "outside the covered part: inductive bias"
    return "partly outside the covered part: inductive bias"
