"""What a recovery says, factor by factor: findings with verdicts and the words for them (ours)."""

from collections.abc import Sequence

from identikit.core.estimate import Estimate, fixed, format_number
from identikit.core.finding import Control, Finding, Verdict, beside_controls, judge_factor
from identikit.probing.result import OK, FactorScore, RecoveryScores

MOSTLY = 0.9
"""Share of what was gained over chance from which a factor counts as lying in one part of h."""


def factor_findings(recovery: RecoveryScores) -> tuple[Finding, ...]:
    """A finding for each factor, judged against every control at hand."""
    return tuple(factor_finding(recovery, j) for j in range(len(recovery.factors)))


def factor_finding(recovery: RecoveryScores, j: int) -> Finding:
    """The finding on the factor in that place."""
    score = recovery.factors[j]
    controls = tuple(
        Control(name=name, recovered=scores[j].estimate, lead=score.above.get(name))
        for name, scores in recovery.controls.items()
    )
    verdict = judge_factor(
        score.estimate,
        chance=score.chance,
        controls=controls,
        p=score.p_holm,
        least_p=score.least_p_holm,
    )
    predicted = recovery.ceiling if score.measure == "R²" else None
    explained = _explained(score, verdict, controls)
    if predicted is not None:
        explained += f" Predicted: {recovery.prediction}."
    return Finding(
        quantity=score.name,
        measure=score.measure,
        predicted=predicted,
        recovered=score.estimate,
        chance=score.chance,
        controls=controls,
        explained=explained,
        verdict=verdict,
    )


def _explained(score: FactorScore, verdict: Verdict, controls: Sequence[Control]) -> str:
    words = [_why(score, verdict, controls)]
    if score.row_space is not None and verdict is not Verdict.NOT_SHOWN:
        words.append(_where(score, score.row_space))
    if score.over_training is not None:
        words.append(f"over training rows too {score.over_training}")
    if score.p_holm is not None:
        words.append(f"p {format_number(score.p_holm)} (Holm)")
    if score.selectivity is not None:
        words.append(f"selectivity {score.selectivity}")
    if score.status != OK:
        words.append(score.status)
    return "; ".join(words) + "."


def _why(score: FactorScore, verdict: Verdict, controls: Sequence[Control]) -> str:
    if verdict is Verdict.UNDECIDED:
        assert score.least_p_holm is not None
        if score.least_p_value == 1:
            return "nothing about it may be shuffled, so that no test tells it from chance"
        return (
            f"too few independent samples: no p-value below {format_number(score.least_p_holm)} "
            "could have come out"
        )
    if verdict is Verdict.NOT_SHOWN:
        reaches = score.estimate.low <= score.chance
        return "the interval reaches chance" if reaches else "shuffled values do as well too often"
    if verdict is Verdict.PRESENT:
        return "linearly there; no control is at hand to say whether it was learned"
    return beside_controls(score.estimate, controls)


def _where(score: FactorScore, inside: Estimate) -> str:
    """In which part of h a factor lies; that is algebra, and no guarantee without an optimum."""
    gain = score.estimate.value - score.chance
    if inside.value - score.chance >= MOSTLY * gain:
        return f"{fixed(inside.value, 3)} of it from the head row space alone"
    if inside.low <= score.chance:
        return "outside the head row space, of which theory says nothing"
    return f"{fixed(inside.value, 3)} from the head row space, more from its complement"
