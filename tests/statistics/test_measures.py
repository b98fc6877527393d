"""Weighted scores against scikit-learn and scipy on the resample spelled out row by row."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    matthews_corrcoef,
    r2_score,
    roc_auc_score,
)
from torch import Tensor

from identikit.statistics import measures


def draw(seed: int, n: int = 60, k: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction, target and bootstrap counts."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(n, k, generator=generator, dtype=torch.float64) + 4
    prediction = target + torch.randn(n, k, generator=generator, dtype=torch.float64)
    counts = torch.bincount(torch.randint(n, (n,), generator=generator), minlength=n)
    return prediction, target, counts


def spelled_out(counts: Tensor, *columns: Tensor) -> list[np.ndarray]:
    return [column.repeat_interleave(counts, dim=0).numpy() for column in columns]


@pytest.mark.parametrize("seed", range(5))
def test_r2(seed: int) -> None:
    prediction, target, counts = draw(seed)
    p, t = spelled_out(counts, prediction, target)
    got = measures.r2(prediction, target)(counts[None].double())[0]
    np.testing.assert_allclose(got, r2_score(t, p, multioutput="raw_values"), rtol=1e-9)
    pooled = measures.r2(prediction, target, pooled=True)(counts[None].double())[0]
    wanted = 1 - ((t - p) ** 2).sum() / ((t - t.mean(0)) ** 2).sum()
    np.testing.assert_allclose(pooled, [wanted], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_correlation(seed: int) -> None:
    prediction, target, counts = draw(seed)
    p, t = spelled_out(counts, prediction, target)
    got = measures.correlation(prediction, target)(counts[None].double())[0]
    wanted = [scipy.stats.pearsonr(p[:, j], t[:, j]).statistic for j in range(3)]
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_spearman_with_ties(seed: int) -> None:
    prediction, target, counts = draw(seed)
    a, b = prediction[:, 0].round(), target[:, 0].round()
    p, t = spelled_out(counts, a, b)
    got = measures.spearman(a, b)(counts[None].double())[0]
    np.testing.assert_allclose(got, [scipy.stats.spearmanr(p, t).statistic], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_auc_with_ties(seed: int) -> None:
    prediction, target, counts = draw(seed)
    score, positive = prediction[:, 0].round(), (target[:, 0] > 4).long()
    s, t = spelled_out(counts, score, positive)
    got = measures.auc(score, positive)(counts[None].double())[0]
    np.testing.assert_allclose(got, [roc_auc_score(t, s)], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_balanced_accuracy(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(4, (80,), generator=generator)
    predicted = torch.where(
        torch.rand(80, generator=generator) < 0.6, target, torch.zeros_like(target)
    )
    counts = torch.bincount(torch.randint(80, (80,), generator=generator), minlength=80)
    p, t = spelled_out(counts, predicted, target)
    got = measures.balanced_accuracy(predicted, target)(counts[None].double())[0]
    np.testing.assert_allclose(got, [balanced_accuracy_score(t, p)], rtol=1e-12)


def test_many_resamples_at_once_are_each_resample() -> None:
    prediction, target, counts = draw(0)
    statistic = measures.r2(prediction, target)
    weights = torch.stack([counts, torch.ones_like(counts)]).double()
    torch.testing.assert_close(statistic(weights)[1], statistic(weights[1:])[0])


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_the_unit_of_a_factor_does_not_matter(scale: float, shift: float) -> None:
    prediction, target, counts = draw(1)
    moved_p, moved_t = prediction * scale + shift, target * scale + shift
    weights = counts[None].double()
    for measure in (measures.r2, measures.correlation):
        torch.testing.assert_close(
            measure(moved_p, moved_t)(weights),
            measure(prediction, target)(weights),
            rtol=0,
            atol=1e-9,
        )


def test_undefined_resamples_say_so_and_constant_columns_do_not_correlate() -> None:
    one_class = torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    score = torch.arange(4, dtype=torch.float64)
    assert measures.auc(score, torch.tensor([1, 1, 0, 0]))(one_class).isnan().all()
    constant = torch.full((4, 1), 0.1, dtype=torch.float64)
    ones = torch.ones(1, 4, dtype=torch.float64)
    assert measures.correlation(constant, score[:, None])(ones).item() == 0
    assert measures.spearman(constant[:, 0], score)(ones).item() == 0


@pytest.mark.parametrize("classes", [2, 4])
def test_measures_of_classes_are_scikit_learns_also_of_resamples(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    target = torch.randint(classes, (80,), generator=generator)
    noise = torch.randint(classes, (80,), generator=generator)
    named = torch.where(torch.rand(80, generator=generator) < 0.6, target, noise)
    score = (named + 2 * torch.rand(80, generator=generator)).round(decimals=1)  # with ties
    positive = (target == 1).long()
    weights = torch.cat([torch.ones(1, 80), torch.randint(1, 4, (2, 80), generator=generator)])
    found = [
        measures.macro_f1(named, target)(weights.double()),
        measures.class_correlation(named, target)(weights.double()),
        measures.average_precision(score.double(), positive)(weights.double()),
    ]
    for row, weight in enumerate(weights.numpy()):
        wanted = [
            f1_score(target, named, average="macro", sample_weight=weight),
            matthews_corrcoef(target, named, sample_weight=weight),
            average_precision_score(positive, score, sample_weight=weight),
        ]
        assert [f[row, 0].item() for f in found] == pytest.approx(wanted)


def test_one_class_named_throughout_correlates_with_nothing() -> None:
    target = torch.tensor([0, 1] * 10)
    statistic = measures.class_correlation(torch.zeros(20).long(), target)
    assert statistic(torch.ones(1, 20).double()).item() == 0


def test_correlations_of_all_pairs_are_numpys_and_the_best_assignment_is_that_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(50, k, generator=generator, dtype=torch.float64) for k in (4, 3))
    found = measures.correlations(a, b)
    np.testing.assert_allclose(found, np.corrcoef(a.T, b.T)[:4, 4:], atol=1e-12)
    columns = [0, 1, 2]
    best = max(found[list(rows), columns].sum().item() for rows in permutations(range(4), 3))
    assert measures.matched(found).sum().item() == pytest.approx(best)
