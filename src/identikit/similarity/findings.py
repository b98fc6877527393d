"""What a comparison says: a finding per score and the headline, whose verdicts follow intervals."""

from collections.abc import Iterable, Iterator

from identikit.core.finding import Finding, Headline, Verdict, judge_prediction
from identikit.similarity.explain import (
    LINEAR,
    PREDICTION_MARGIN,
    ROTATION,
    explain_likelihoods,
    explain_similarity,
    judge_similarity,
    no_parts,
    predicted,
)
from identikit.similarity.result import ComparisonScores, SpaceScores

SHOWN = {
    "head row space": ("r2_ab", "r2_ba", "procrustes_ab", "cca", "cka"),
    "whole": ("r2_ab", "r2_ba", "procrustes_ab", "cca", "cka", "knn"),
    "complement": ("r2_ab", "r2_ba", "cka"),
}
"""Scores with a finding of their own, space by space; first the only one of which theory speaks."""


def similarity_findings(comparison: ComparisonScores) -> tuple[Finding, ...]:
    """A finding for each score that is shown."""
    order = sorted(comparison.spaces, key=lambda space: list(SHOWN).index(space.name))
    scores = (
        Finding(
            quantity=f"{space.name}: {score.label}",
            predicted=predicted(comparison, space, score.measure),
            recovered=score.estimate,
            chance=score.chance,
            explained=explain_similarity(comparison, space, score),
            verdict=judge_similarity(comparison, space, score),
        )
        for space in order
        for score in space.scores
        if score.measure in SHOWN[space.name]
    )
    return (*scores, *_likelihood_findings(comparison))


def _likelihood_findings(comparison: ComparisonScores) -> Iterator[Finding]:
    found = comparison.likelihoods
    if found is not None:
        close = found.bound <= PREDICTION_MARGIN
        yield Finding(
            quantity="posteriors: log-likelihood-variance distance",
            predicted=0.0,
            recovered=found.llv,
            explained=explain_likelihoods(found),
            verdict=judge_prediction(found.llv, 0.0, close=close),
        )


def similarity_headline(comparison: ComparisonScores) -> Headline:
    """Whether the two agree where theory says that they must."""
    part = comparison.space("head row space")
    if part is None:
        sentence = f"{no_parts(comparison)}; on the whole spaces {_linear(comparison.spaces[0])}."
        return _headline(sentence, Verdict.MEASURED)
    linear = _judge(comparison, part, LINEAR)
    if linear is Verdict.LESS:
        words = "the two fall short of linear images of each other"
    elif linear is Verdict.UNDECIDED:
        words = "it cannot be told whether the two are linear images of each other"
    else:
        words = "the two are linear images of each other"
    sentence = f"In the row spaces of their heads {words}: {_linear(part)}"
    if linear is not Verdict.AS_PREDICTED or not comparison.unit_norm:
        return _headline(f"{sentence}.", linear)
    turned = _judge(comparison, part, ROTATION)
    also = {
        Verdict.LESS: "but no scaled rotations, as features and rows of one norm ask",
        Verdict.UNDECIDED: "but whether scaled rotations, as features and rows of one norm ask, "
        "cannot be told",
    }.get(turned, "and scaled rotations, as features and rows of one norm ask")
    return _headline(
        f"{sentence}; {also} (Procrustes R² {part['procrustes_ab'].estimate}).", turned
    )


def _judge(comparison: ComparisonScores, space: SpaceScores, measures: Iterable[str]) -> Verdict:
    """The worst verdict on the shown scores among these, all of which theory predicts."""
    shown = [score for m in measures if m in SHOWN[space.name] and (score := space.get(m))]
    found = {judge_similarity(comparison, space, score) for score in shown}
    ranked = (Verdict.LESS, Verdict.UNDECIDED, Verdict.AS_PREDICTED)
    return next(verdict for verdict in ranked if verdict in found)


def _linear(space: SpaceScores) -> str:
    forth, back = space["r2_ab"].estimate, space["r2_ba"].estimate
    return f"linear R² {forth} from A to B and {back} back"


def _headline(sentence: str, verdict: Verdict) -> Headline:
    return Headline(sentence=sentence, word=verdict.capitalize(), tone=verdict.tone)
