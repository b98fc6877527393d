"""What theory predicts of two models, and the sentence beside each score."""

import re
from dataclasses import replace
from typing import Any

import pytest

from identikit.core.estimate import Estimate
from identikit.core.finding import Verdict
from identikit.similarity.comparison import Comparison
from identikit.similarity.explain import explain_similarity, judge_similarity, predicted
from identikit.similarity.findings import similarity_findings, similarity_headline
from identikit.similarity.result import Similarity, SpaceScores


def similarity(
    measure: str, value: float, ceiling: float | None = None, half: float = 0.005
) -> Similarity:
    estimate = Estimate(value, value - half, min(value + half, 1.0))
    return Similarity(measure=measure, estimate=estimate, chance=-0.02, ceiling=ceiling)


def space(
    name: str, rank_a: int = 4, rank_b: int = 4, scores: tuple[Similarity, ...] = ()
) -> SpaceScores:
    return SpaceScores(
        name=name,
        rank_a=rank_a,
        rank_b=rank_b,
        scores=scores,
        canonical=(),
        canonical_fitted=(),
        singular_values=(),
        penalties=(0.0, 0.0),
    )


def comparison(*spaces: SpaceScores, unit_norm: bool | None = False) -> Comparison:
    return Comparison(
        names=("a", "b"), spaces=spaces, n_train=500, n_test=500, dims=(9, 9), unit_norm=unit_norm
    )


def test_only_covered_parts_have_a_prediction() -> None:
    spaces = space("whole", 9, 9), space("head row space"), space("complement")
    found = comparison(*spaces)
    assert [predicted(found, s, "r2_ab") for s in spaces] == [None, 1.0, None]
    assert predicted(found, spaces[1], "cca") is None
    assert predicted(comparison(space("whole")), space("whole"), "r2_ab") is None


def test_a_head_that_covers_all_speaks_of_the_whole() -> None:
    whole = space("whole")
    assert predicted(comparison(whole, space("head row space")), whole, "r2_ba") == 1.0


@pytest.mark.parametrize(("unit_norm", "wanted"), [(True, 1.0), (False, None)])
def test_unit_norms_promise_a_rotation(unit_norm: bool, wanted: float | None) -> None:
    covered = space("head row space")
    found = comparison(space("whole", 9, 9), covered, unit_norm=unit_norm)
    assert predicted(found, covered, "procrustes_ab") == wanted
    assert predicted(found, covered, "cka") == wanted


@pytest.mark.parametrize(
    ("name", "score", "change", "said"),
    [
        ("head row space", similarity("r2_ab", 0.99), {}, "As two optima"),
        ("head row space", similarity("r2_ab", 0.99, half=0.02), {}, "leaves open whether"),
        ("head row space", similarity("r2_ab", 0.97, half=0.02), {}, "leaves open whether"),
        ("head row space", similarity("r2_ab", 0.9), {}, "0.100 less than .* not at its optimum"),
        ("head row space", similarity("r2_ab", 0.9), {"n_train": 30}, "30 samples may be too few"),
        ("head row space", similarity("cca", 0.6), {}, "Weak directions count as much"),
        (
            "head row space",
            similarity("cka", 0.6, 0.7),
            {},
            "not be a rotation. The two spectra allow 0.7",
        ),
        ("complement", similarity("cka", 0.2, 1.0), {}, "Theory is silent: what agrees outside"),
        (
            "complement",
            similarity("r2_ab", -0.02),
            {},
            "The interval reaches chance. Theory is silent",
        ),
        ("whole", similarity("r2_ab", 0.8, 0.9), {}, "Mixes what .* The ranks allow 0.900"),
    ],
)
def test_the_sentence_says_what_to_make_of_a_score(
    name: str, score: Similarity, change: dict[str, Any], said: str
) -> None:
    spaces = {
        "whole": space("whole", 9, 9),
        "head row space": space("head row space"),
        "complement": space("complement"),
    }
    found = replace(comparison(*spaces.values()), **change)
    assert re.search(said, explain_similarity(found, spaces[name], score))


def test_heads_of_different_ranks_are_named() -> None:
    covered = space("head row space", 4, 3)
    found = comparison(space("whole", 9, 9), covered)
    said = explain_similarity(found, covered, similarity("r2_ab", 0.5))
    assert "cover 4 and 3 directions" in said


def compared(
    forth: float, back: float, turned: float = 0.7, *, half: float = 0.005
) -> tuple[SpaceScores, ...]:
    values = {"r2_ab": forth, "r2_ba": back, "procrustes_ab": turned, "cka": turned, "cca": 0.4}
    scores = tuple(similarity(measure, value, half=half) for measure, value in values.items())
    return space("whole", 9, 9, scores), space("head row space", scores=scores)


@pytest.mark.parametrize(
    ("spaces", "unit_norm", "word", "tone", "said"),
    [
        (compared(0.99, 0.995), False, "As predicted", "good", "the two are linear images"),
        (compared(0.99, 0.9), False, "Less than predicted", "warning", "fall short of linear"),
        (compared(0.9, 0.99), False, "Less than predicted", "warning", "fall short of linear"),
        (compared(0.99, 0.995, half=0.02), False, "Undecided", "neutral", "cannot be told whether"),
        (compared(0.97, 0.97, half=0.02), False, "Undecided", "neutral", "cannot be told whether"),
        (compared(0.9, 0.97, half=0.02), False, "Less than predicted", "warning", "fall short"),
        (compared(0.99, 0.99, 0.99), True, "As predicted", "good", "images .*; and scaled rot"),
        (compared(0.99, 0.99, 0.7), True, "Less than predicted", "warning", "; but no scaled"),
        (compared(0.999, 0.999, 0.98), True, "Undecided", "neutral", "; but whether scaled"),
        (compared(0.7, 0.7, 0.99), True, "Less than predicted", "warning", "fall short .*back.$"),
    ],
)
def test_the_headline_follows_the_intervals_of_what_theory_predicts(
    spaces: tuple[SpaceScores, ...], unit_norm: bool, word: str, tone: str, said: str
) -> None:
    found = comparison(*spaces, unit_norm=unit_norm)
    headline = similarity_headline(found)
    assert (headline.word, headline.tone) == (word, tone)
    assert re.search(said, headline.sentence)
    promised = {f.verdict for f in similarity_findings(found) if f.predicted is not None}
    assert (promised == {Verdict.AS_PREDICTED}) == (tone == "good")


def test_too_few_samples_to_fit_a_map_leave_a_shortfall_undecided() -> None:
    found = replace(comparison(*compared(0.9, 0.9)), n_train=39)
    assert similarity_headline(found).word == "Undecided"
    whole, part = found.spaces
    assert judge_similarity(found, part, part["r2_ab"]) is Verdict.UNDECIDED
    assert judge_similarity(found, whole, whole["r2_ab"]) is Verdict.MEASURED


@pytest.mark.parametrize(
    ("unit_norm", "said"), [(None, "Without both heads"), (False, "does not vary")]
)
def test_whole_spaces_alone_are_measured_and_nothing_is_claimed(
    unit_norm: bool | None, said: str
) -> None:
    whole, _ = compared(0.99, 0.99, 0.99)
    found = comparison(whole, unit_norm=unit_norm)
    headline = similarity_headline(found)
    assert (headline.word, headline.tone) == ("Measured", "neutral")
    assert said in headline.sentence
    assert {f.verdict for f in similarity_findings(found)} == {Verdict.MEASURED}
    assert all(f.predicted is None and said in f.explained for f in similarity_findings(found))
