"""Which targets count as found, and how a page speaks of them."""

from dataclasses import replace

import pytest

from identikit.core.estimate import Estimate
from identikit.core.finding import Verdict
from identikit.core.serialization import from_plain, to_plain
from identikit.studies.paper.imagenet_x.linear_probes import TargetProbe
from identikit.studies.paper.imagenet_x.page import _image_section
from identikit.studies.paper.imagenet_x.result import ImageNetXResult, Represented, Role


def target_probe(value: float, *, p: float, n_test: int = 200) -> TargetProbe:
    own = Estimate(value, value - 0.02, value + 0.02)
    return TargetProbe(
        scores=((value,) * 7,) * 2,
        estimates=(own,) * 7,
        stretched=(1.0,) * 7,
        p_value=p,
        p_plain=p,
        n_train=2 * n_test,
        n_test=n_test,
        penalties=(1.0, 1.0),
        converged=True,
    )


def represented(role: Role, accuracies: dict[str, TargetProbe], model: str = "net") -> Represented:
    return Represented(
        name=f"{model} {role}", role=role, model=model, dim=5, corrected=accuracies, published={}
    )


RESULT = ImageNetXResult(
    images=900,
    annotated=1000,
    damaged=(),
    positives={"pose": 400, "color": 300, "style": 20},
    left_out=(),
    represented=(
        represented(
            "trained",
            {
                "pose": target_probe(0.9, p=1e-5),
                "color": target_probe(0.6, p=0.02),
                "style": target_probe(0.9, p=1e-6, n_test=50),
            },
        ),
        represented("head row space", {"pose": target_probe(0.8, p=1e-4)}),
        represented(
            "class", {"pose": target_probe(0.7, p=1e-4), "color": target_probe(0.5, p=1.0)}, ""
        ),
    ),
)


def test_p_values_are_corrected_for_all_tests_of_the_page() -> None:
    first = RESULT.of("trained")
    assert first is not None
    assert RESULT.corrected[first.name, "style"] == pytest.approx(6e-6)  # six tests
    assert RESULT.corrected[first.name, "color"] == pytest.approx(0.04)
    assert [f.verdict for f in RESULT.findings] == [
        Verdict.PRESENT,
        Verdict.PRESENT,
        Verdict.UNDECIDED,  # from too few images, whatever its p
    ]
    assert RESULT.share == 0.9
    assert RESULT.of("complement", "net") is None
    assert RESULT.of("head row space", "net") is RESULT.represented[1]


def said(result: ImageNetXResult, target: str) -> str:
    return {f.quantity.partition(".")[0]: f.explained for f in result.findings}[target]


def with_pose(value: float) -> ImageNetXResult:
    first = replace(RESULT.represented[0], corrected={"pose": target_probe(value, p=1e-5)})
    positives, rest = {"pose": 400}, RESULT.represented[1:]
    return replace(RESULT, positives=positives, represented=(first, *rest))


def test_words_hold_the_score_against_what_the_class_gives_away() -> None:
    assert said(RESULT, "pose").startswith("More than the class gives away")
    assert "inside what the head reads 0.80" in said(RESULT, "pose")
    assert "outside" not in said(RESULT, "pose")
    assert said(RESULT, "style").startswith("Only 50 test images: no conclusion.")
    assert "As much as the class" in said(with_pose(0.7), "pose")
    assert "Less than the class" in said(with_pose(0.6), "pose")


def test_what_the_untrained_twin_has_too_is_not_called_learned() -> None:
    alone = with_pose(0.9)
    assert [f.verdict for f in alone.findings] == [Verdict.PRESENT]
    assert [f.verdict for f in RESULT.findings][-1] is Verdict.UNDECIDED
    for value, verdict in ((0.6, Verdict.LEARNED), (0.95, Verdict.NOT_LEARNED)):
        twin = represented("untrained", {"pose": target_probe(value, p=1e-5)})
        beside = replace(alone, represented=(*alone.represented, twin))
        assert [f.verdict for f in beside.findings] == [verdict]
        assert ("1 of 1 learned" in beside.headline.sentence) == (verdict is Verdict.LEARNED)
        assert beside.headline.tone == "warning"  # a part of the set


def test_every_network_is_judged_beside_its_own_twin() -> None:
    alone = replace(with_pose(0.9), images=1000)
    others = (
        represented("untrained", {"pose": target_probe(0.95, p=1e-5)}),
        represented("trained", {"pose": target_probe(0.8, p=1e-5)}, "other"),
        represented("untrained", {"pose": target_probe(0.6, p=1e-5)}, "other"),
    )
    result = replace(alone, represented=(*alone.represented, *others))
    ours, theirs = result.findings
    assert (ours.quantity, ours.verdict) == ("pose. net trained", Verdict.NOT_LEARNED)
    assert (theirs.quantity, theirs.verdict) == ("pose. other trained", Verdict.LEARNED)
    assert [c.name for c in theirs.controls] == ["other untrained"]
    assert ours.explained.startswith("Beside the controls: there is more of it in net untrained.")
    assert theirs.explained.startswith("Beside the controls: clearly above other untrained.")
    assert "net trained: 1 of 1 present, but not clearly above" in result.headline.sentence
    assert "other trained: 1 of 1 learned (pose)." in result.headline.sentence
    assert result.headline.word == "Learned in part"


def test_results_go_to_json_and_back() -> None:
    assert from_plain(ImageNetXResult, to_plain(RESULT), writer="a test") == RESULT


def test_the_page_names_files_that_could_not_be_read() -> None:
    section = _image_section(replace(RESULT, damaged=("a.JPEG",)), images="val")
    assert section.notes[0].startswith("1 files could not be read: a.JPEG.")
    assert section.notes[1].startswith("Part of the set: 900 of 1,000")
