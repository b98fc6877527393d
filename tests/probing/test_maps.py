"""Every map's score on representations whose answer is known by construction."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from tests.cases import DIM, FLAWED, PERFECT, USELESS, latents, mixing, rotation
from torch import Tensor

from identikit.probing.maps import map_scores
from identikit.probing.regression import CompressedFeatures
from identikit.probing.result import OK, MapScores
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.split import Split, class_folds, group_folds, random_split


def scored(
    h: Tensor,
    z: Tensor,
    *,
    folds: list[Split],
    generator: torch.Generator,
    groups: Tensor | None = None,
) -> MapScores:
    features = CompressedFeatures.of(h)
    groups = torch.arange(len(h)) if groups is None else groups
    held_out = groups[torch.cat([fold.test for fold in folds])]
    return map_scores(
        features,
        h,
        z,
        names=tuple(f"z{j + 1}" for j in range(z.shape[1])),
        folds=folds,
        statistics=features.statistics(z, splits=folds),
        groups=groups,
        bootstrap=Bootstrap(held_out, resamples=200, generator=generator),
    )


def maps(h: Tensor, z: Tensor, *, seed: int = 0, split: Split | None = None) -> MapScores:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(len(h))
    split = split or random_split(rows, train_share=0.5, generator=generator)
    return scored(h, z, folds=[split], generator=generator)


def encode(name: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z = latents(generator)
    return {**PERFECT, **USELESS, **FLAWED}[name](z, generator), z


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PERFECT)
def test_an_affine_image_is_recovered_whole(name: str, seed: int) -> None:
    scores = maps(*encode(name, seed))
    assert scores.affine.mean.value == pytest.approx(1, abs=1e-9)
    assert scores.mcc_weak.mean.value == pytest.approx(1, abs=1e-9)
    assert scores.rank == DIM


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", USELESS)
def test_a_useless_representation_scores_nothing(name: str, seed: int) -> None:
    scores = maps(*encode(name, seed))
    for measure in (scores.affine, scores.linear, scores.procrustes):
        assert -0.05 < measure.mean.value < 0.02
    for measure in (scores.mcc_weak, scores.mcc_strong):
        assert abs(measure.mean.value) < 0.08
    if name != "noise":
        assert scores.rank == 0
        assert scores.status == "h does not vary"
        assert scores.isometry_error is None
        assert scores.condition_number is None


def test_only_a_rotation_is_an_isometry() -> None:
    for name, isometry in (("identity", True), ("rotation", True), ("affine map", False)):
        scores = maps(*encode(name))
        assert scores.isometry_error is not None
        assert scores.map_condition_number is not None
        if isometry:
            assert scores.procrustes.mean.value == pytest.approx(1, abs=1e-9)
            assert scores.isometry_error.value == pytest.approx(0, abs=1e-9)
            assert scores.map_condition_number == pytest.approx(1, abs=1e-9)
        else:
            assert scores.procrustes.mean.high < 0.99
            # singular values 1, 5/3, 7/3, 3
            assert scores.isometry_error.value == pytest.approx(1 / 3, abs=1e-9)
            assert scores.map_condition_number == pytest.approx(3, abs=1e-9)


def test_maps_too_large_to_resample_have_no_singular_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("identikit.probing.maps.MOST_ISOMETRY", DIM - 1)
    scores = maps(*encode("rotation"))
    assert scores.isometry_error is None
    assert scores.map_condition_number is None
    assert scores.procrustes.mean.value == pytest.approx(1, abs=1e-9)


def test_one_column_per_factor_is_what_strong_mcc_asks_for() -> None:
    """A perfect permutation scored 2e-6 with rescaling in the field's own code."""
    z = latents(torch.Generator().manual_seed(0))
    units = torch.tensor([1e-3, -2.0, 5.0, -1e4], dtype=torch.float64)
    permuted = torch.cat([z[:, [2, 0, 3, 1]] * units + 9, torch.ones(len(z), 1)], dim=1)
    assert maps(permuted, z).mcc_strong.mean.value == pytest.approx(1, abs=1e-9)
    turned = maps(*encode("rotation"))
    assert turned.mcc_weak.mean.value == pytest.approx(1, abs=1e-9)
    assert turned.mcc_strong.mean.high < 0.95


def test_folds_may_assign_columns_of_any_unit() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, 1, generator=generator)
    h = torch.cat([z, z, z], dim=1) + 0.1 * torch.randn(400, 3, generator=generator)
    folds = group_folds(torch.arange(400), n_folds=10, generator=generator)
    strong = [
        scored(
            h * torch.tensor(units) + torch.tensor(units), z, folds=folds, generator=generator
        ).mcc_strong.mean.value
        for units in ((1.0, 1.0, 1.0), (1.0, -30.0, 900.0))
    ]
    assert strong[1] == pytest.approx(strong[0], abs=1e-5)


def test_a_nonlinear_bijection_keeps_all_information_but_not_the_score() -> None:
    scores = maps(*encode("nonlinear bijection"))
    truth = 0.6  # corr(z, z³)² = 9 / 15 for a standard normal
    assert scores.affine.mean.value == pytest.approx(truth, abs=0.06)
    assert scores.mcc_weak.mean.value == pytest.approx(math.sqrt(truth), abs=0.04)


def test_a_dropped_factor_scores_nothing_and_the_others_all() -> None:
    affine = maps(*encode("one factor dropped")).affine.per_factor
    assert abs(affine[0].value) < 0.02
    assert all(score.value == pytest.approx(1, abs=1e-9) for score in affine[1:])


def test_agrees_with_scikit_learn_and_scipy_on_the_same_split() -> None:
    generator = torch.Generator().manual_seed(3)
    z = latents(generator, n=300)
    h = z @ mixing(DIM, generator) + 0.5 * latents(generator, n=300) + 1
    split = Split(train=torch.arange(150), test=torch.arange(150, 300))
    scores = maps(h, z, split=split)
    a, b, c, d = (m.numpy() for m in (h[:150], z[:150], h[150:], z[150:]))
    for got, intercept in ((scores.affine, True), (scores.linear, False)):
        prediction = LinearRegression(fit_intercept=intercept).fit(a, b).predict(c)
        wanted = r2_score(d, prediction, multioutput="raw_values")
        np.testing.assert_allclose([s.value for s in got.per_factor], wanted, rtol=1e-9)
        assert got.mean.value == pytest.approx(wanted.mean())
    turn, scale = orthogonal_procrustes(a, b)
    wanted = r2_score(d, c @ turn * scale / (a**2).sum(), multioutput="raw_values")
    np.testing.assert_allclose([s.value for s in scores.procrustes.per_factor], wanted, rtol=1e-9)
    s = np.linalg.svd(LinearRegression().fit(d, c).coef_, compute_uv=False)
    assert scores.isometry_error is not None
    assert scores.isometry_error.value == pytest.approx(np.abs(s / s.mean() - 1).mean())
    assert scores.map_condition_number == pytest.approx(s[0] / s[-1])


def test_the_fitted_map_is_the_one_that_predicts() -> None:
    generator = torch.Generator().manual_seed(0)
    z = latents(generator)
    a = mixing(DIM, generator)
    scores = maps(z @ a + 5, z)
    torch.testing.assert_close(
        torch.tensor(scores.coefficient, dtype=torch.float64), torch.linalg.inv(a)
    )
    intercept = torch.tensor(scores.intercept, dtype=torch.float64)
    torch.testing.assert_close(intercept, -(torch.linalg.inv(a).sum(0) * 5))


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_the_unit_of_the_factors_moves_no_score(scale: float, shift: float) -> None:
    generator = torch.Generator().manual_seed(1)
    z = latents(generator, n=400)
    h = z @ mixing(DIM, generator) + latents(generator, n=400)
    plain, moved = maps(h, z), maps(h, z * scale + shift)
    for name in ("affine", "mcc_weak", "mcc_strong", "isometry_error"):
        got, wanted = getattr(moved, name), getattr(plain, name)
        got, wanted = (getattr(s, "mean", s) for s in (got, wanted))
        assert got.value == pytest.approx(wanted.value, abs=1e-8)
        assert got.high == pytest.approx(wanted.high, abs=1e-8)


@pytest.mark.parametrize(("d_h", "d_z"), [(6, 4), (3, 4)])
def test_wider_and_narrower_representations(d_h: int, d_z: int) -> None:
    generator = torch.Generator().manual_seed(2)
    z = latents(generator, dim=d_z)
    turn = rotation(max(d_h, d_z), generator)[:d_z, :d_h]
    scores = maps(z @ turn, z)
    if d_h > d_z:
        assert scores.procrustes.mean.value == pytest.approx(1, abs=1e-9)
        assert scores.map_condition_number == pytest.approx(1, abs=1e-9)
    else:
        assert scores.affine.mean.value < 0.9
        assert scores.map_condition_number is None  # a direction of z is gone
        assert scores.isometry_error is not None
        assert scores.isometry_error.value > 0.3


@pytest.mark.parametrize(("n", "status"), [(1000, OK), (14, "few points"), (8, "not determined")])
def test_too_few_points_are_said(n: int, status: str) -> None:
    generator = torch.Generator().manual_seed(2)
    scores = maps(latents(generator, n=n), latents(generator, n=n))
    assert scores.status.startswith(status)
    assert all(math.isfinite(s.value) for s in scores.affine.per_factor)


def head(
    classes: int, d: int, *, rows: int, related: bool, seed: int
) -> tuple[Tensor, Tensor, MapScores]:
    """Head rows in copies per class: a linear image of the cluster vectors, or unrelated."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.nn.functional.normalize(latents(generator, n=classes, dim=d), dim=1)
    w = v @ mixing(d, generator) + 1 if related else latents(generator, n=classes, dim=d)
    row_class = torch.arange(rows) % classes
    return (
        w[row_class],
        v[row_class],
        scored(
            w[row_class],
            v[row_class],
            folds=class_folds(row_class, dim=d, generator=generator),
            groups=row_class,
            generator=generator,
        ),
    )


@pytest.mark.parametrize(("d", "classes"), [(20, 10), (10, 10), (5, 10), (20, 100)])
def test_unrelated_head_rows_do_not_score_although_rows_have_copies(d: int, classes: int) -> None:
    """Split by row these scored 1.00, 1.00, 0.48 and 0.21: copies stood on both sides."""
    h, z, scores = head(classes, d, rows=20 * classes, related=False, seed=0)
    assert scores.affine.mean.value < 0.05
    assert scores.procrustes.mean.value < 0.1
    by_row = maps(h, z).affine.mean.value
    assert by_row > 0.15  # the flawed split would have found something
    if classes <= d:
        assert scores.status.startswith("not determined")


@pytest.mark.parametrize(("d", "classes"), [(5, 10), (5, 100), (20, 100), (20, 45)])
def test_related_head_rows_score_one_even_where_classes_are_few(d: int, classes: int) -> None:
    _, _, scores = head(classes, d, rows=5 * classes, related=True, seed=1)
    assert scores.affine.mean.value == pytest.approx(1, abs=1e-9)
    assert not scores.status.startswith("not determined")


def test_the_spread_of_singular_values_has_an_interval_that_holds_the_truth() -> None:
    """Noise on h widens the spread of the estimates; the interval must not follow it."""
    truth, held = 1 / 3, 0
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        z = latents(generator, n=400)
        h = z @ mixing(DIM, generator) + 2 * latents(generator, n=400)
        error = maps(h, z, seed=seed).isometry_error
        assert error is not None
        held += error.low <= truth <= error.high
    assert held >= 34


@pytest.mark.parametrize(
    ("dim", "shared", "turned", "said"),
    [
        (2, 0.0, True, True),  # in two dimensions any rotation is near to an order
        (5, 0.0, True, False),
        (5, 0.8, True, True),  # what goes together goes with every mixture
        (5, 0.8, False, False),  # each factor has a column: more than any mixture has
        (1, 0.0, False, False),
    ],
)
def test_it_is_said_where_matches_are_no_better_than_a_rotation_s(
    dim: int, shared: float, turned: bool, said: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(600, dim, generator=generator)
    z = (1 - shared) ** 0.5 * z + shared**0.5 * torch.randn(600, 1, generator=generator)
    turn = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    split = random_split(torch.arange(600), train_share=0.5, generator=generator)
    found = scored(z @ turn if turned else z, z, folds=[split], generator=generator)
    assert ("a random rotation of these factors has MCC strong" in found.status) == said
