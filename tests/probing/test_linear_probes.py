"""Linear probes by kind of factor against scikit-learn and known answers."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from tests.cases import held_out, mixing
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.probing.linear_probes import (
    EvaluationPlan,
    gather,
    read_each,
    targets,
    with_p_values,
)
from identikit.probing.result import OK, FactorScore
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.permutation import Permutations
from identikit.statistics.split import Split, group_folds

N = 600


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plan(n: int, n_train: int | None = None) -> EvaluationPlan:
    n_train = n_train or n // 2
    return EvaluationPlan(
        split=Split(train=torch.arange(n_train), test=torch.arange(n_train, n)),
        folds=group_folds(
            torch.arange(n_train), n_folds=5, generator=torch.Generator().manual_seed(1)
        ),
        bootstrap=Bootstrap(
            torch.arange(n - n_train), resamples=100, generator=torch.Generator().manual_seed(0)
        ),
        permutations=Permutations(outer=held_out(torch.arange(n - n_train)), shuffles=100, seed=0),
    )


def read(h: Tensor, values: Tensor, kind: Kind, *, period: float | None = None) -> FactorScore:
    factor = Factor(name="f", kind=kind, values=values.double(), period=period)
    (score,) = read_all(h, Factors([factor]), plan(len(h)))
    return score


def read_all(h: Tensor, factors: Factors, how: EvaluationPlan) -> tuple[FactorScore, ...]:
    return with_p_values(read_each(gather(h, factors, plan=how), factors, plan=how), plan=how)


def halves(*columns: Tensor) -> list[np.ndarray]:
    return [part.numpy() for c in columns for part in (c[: len(c) // 2], c[len(c) // 2 :])]


def test_continuous_is_the_r2_and_r_of_least_squares() -> None:
    h = normal(N, 4) + 5
    z = h[:, 0] + normal(N, seed=1)
    score = read(h, z, Kind.CONTINUOUS)
    a, b, y, t = halves(h, z)
    prediction = LinearRegression().fit(a, y).predict(b)
    assert score.estimate.value == pytest.approx(LinearRegression().fit(a, y).score(b, t))
    assert score.extras["r"] == pytest.approx(np.corrcoef(prediction, t)[0, 1])
    assert (score.measure, score.chance, score.status) == ("R²", 0.0, OK)


def test_a_feature_equal_to_the_factor_scores_one_although_its_mean_is_not_zero() -> None:
    """Without an intercept on the features this scored R² 0.00 in the paper's code."""
    z = 5 + 0.3 * normal(N)
    assert read(z[:, None], z, Kind.CONTINUOUS).estimate.value == pytest.approx(1)


def test_an_angle_is_read_as_two_numbers_on_a_circle() -> None:
    angle = 360 * torch.rand(N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    circle = torch.stack([angle.deg2rad().cos(), angle.deg2rad().sin()], dim=1)
    score = read(
        circle @ mixing(2, torch.Generator().manual_seed(1)), angle, Kind.CIRCULAR, period=360.0
    )
    assert score.measure == "circular R²"
    assert score.estimate.value == pytest.approx(1)
    assert score.extras["mean_cosine"] == pytest.approx(1)
    assert score.extras["median_error"] == pytest.approx(0, abs=1e-5)
    as_number = read(circle, angle, Kind.CONTINUOUS)
    assert as_number.estimate.high < 0.8


def test_the_error_of_an_angle_is_in_its_unit_and_goes_the_short_way_round() -> None:
    """An unbiased linear probe with errors of one sixth of a day either way: four hours."""
    hours = 24 * torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    off = hours + 4 * normal(4000, seed=1).sign()
    angle = off * math.tau / 24
    score = read(torch.stack([angle.cos(), angle.sin()], dim=1), hours, Kind.CIRCULAR, period=24.0)
    assert score.extras["median_error"] == pytest.approx(4, abs=0.2)
    assert score.extras["mean_cosine"] == pytest.approx(0.5, abs=0.05)
    # the best linear map shrinks the circle by cos 60°: R² is its square
    assert score.estimate.value == pytest.approx(0.25, abs=0.05)


def test_where_an_angle_starts_does_not_matter() -> None:
    angle = 360 * torch.rand(N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = torch.stack([angle.deg2rad().cos(), angle.deg2rad().sin()], dim=1) + normal(N, 2, seed=1)
    one = read(h, angle, Kind.CIRCULAR, period=360.0)
    other = read(h, (angle + 77) % 360 + 720, Kind.CIRCULAR, period=360.0)
    assert other.estimate.value == pytest.approx(one.estimate.value)
    assert other.extras["median_error"] == pytest.approx(one.extras["median_error"])


def test_ordinal_is_the_rank_correlation_of_a_regression_on_ranks() -> None:
    h = normal(N, 3)
    rank = (2 * h[:, 0] + normal(N, seed=1)).round().clamp(-3, 3) + 3
    score = read(h, rank, Kind.ORDINAL)
    a, b, y, t = halves(h, rank)
    fit = LinearRegression().fit(a, y)
    assert score.estimate.value == pytest.approx(spearmanr(fit.predict(b), t).statistic)
    assert score.extras["r2"] == pytest.approx(fit.score(b, t))


def test_binary_agrees_with_scikit_learns_logistic_regression() -> None:
    h = normal(N, 4) * torch.tensor([1e-3, 1.0, 10.0, 1e3], dtype=torch.float64) + 50
    y = (h[:, 1] - 50 + normal(N, seed=1) > 0.8).long()
    score = read(h, y, Kind.BINARY)
    a, b, labels, t = halves((h - h.mean(0)) / h.std(0), y)
    reference = LogisticRegression(C=1e3, max_iter=1000).fit(a, labels)
    assert score.measure == "AUC"
    assert score.estimate.value == pytest.approx(
        roc_auc_score(t, reference.decision_function(b)), abs=0.005
    )
    balanced = LogisticRegression(C=1e3, max_iter=1000, class_weight="balanced").fit(a, labels)
    wanted = balanced_accuracy_score(t, balanced.predict(b))
    assert score.extras["balanced_accuracy"] == pytest.approx(wanted, abs=0.03)
    assert score.chance == 0.5


def test_categorical_agrees_with_scikit_learn_for_unequal_classes() -> None:
    centres = 1.5 * normal(5, 3, seed=3)
    y = torch.multinomial(
        torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1]),
        N,
        replacement=True,
        generator=torch.Generator().manual_seed(0),
    )
    h = centres[y] + normal(N, 3, seed=1)
    score = read(h, y, Kind.CATEGORICAL)
    a, b, labels, t = halves(h, y)
    wanted = LogisticRegression(C=10, max_iter=1000, class_weight="balanced").fit(a, labels)
    assert score.measure == "balanced accuracy"
    assert score.estimate.value == pytest.approx(
        balanced_accuracy_score(t, wanted.predict(b)), abs=0.04
    )
    assert score.chance == pytest.approx(0.2)


@pytest.mark.parametrize("kind", [Kind.BINARY, Kind.CATEGORICAL])
@pytest.mark.parametrize("features", ["noise", "constant"])
def test_features_that_know_nothing_score_chance(kind: Kind, features: str) -> None:
    levels = 2 if kind is Kind.BINARY else 4
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(levels, (2000,), generator=generator)
    h = normal(2000, 5, seed=1) if features == "noise" else torch.ones(2000, 5)
    score = read(h, y, kind)
    assert score.estimate.value == pytest.approx(score.chance, abs=0.05)


@pytest.mark.parametrize("kind", [Kind.BINARY, Kind.CATEGORICAL])
def test_an_affine_map_of_the_features_changes_no_classifier(kind: Kind) -> None:
    h = normal(N, 3)
    y = (h[:, 0] + 0.5 * normal(N, seed=1)).sign().clamp(min=0)
    y = y if kind is Kind.BINARY else y + 2 * (h[:, 1] > 0)
    moved = 1e3 * h @ mixing(3, torch.Generator().manual_seed(2)) + 1e4
    assert read(moved, y, kind).estimate.value == pytest.approx(
        read(h, y, kind).estimate.value, abs=2e-3
    )


def test_more_dimensions_than_samples_are_read_by_ridge_and_said_so() -> None:
    """Z is the sum of three strong directions among 300 weak ones; least squares is lost."""
    h = normal(200, 300) * torch.cat([torch.full((3,), 30.0), torch.ones(297)])
    z = h[:, :3].sum(1)
    score = read(h, z, Kind.CONTINUOUS)
    assert score.status == "ridge: least squares overfits 300 dimensions with 100 samples"
    assert score.estimate.value > 0.97
    classes = read(h, (z > 0).long(), Kind.BINARY)
    assert classes.estimate.value > 0.97


def test_noise_in_many_dimensions_scores_nothing() -> None:
    score = read(normal(200, 300), normal(200, seed=1), Kind.CONTINUOUS)
    assert -0.15 < score.estimate.value < 0.1


def test_all_kinds_at_once_are_the_same_as_one_by_one() -> None:
    h = normal(N, 4)
    factors = [
        Factor(name="b", kind=Kind.BINARY, values=(h[:, 0] > 0).double()),
        Factor(name="c", kind=Kind.CONTINUOUS, values=h[:, 1] + normal(N, seed=1)),
        Factor(name="o", kind=Kind.ORDINAL, values=h[:, 2].round()),
        Factor(name="a", kind=Kind.CIRCULAR, values=h[:, 3], period=5.0),
        Factor(name="c2", kind=Kind.CONTINUOUS, values=h[:, 3] - normal(N, seed=2)),
    ]
    together = read_all(h, Factors(factors), plan(N))
    assert [s.name for s in together] == ["b", "c", "o", "a", "c2"]
    for factor, score in zip(factors, together, strict=True):
        (alone,) = read_all(h, Factors([factor]), plan(N))
        assert score.estimate.value == pytest.approx(alone.estimate.value)


def test_an_angle_becomes_cosine_and_sine() -> None:
    factor = Factor(
        name="a", kind=Kind.CIRCULAR, values=torch.tensor([0.0, 6.0, 12.0]), period=24.0
    )
    wanted = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(targets(factor), wanted, rtol=0, atol=1e-12)


def test_a_level_that_training_lacks_is_said_and_counts_as_missed() -> None:
    y = torch.tensor([0, 1] * 20 + [0, 1, 2] * 13)
    h = torch.nn.functional.one_hot(y).double() + 0.01 * normal(len(y), 3)
    factor = Factor(name="f", kind=Kind.CATEGORICAL, values=y.double())
    (score,) = read_all(h, Factors([factor]), plan(len(y), 40))
    assert score.status == "13 held-out samples have levels that training lacks"
    assert score.estimate.value == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", [Kind.CONTINUOUS, Kind.CATEGORICAL])
def test_a_factor_that_does_not_vary_in_one_part_is_refused(kind: Kind) -> None:
    values = torch.cat([torch.zeros(300), torch.arange(300) % 3])
    with pytest.raises(InputError, match="'f' has one value only in the training part"):
        read(normal(N, 2), values, kind)


def test_levels_that_no_part_shares_are_refused() -> None:
    values = torch.cat([torch.arange(300) % 3, 3 + torch.arange(300) % 3])
    with pytest.raises(InputError, match="no level in both parts"):
        read(normal(N, 2), values, Kind.CATEGORICAL)
