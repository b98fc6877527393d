"""What theory predicts of two models' similarity, and why it is what it is, in plain words.

Two networks trained with cross-entropy on the same labels share one posterior at the optimum,
W_c h = V_c h' + const (centred heads W, V), so that the parts of h and h' that their heads cover
are affine images of each other: linear R² 1 both ways; with unit norms of features and rows a
scaled rotation, so that Procrustes R² and CKA are 1 too (Roeder, Metz and Kingma 2021,
arXiv:2007.00810; arXiv:2410.21869). Of the rest, and so of whole spaces that have one, theory says
nothing; nor of
scores that weigh all covered directions alike: a head has up to (labels - 1) of them where the
posterior needs fewer, and training leaves noise in the others.
"""

from identikit.core.estimate import fixed
from identikit.core.finding import Verdict, judge_interval
from identikit.similarity.result import (
    ComparisonScores,
    LikelihoodDistances,
    Similarity,
    SpaceScores,
)

PREDICTION_MARGIN = 0.02
"""Of the prediction, within which the interval of a score that has met it must lie."""
CLOSE_KL = 0.05
"""Nats, below which two posteriors are close in likelihood."""
FEW = 10
"""Training samples for each direction of a map, below which a shortfall may be theirs."""
LINEAR = ("r2_ab", "r2_ba")
ROTATION = ("procrustes_ab", "procrustes_ba", "cka", "cka_biased")


def predicted(comparison: ComparisonScores, space: SpaceScores, measure: str) -> float | None:
    """The score of two optima on the same labels; None where theory is silent.

    Args:
        comparison: Of two models.
        space: One of its spaces.
        measure: A score's name.
    """
    covered = comparison.space("head row space")
    if covered is None or (space.rank_a, space.rank_b) != (covered.rank_a, covered.rank_b):
        return None
    if space.name == "complement":
        return None
    allowed = LINEAR + (ROTATION if comparison.unit_norm else ())
    return 1.0 if measure in allowed else None


def judge_similarity(
    comparison: ComparisonScores, space: SpaceScores, score: Similarity
) -> Verdict:
    """The verdict on a score; measured, where theory is silent."""
    target = predicted(comparison, space, score.measure)
    if target is None:
        return Verdict.MEASURED
    enough = space.rank_a != space.rank_b or not _few(comparison, space)
    return judge_interval(score.estimate, target, within=PREDICTION_MARGIN, enough=enough)


def explain_similarity(comparison: ComparisonScores, space: SpaceScores, score: Similarity) -> str:
    """One or two sentences."""
    target = predicted(comparison, space, score.measure)
    if target is not None:
        return _against(target, comparison, space, score)
    silence = _silence(score.measure, space, comparison)
    if score.chance is not None and score.estimate.low <= score.chance:
        return "The interval reaches chance. " + silence
    if score.ceiling is None or score.ceiling >= 1 - PREDICTION_MARGIN:
        return silence
    return f"{silence} {_reason(score.measure)} allow {fixed(score.ceiling, 3)} at most."


def _against(
    target: float, comparison: ComparisonScores, space: SpaceScores, score: Similarity
) -> str:
    verdict = judge_similarity(comparison, space, score)
    if verdict is Verdict.AS_PREDICTED:
        return "As two optima on the same labels must."
    if verdict is Verdict.UNDECIDED and score.estimate.high >= target - PREDICTION_MARGIN:
        return (
            "The interval leaves open whether this is what two optima on the same labels reach; "
            "more samples would tell."
        )
    gap = target - score.estimate.value
    short = f"{fixed(gap, 3)} less than two optima on the same labels would reach: "
    if space.rank_a != space.rank_b:
        return short + (
            f"the heads cover {space.rank_a} and {space.rank_b} directions, so the models were "
            "trained on different labels, or one has not enough dimensions."
        )
    if _few(comparison, space):
        return short + (
            f"{comparison.n_train} samples may be too few to fit a map of {space.rank_a} "
            "directions."
        )
    return short + (
        "one of the two is not at its optimum, or there are directions that its loss hardly feels."
    )


def explain_likelihoods(found: LikelihoodDistances) -> str:
    """Whether the posteriors are close, in which sense, and what that bounds."""
    kl = f"the posteriors differ by {fixed(found.kl, 3)} nats (KL)"
    is_ = f"it is {fixed(found.distance, 3)}"
    if found.bound <= PREDICTION_MARGIN:
        return (
            f"So close that the distance of the representations is at most "
            f"{fixed(found.bound, 3)}; {is_}, and {kl}."
        )
    if found.kl < CLOSE_KL:
        return (
            f"Close in likelihood only: {kl}, which bounds nothing; the distance of the "
            f"representations is bounded by {fixed(found.bound, 3)}, and {is_}."
        )
    return (
        f"Two optima on the same labels have one posterior; {kl}. The distance of the "
        f"representations is bounded by {fixed(found.bound, 3)}, and {is_}."
    )


def _few(comparison: ComparisonScores, space: SpaceScores) -> bool:
    return comparison.n_train < FEW * space.rank_a


def _silence(measure: str, space: SpaceScores, comparison: ComparisonScores) -> str:
    if space.name == "complement":
        return "Theory is silent: what agrees outside the heads is not the loss's doing."
    if comparison.space("head row space") is None:
        return f"{no_parts(comparison)}."
    if space.name == "head row space" and measure in ROTATION:
        return "Theory promises a linear map, which need not be a rotation."
    if space.name == "head row space":
        return "Weak directions count as much as strong ones, and hold what training left over."
    return "Mixes what the heads cover with what they do not; theory is silent."


def no_parts(comparison: ComparisonScores) -> str:
    """Why the parts that heads cover could not be compared."""
    if comparison.unit_norm is None:
        return "Without both heads theory cannot say which part must agree"
    return "What the heads cover does not vary in the features of one of the two"


def _reason(measure: str) -> str:
    return "The ranks" if measure.startswith("r2") else "The two spectra"
