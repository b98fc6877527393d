"""The linear probe in scikit-learn: its contract, and the numbers of `score`."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import identikit as ik
from identikit.core.estimate import Estimate
from identikit.core.randomness import stream
from identikit.statistics.split import random_split

N = 160
KINDS = {
    "size": "continuous",
    "azimuth": ik.circular(360),
    "grade": ik.ordinal("low", "mid", "high"),
    "step": "ordinal",
    "object": "categorical",
    "lit": "binary",
}


def data(n: int = N, *, d: int = 8) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Features with noise that hold a factor of each kind, none of them fully."""
    generator = np.random.default_rng(0)
    size, turn = generator.normal(size=n), generator.uniform(0, 2 * np.pi, n)
    level = np.digitize(size, [-0.6, 0.6])
    own = np.column_stack([size, np.cos(turn), np.sin(turn), generator.normal(size=(n, d - 3))])
    h = own @ generator.normal(size=(d, d)) + 0.5 * generator.normal(size=(n, d)) + 3
    return h, {
        "size": size,
        "azimuth": np.rad2deg(turn),
        "grade": np.array(["low", "mid", "high"])[level],
        "step": 2.0**level,
        "object": np.array(["cup", "ball", "axe"])[(turn // 2.1).astype(int)],
        "lit": own[:, 3] > 0.3,
    }


@pytest.mark.parametrize(
    "kind",
    [
        "continuous",
        pytest.param("circular:360", marks=pytest.mark.slow),
        pytest.param("ordinal", marks=pytest.mark.slow),
        pytest.param("categorical", marks=pytest.mark.slow),
        pytest.param("binary", marks=pytest.mark.slow),
    ],
)
def test_the_common_checks_of_scikit_learn_pass(kind: str) -> None:
    check_estimator(ik.LinearProbe(kind), on_skip=None)


@pytest.mark.parametrize(("d", "grouped"), [(8, True), (100, False)])
def test_it_scores_what_score_scores(d: int, grouped: bool) -> None:
    h, factors = data(d=d)
    group = torch.arange(N) // (4 if grouped else 1)
    split = random_split(group, train_share=0.5, generator=stream(0, "split"))
    fitted = np.zeros(N, dtype=bool)
    fitted[split.train] = True
    wanted = ik.score(
        h, factors, kinds=KINDS, groups=group, train_mask=fitted, resamples=100, shuffles=19
    )
    for name, kind in KINDS.items():
        probe = ik.LinearProbe(kind).fit(h[fitted], factors[name][fitted], groups=group[fitted])
        found = probe.score(h[~fitted], factors[name][~fitted])
        recovered = wanted[name].recovered
        assert isinstance(recovered, Estimate)
        assert found == pytest.approx(recovered.value, abs=2e-3 if d > N / 2 else 1e-9)


def test_predictions_are_in_the_factor_s_own_unit() -> None:
    h, factors = data()
    for name, kind in KINDS.items():
        probe = ik.LinearProbe(kind).fit(h, factors[name])
        found = probe.predict(h)
        if name == "size":
            reference = LinearRegression().fit(h, factors[name]).predict(h)
            np.testing.assert_allclose(found, reference)
        elif name == "azimuth":
            turn = np.deg2rad(factors[name])
            both = LinearRegression().fit(h, np.column_stack([np.cos(turn), np.sin(turn)]))
            cos, sin = both.predict(h).T
            np.testing.assert_allclose(found, np.rad2deg(np.arctan2(sin, cos)) % 360)
        else:
            assert set(found) <= set(factors[name])
            assert np.mean(found == factors[name]) > 0.6


def test_of_classes_it_knows_how_sure_it_is() -> None:
    h, factors = data()
    probe = ik.LinearProbe("categorical").fit(h, factors["object"])
    p = probe.predict_proba(h)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (probe.classes_[p.argmax(axis=1)] == probe.predict(h)).all()
    assert (p.argmax(axis=1) == probe.decision_function(h).argmax(axis=1)).all()
    assert not hasattr(ik.LinearProbe(), "predict_proba")


def test_a_level_that_was_not_fitted_is_missed() -> None:
    h, factors = data()
    seen = factors["object"] != "cup"
    probe = ik.LinearProbe("categorical").fit(h[seen], factors["object"][seen])
    least = np.mean(
        [np.mean(probe.predict(h[factors["object"] == c]) == c) for c in probe.classes_]
    )
    assert probe.score(h, factors["object"]) == pytest.approx(2 / 3 * least)


def test_it_works_in_a_pipeline_and_its_scorer_in_cross_validation() -> None:
    h, factors = data()
    folds = {"cv": GroupKFold(3), "groups": np.arange(N) // 4, "scoring": ik.probe_score}
    for name, kind in KINDS.items():
        pipeline = make_pipeline(StandardScaler(), ik.LinearProbe(kind))
        scores = cross_validate(pipeline, h, factors[name], **folds)["test_score"]
        assert scores.shape == (3,)
        assert scores.min() > 0.5


def test_the_scorer_gives_other_estimators_the_measure_of_the_kind() -> None:
    h, factors = data()
    line = LinearRegression().fit(h, factors["size"])
    assert ik.probe_score(line, h, factors["size"]) == r2_score(factors["size"], line.predict(h))
    classes = LogisticRegression().fit(h, factors["lit"])
    wanted = roc_auc_score(factors["lit"], classes.decision_function(h))
    assert ik.probe_score(classes, h, factors["lit"]) == wanted


@pytest.mark.parametrize(
    ("kind", "factor", "words"),
    [
        ("circle", "size", "unknown kind"),
        ("binary", "object", "Only binary classification.*3 levels.*categorical"),
        ("ordinal", "grade", "convert|text"),
        (ik.ordinal("low", "high"), "grade", "its order lacks, such as 'mid'"),
    ],
)
def test_what_cannot_be_probed_is_refused(kind: str, factor: str, words: str) -> None:
    h, factors = data()
    with pytest.raises(ValueError, match=words):
        ik.LinearProbe(kind).fit(h, factors[factor])


def test_one_level_cannot_be_told_apart() -> None:
    h, _ = data()
    with pytest.raises(ik.InputError, match="one class only"):
        ik.LinearProbe("categorical").fit(h, np.ones(N, dtype=int))
