"""Similarities from statistics, against SciPy, scikit-learn and sums over all pairs of rows."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes, subspace_angles
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from tests.cases import mixing, rotation
from torch import Tensor

from identikit.probing.moments import Moments, PartMoments
from identikit.probing.regression import PENALTIES
from identikit.similarity import scores as similarity
from identikit.similarity.scores import Pair, Products, Space


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def related(n: int, p: int, q: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two sets that share three factors and have noise of their own."""
    z = normal(n, 3, seed=seed)
    a = z @ normal(3, p, seed=1) + 0.5 * normal(n, p, seed=seed + 2) + 3
    b = z @ normal(3, q, seed=3) + 0.7 * normal(n, q, seed=seed + 4) - 5
    return a, b


def joint(a: Tensor, b: Tensor) -> Pair:
    found = PartMoments.empty(parts=1, d=a.shape[1] + b.shape[1], k=0)
    found.add(torch.cat([a, b], dim=1), a.new_empty(len(a), 0))
    return Pair.of(found.pooled(), p=a.shape[1])


def moments(a: Tensor) -> Moments:
    found = PartMoments.empty(parts=1, d=a.shape[1], k=0)
    found.add(a, torch.empty(len(a), 0))
    return found.pooled()


def whole(a: Tensor) -> Space:
    return similarity.whole_space(moments(a))


def products(a: Tensor, b: Tensor) -> Products:
    x, y = (((m - m.mean(0)).square().sum(1)).double() for m in (a, b))
    return Products(aa=(x @ x).item(), ab=(x @ y).item(), bb=(y @ y).item())


def gram(a: Tensor) -> Tensor:
    return a @ a.T


def song(k: Tensor, l: Tensor) -> float:  # noqa: E741
    """Equation 5 of Song et al. 2012, on n x n matrices."""
    n = len(k)
    k, l = k - k.diagonal().diag(), l - l.diagonal().diag()  # noqa: E741
    one = torch.ones(n, dtype=k.dtype)
    inner = (k @ l).trace() + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return float((inner - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3)))


def test_the_unbiased_hsic_is_that_of_all_pairs_of_rows() -> None:
    a, b = related(40, 6, 4)
    found = similarity.unbiased_hsic(joint(a, b), products(a, b))
    wanted = [song(gram(x), gram(y)) for x, y in ((a, a), (a, b), (b, b))]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_it_is_the_mean_over_all_quadruples() -> None:
    """The U-statistic that Song et al. prove it to be."""
    a, b = related(7, 3, 2)
    k, l = gram(a).numpy(), gram(b).numpy()  # noqa: E741
    terms = [
        k[i, j] * (l[i, j] + l[s, t] - 2 * l[i, s]) for i, j, s, t in permutations(range(7), 4)
    ]
    found = similarity.unbiased_hsic(joint(a, b), products(a, b))[1]
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-10)


def test_the_biased_cka_is_that_of_centred_gram_matrices() -> None:
    a, b = related(30, 50, 4)
    k, l = (gram(x - x.mean(0)) for x in (a, b))  # noqa: E741
    wanted = (k * l).sum() / (k.norm() * l.norm())
    assert similarity.biased_cka(joint(a, b)) == pytest.approx(wanted.item(), rel=1e-12)


def test_of_unrelated_rows_the_biased_cka_is_high_and_the_unbiased_one_is_none() -> None:
    found = []
    for seed in range(20):
        a, b = normal(50, 200, seed=2 * seed), normal(50, 200, seed=2 * seed + 1)
        assert similarity.biased_cka(joint(a, b)) > 0.7
        found.append(similarity.cka(similarity.unbiased_hsic(joint(a, b), products(a, b))).item())
    assert abs(np.mean(found)) < 4 * np.std(found) / len(found) ** 0.5


@pytest.mark.parametrize(("p", "q"), [(6, 4), (3, 7), (5, 5)])
def test_canonical_correlations_are_cosines_between_the_column_spaces(p: int, q: int) -> None:
    a, b = related(60, p, q)
    found = similarity.canonical(joint(a, b), whole(a).whiten, whole(b).whiten)
    assert found is not None
    angles = subspace_angles((a - a.mean(0)).numpy(), (b - b.mean(0)).numpy())
    np.testing.assert_allclose(found.fitted, np.sort(np.cos(angles))[::-1], atol=1e-10)


def test_held_out_canonical_correlations_are_those_of_the_variates_on_other_rows() -> None:
    a, b = related(60, 6, 4)
    found = similarity.canonical(joint(a, b), whole(a).whiten, whole(b).whiten)
    assert found is not None
    c, d = related(500, 6, 4, seed=50)
    u, v = (c @ found.a).numpy(), (d @ found.b).numpy()
    wanted = [np.corrcoef(u[:, k], v[:, k])[0, 1] for k in range(4)]
    np.testing.assert_allclose(found.held_out(joint(c, d)), wanted, atol=1e-12)


def test_too_few_rows_have_no_canonical_correlations() -> None:
    a, b = normal(11, 6), normal(11, 4, seed=1)
    assert similarity.canonical(joint(a, b), whole(a).whiten, whole(b).whiten) is None
    a, b = normal(12, 6), normal(12, 4, seed=1)
    assert similarity.canonical(joint(a, b), whole(a).whiten, whole(b).whiten) is not None


def test_svcca_keeps_the_axes_of_99_percent_of_the_variance() -> None:
    a, b = related(200, 9, 8)
    a, b = a * torch.logspace(0, -3, 9), b * torch.logspace(-3, 0, 8)
    found = similarity.canonical(joint(a, b), whole(a).whiten_top, whole(b).whiten_top)
    assert found is not None
    axes = [PCA(0.99, svd_solver="full").fit_transform(x.numpy()) for x in (a, b)]
    assert max(x.shape[1] for x in axes) < 8
    wanted = np.sort(np.cos(subspace_angles(*axes)))[::-1]
    np.testing.assert_allclose(found.fitted, wanted, atol=1e-10)


def test_linear_r2_is_that_of_scikit_learn_on_other_rows() -> None:
    (a, b), (c, d) = related(80, 6, 4), related(50, 6, 4, seed=9)
    train, test = joint(a, b), joint(c, d)
    map_ = similarity.linear_map(train, whole(a))
    found = similarity.explained(train, test, map_, target=whole(b))
    prediction = LinearRegression().fit(a.numpy(), b.numpy()).predict(c.numpy())
    for value, kind in zip(found, ("variance_weighted", "uniform_average"), strict=True):
        wanted = r2_score(d.numpy(), prediction, multioutput=kind)
        assert value == pytest.approx(wanted, rel=1e-10)


def test_ridge_is_that_of_scikit_learn() -> None:
    a, b = related(30, 20, 4)
    found = similarity.linear_map(joint(a, b), whole(a), penalty=0.03)
    alpha = 0.03 * (a - a.mean(0)).square().sum().item()
    np.testing.assert_allclose(found.T, Ridge(alpha).fit(a.numpy(), b.numpy()).coef_, rtol=1e-8)


@pytest.mark.parametrize(("n", "p", "ridged"), [(400, 5, False), (40, 20, True), (24, 20, True)])
def test_the_penalty_is_the_one_with_the_least_error_on_rows_left_out(
    n: int, p: int, ridged: bool
) -> None:
    a, b = related(n, p, 4)
    fold = torch.arange(n) % 4
    errors = np.zeros(len(PENALTIES) + 1)
    pairs = []
    for k in range(4):
        fit, out = fold != k, fold == k
        pairs.append((joint(a[fit], b[fit]), joint(a[out], b[out])))
        size = (a[fit] - a[fit].mean(0)).square().sum().item()
        models = [LinearRegression(), *(Ridge(t * size) for t in PENALTIES)]
        for i, model in enumerate(models):
            left = b[out].numpy() - model.fit(a[fit].numpy(), b[fit].numpy()).predict(a[out])
            errors[i] += (left**2).sum()
    found = similarity.choose_penalty([similarity.left_out_errors(*pair) for pair in pairs])
    assert bool(found) == ridged == bool(errors[1:].min() < 0.95 * errors[0])
    if ridged:
        assert found == PENALTIES[errors[1:].argmin()]


def test_procrustes_is_that_of_scipy() -> None:
    (a, b), (c, d) = related(80, 5, 5), related(50, 5, 5, seed=9)
    train, test = joint(a, b), joint(c, d)
    turn, scale = orthogonal_procrustes((a - a.mean(0)).numpy(), (b - b.mean(0)).numpy())
    found = similarity.scaled_rotation(train)
    np.testing.assert_allclose(found.rotation, turn, atol=1e-12)
    assert found.scale == pytest.approx(scale / (a - a.mean(0)).square().sum().item())
    off = (d - b.mean(0)) - (c - a.mean(0)) @ found.rotation * found.scale
    wanted = 1 - off.square().sum() / (d - d.mean(0)).square().sum()
    assert similarity.explained_by_turning(train, test, found) == pytest.approx(wanted.item())


def turned_both_ways(pair: Pair) -> tuple[float, float]:
    forth, back = (
        similarity.explained_by_turning(p, p, similarity.scaled_rotation(p))
        for p in (pair, pair.turned())
    )
    return forth, back


def test_on_the_rows_fitted_procrustes_is_a_squared_cosine_the_same_both_ways() -> None:
    a, b = related(80, 6, 4)
    pair = joint(a, b)
    nuclear = torch.linalg.svdvals(pair.ab).sum().square() / pair.aa.trace() / pair.bb.trace()
    assert turned_both_ways(pair) == pytest.approx((nuclear.item(), nuclear.item()), rel=1e-10)


def test_ceilings_are_reached_by_the_same_axes_with_other_spreads_and_not_exceeded() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(normal(50, 5) - normal(50, 5).mean(0)).Q
    sizes = torch.tensor([[5.0, 3, 2, 1, 0.5], [4, 4, 1, 0.2, 0.1]]).double()
    a, b = (axes * s @ rotation(5, generator) for s in sizes)
    pair, top = joint(a, b), similarity.ceilings(whole(a), whole(b))
    assert similarity.biased_cka(pair) == pytest.approx(top["cka"], rel=1e-9)
    wanted = (top["procrustes_ab"], top["procrustes_ba"])
    assert turned_both_ways(pair) == pytest.approx(wanted, rel=1e-9)
    assert 0.5 < top["cka"] < 0.99
    other = joint(a, b[torch.randperm(50, generator=generator)])
    assert similarity.biased_cka(other) < top["cka"]
    assert top["r2_ab"] == top["r2_ba"] == 1


def test_fewer_directions_reach_the_share_of_the_first_axes() -> None:
    b = (normal(200, 6) - normal(200, 6).mean(0)) * torch.tensor([4.0, 3, 2, 1, 1, 1])
    u, s, _ = torch.linalg.svd(b - b.mean(0), full_matrices=False)
    a = u[:, :2] @ mixing(2, torch.Generator().manual_seed(0))
    pair, top = joint(a, b), similarity.ceilings(whole(a), whole(b))
    share = (s[:2].square().sum() / s.square().sum()).item()
    assert top["r2_ab"] == pytest.approx(share, rel=1e-10)
    assert top["r2_ba"] == 1
    found = similarity.explained(
        pair, pair, similarity.linear_map(pair, whole(a)), target=whole(b)
    )[0]
    assert found == pytest.approx(share, rel=1e-10)


def test_a_part_is_the_projection_in_the_dimensions_that_came() -> None:
    a = normal(100, 6) @ mixing(6, torch.Generator().manual_seed(1))
    directions = torch.linalg.qr(normal(6, 2, seed=5)).Q
    space = similarity.part_space(moments(a), directions)
    assert space is not None
    projected = a @ directions @ directions.T
    torch.testing.assert_close(space.outer(space.inner(a)), projected)
    size = (projected - projected.mean(0)).square().sum(0)
    found = joint(a, a).within(space, space)
    torch.testing.assert_close(space.own_diagonal(found.aa), size)
    assert space.rank == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_part_that_holds_only_rounding_is_none(dtype: torch.dtype) -> None:
    turn = rotation(6, torch.Generator().manual_seed(2))
    a = (normal(500, 4) @ turn[:4] + 3 * turn[0]).to(dtype)
    assert similarity.part_space(moments(a), turn[4:].T) is None
    found = similarity.part_space(moments(a), turn[3:].T)
    assert found is not None
    assert found.rank == 1


def test_dead_duplicated_and_far_off_dimensions_change_no_rank() -> None:
    a = normal(300, 3)
    worse = torch.cat([a, a[:, :1] * 1e6, torch.full((300, 1), 7.0), a[:, 1:2] * 1e-6], dim=1)
    assert whole(worse).rank == 3
    assert whole(worse).alive.tolist() == [True] * 4 + [False, True]
    assert whole((a + 1e4).float()).rank == 3
