"""What theory predicts of two models, and the sentence beside each score."""

import re
from dataclasses import replace

import pytest

from identikit.core.estimate import Estimate
from identikit.similarity.comparison import Comparison, Similarity, SpaceScores
from identikit.similarity.explain import explain_similarity, predicted


def similarity(measure: str, value: float, ceiling: float | None = None) -> Similarity:
    estimate = Estimate(value, value - 0.01, value + 0.01)
    return Similarity(measure=measure, estimate=estimate, chance=-0.02, ceiling=ceiling)


def space(name: str, rank_a: int = 4, rank_b: int = 4) -> SpaceScores:
    return SpaceScores(
        name=name,
        rank_a=rank_a,
        rank_b=rank_b,
        scores=(),
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
        ("complement", similarity("r2_ab", -0.02), {}, "No more than chance. Theory is silent"),
        ("whole", similarity("r2_ab", 0.8, 0.9), {}, "Mixes what .* The ranks allow 0.900"),
    ],
)
def test_the_sentence_says_what_to_make_of_a_score(
    name: str, score: Similarity, change: dict[str, int], said: str
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
