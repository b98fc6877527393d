"""The linear probes against scikit-learn, split by split, and on features whose truth is known."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.randomness import stream
from identikit.studies.paper.imagenet_x import linear_probes
from identikit.studies.paper.imagenet_x.linear_probes import Procedure, probe_targets, seven_scores
from identikit.studies.paper.imagenet_x.published import published_probe_targets
from identikit.studies.paper.imagenet_x.splits import balanced_splits, corrected_p, plain_p

QUICK = Procedure(repetitions=3, resamples=100)


def features(n: int, d: int, *, share: float = 0.2, shift: float = 1.0) -> tuple[Tensor, Tensor]:
    """Standard normal features, the first of them moved where the target is there."""
    generator = torch.Generator().manual_seed(n + d)
    present = torch.rand(n, generator=generator) < share
    h = torch.randn(n, d, generator=generator)
    h[:, 0] += shift * present
    return h, present


def test_both_parts_are_balanced_disjoint_and_drawn_anew() -> None:
    _, present = features(1000, 1)
    splits = balanced_splits(
        present, repetitions=4, test_share=0.3, generator=torch.Generator().manual_seed(0)
    )
    count = int(present.sum())
    for split in splits:
        assert len(split.test) == 2 * round(0.3 * count)
        assert len(split.train) == 2 * (count - round(0.3 * count))
        for part in (split.train, split.test):
            first, second = part.chunk(2)
            assert present[first].all()
            assert not present[second].any()
        assert not np.intersect1d(split.train, split.test).size
    assert not torch.equal(splits[0].test, splits[1].test)


def test_too_few_images_are_refused() -> None:
    present = torch.zeros(100, dtype=torch.bool)
    present[:9] = True
    with pytest.raises(InputError, match="9 images that show it"):
        probe_targets(torch.randn(100, 2), {"rare": present}, procedure=QUICK)


def reference(h: Tensor, present: Tensor, procedure: Procedure, strength: list[float]) -> Tensor:
    """Accuracy of each repetition by scikit-learn's pipeline with given penalties."""
    splits = balanced_splits(
        present,
        repetitions=procedure.repetitions,
        test_share=procedure.test_share,
        generator=stream(procedure.seed, "imagenet-x/splits/target"),
    )
    found = []
    for split, penalty in zip(splits, strength, strict=True):
        model = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=1 / (len(split.train) * penalty), tol=1e-8, max_iter=5000),
        )
        model.fit(h[split.train].numpy(), present[split.train].numpy())
        found.append(model.score(h[split.test].numpy(), present[split.test].numpy()))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e5])
def test_accuracies_are_scikit_learns_with_a_scaler_in_the_training_part(scale: float) -> None:
    h, present = features(2000, 12)
    h = h * torch.logspace(0, 2, 12) * scale + 3 * scale
    own = probe_targets(h, {"target": present}, procedure=QUICK)["target"]
    theirs = reference(h, present, QUICK, list(own.penalties))
    np.testing.assert_allclose([s[0] for s in own.scores], theirs, atol=0.009)  # one image in 240
    assert own.converged
    assert own.accuracy.value == pytest.approx(np.mean([s[0] for s in own.scores]))


def test_features_that_never_vary_or_not_in_the_training_part_do_no_harm() -> None:
    h, present = features(1000, 4)
    plain = probe_targets(h, {"target": present}, procedure=QUICK)["target"]
    dead = torch.full((1000, 1), 7.3)
    rare = torch.zeros(1000, 1)
    rare[0] = 5.0
    more = probe_targets(torch.cat([h, dead, rare], 1), {"target": present}, procedure=QUICK)[
        "target"
    ]
    np.testing.assert_allclose(more.scores, plain.scores, atol=0.02)


def test_the_accuracy_is_that_of_the_best_line_and_chance_without_signal() -> None:
    h, present = features(20_000, 5, shift=1.5)
    found = probe_targets(h, {"y": present, "z": torch.rand(20_000) < 0.5}, procedure=QUICK)
    truth = stats.norm.cdf(0.75)
    assert found["y"].accuracy.low < truth < found["y"].accuracy.high
    assert found["y"].p_value < 1e-4
    assert abs(found["z"].accuracy.value - 0.5) < 0.02
    assert found["y"].enough


def test_penalties_follow_the_signal() -> None:
    """Many features and few images want a strong one; few features and many images, none."""
    h, present = features(300, 200, share=0.5)
    weak = probe_targets(h, {"y": present}, procedure=QUICK)["y"]
    h, present = features(5000, 3, share=0.5, shift=3.0)
    strong = probe_targets(h, {"y": present}, procedure=QUICK)["y"]
    assert min(weak.penalties) > max(strong.penalties)
    one = probe_targets(h, {"y": present}, procedure=Procedure(repetitions=2, penalty="one"))["y"]
    assert one.penalties == pytest.approx([1 / one.n_train] * 2)


def test_seven_scores_are_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(1)
    label = torch.rand(200, generator=generator) < 0.5
    logit = torch.randn(200, generator=generator) + label
    weights = torch.ones(1, 200, dtype=torch.float64)
    found = seven_scores(logit, label)(weights)[0]
    y, named = label.numpy(), (logit > 0).numpy()
    theirs = [
        metrics.accuracy_score(y, named),
        np.corrcoef(y, named)[0, 1],
        metrics.precision_score(y, named),
        metrics.recall_score(y, named),
        metrics.f1_score(y, named),
        metrics.roc_auc_score(y, logit.numpy()),
        metrics.average_precision_score(y, logit.numpy()),
    ]
    np.testing.assert_allclose(found, theirs, rtol=1e-9)
    constant = seven_scores(torch.full((200,), -1.0), label)(weights)[0]
    assert constant[1:5].tolist() == [0, 0, 0, 0]


def test_the_published_procedure_is_the_papers_code() -> None:
    """Its lines, on our splits: drop, standardise over everything, fit as it comes."""
    h, present = features(1500, 40)
    found = published_probe_targets(h, {"target": present}, procedure=QUICK)["target"]
    outputs = h.numpy()
    outputs = outputs[:, outputs.mean(0) > 0]
    outputs = (outputs - outputs.mean(0)) / outputs.std(0)
    splits = balanced_splits(
        present, repetitions=3, test_share=0.3, generator=stream(0, "imagenet-x/splits/target")
    )
    for split, scores in zip(splits, found.scores, strict=True):
        clf = LogisticRegression().fit(outputs[split.train], present[split.train].numpy())
        y, x = present[split.test].numpy(), outputs[split.test]
        assert scores[0] == pytest.approx(np.mean(clf.predict(x) == y))
        assert scores[1] == pytest.approx(np.corrcoef(y, clf.predict(x))[0, 1])
        assert scores[5] == pytest.approx(metrics.roc_auc_score(y, clf.predict_proba(x)[:, 1]))
    assert found.dropped == 40 - outputs.shape[1] > 0
    assert found.unconverged == 0


def test_switches_bring_back_one_flaw_each() -> None:
    h, present = features(1500, 40)
    whole = probe_targets(h, {"target": present}, procedure=QUICK)["target"]
    for changed in (
        {"positive_mean_only": True},
        {"standardise_on": "all"},
        {"penalty": "one"},
    ):
        other = probe_targets(
            h, {"target": present}, procedure=Procedure(repetitions=3, resamples=100, **changed)
        )["target"]
        assert other.scores != whole.scores or changed == {"standardise_on": "all"}


def test_tests_of_a_mean_over_repetitions() -> None:
    scores = torch.tensor([0.52, 0.55, 0.5, 0.56, 0.53], dtype=torch.float64)
    naive = plain_p(scores, chance=0.5)
    careful = corrected_p(scores, chance=0.5, ratio=3 / 7)
    t = (scores.mean() - 0.5) / scores.std()

    assert naive == pytest.approx(stats.ttest_1samp(scores, 0.5).pvalue)
    assert careful == pytest.approx(stats.t.sf(t / (1 / 5 + 3 / 7) ** 0.5, 4))
    assert careful > naive
    flat = torch.ones(5, dtype=torch.float64)
    assert (corrected_p(flat, chance=0.5, ratio=1.0), plain_p(flat, chance=0.5)) == (0.0, 0.0)
    assert corrected_p(flat / 2, chance=0.5, ratio=1.0) == plain_p(flat / 2, chance=0.5) == 1.0


def test_intervals_are_no_narrower_than_those_of_the_corrected_test() -> None:
    scores = torch.tensor([0.52, 0.55, 0.5, 0.56, 0.53], dtype=torch.float64)[:, None].repeat(1, 7)
    least = stats.t.ppf(0.975, 4) * (1 / 5 + 3 / 7) ** 0.5 * scores[:, 0].std().item()
    value = scores.mean().item()
    narrow = Estimate(value, value - 0.01, value + 0.03)
    wide = Estimate(value, value - 0.2, value + 0.2)
    found, factors = linear_probes._stretched((narrow, wide) * 3 + (narrow,), scores, ratio=3 / 7)
    assert factors[0] == pytest.approx(least / 0.02)
    assert (found[0].high - found[0].low) / 2 == pytest.approx(least)
    assert found[0].high - value == pytest.approx(3 * (value - found[0].low))
    assert (found[1], factors[1]) == (wide, 1.0)
    (sure, *_), _ = linear_probes._stretched((Estimate(0.99, 0.98, 1.0),) * 7, scores, ratio=9.0)
    assert sure.low < 0.95
    assert sure.high == 1
