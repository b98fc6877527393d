import math
from collections import Counter

import pytest

from identikit.literature.paper import Neighbourhood, Paper
from identikit.literature.terms import key_terms, shared_terms, summary

OTHERS = ["gears turn", "gears hum", "cogs turn", "cogs hum", "gears"]


def around(abstract: str, others: list[str]) -> Neighbourhood:
    papers = [Paper(title=f"T{k}", abstract=text) for k, text in enumerate(others)]
    return Neighbourhood(paper=Paper(title="P", abstract=abstract), neighbours=tuple(papers))


def test_weights_are_tf_idf_by_the_definition() -> None:
    own = "Gears, gears and widgets turn. Widgets"
    sentence, found = key_terms(around(own, OTHERS))
    terms = Counter(["gears", "gears", "widgets", "turn", "widgets turn", "widgets"])
    documents = [own.lower(), *OTHERS]
    idf = {t: math.log(7 / (1 + sum(t in d for d in documents))) + 1 for t in terms}
    raw = {t: count * idf[t] for t, count in terms.items()}
    norm = math.sqrt(sum(w**2 for w in raw.values()))
    # no pair across a comma, a stop word or a full stop; "turn" is in a pair that weighs more
    assert [term for term, _ in found] == ["widgets", "gears", "widgets turn"]
    assert dict(found) == pytest.approx({t: raw[t] / norm for t, _ in found})
    assert "5 neighbours" in sentence


@pytest.mark.parametrize(
    ("abstract", "others", "words"),
    [
        ("", OTHERS, "abstract of this paper is not at hand"),
        ("gears", OTHERS[:4], "at least 5 neighbours, and 4 are at hand"),
        ("the of and", OTHERS, "no words to weigh"),
        ("the of and", ["the"] * 5, "no words to weigh"),
    ],
)
def test_where_there_are_no_terms_a_sentence_says_why(
    abstract: str, others: list[str], words: str
) -> None:
    sentence, found = key_terms(around(abstract, others))
    assert found == []
    assert words in sentence


def test_shared_terms_name_who_shares_them_and_likeness_is_a_cosine() -> None:
    titles = ["Linear gears", "linear gears again", "Linear gears and cogs", "Cogs alone"]
    shared, likeness = shared_terms([Paper(title=title) for title in titles])
    assert shared == {"linear gears": {0, 1, 2}}  # cogs are in two only
    assert likeness[0] == pytest.approx(1)
    assert likeness[1] > likeness[3] == 0
    assert shared_terms([Paper(title="the")])[0] == {}


def test_the_summary_is_two_sentences_of_the_abstract_in_order() -> None:
    abstract = (
        "It rains. Gears turn widgets and widgets turn gears. Nobody knows why (we do). "
        "Widgets and gears are one."
    )
    assert summary(abstract) == (
        "Gears turn widgets and widgets turn gears.",
        "Widgets and gears are one.",
    )
    assert summary("One sentence, e.g. this") == ("One sentence, e.g. this",)
    assert summary("") == ()
    assert summary("The. Of. And.") == ("The.", "Of.")
