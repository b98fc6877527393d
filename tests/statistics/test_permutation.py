"""p-values: exact on noise, small on signal, corrected as the literature says."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from tests.cases import latents
from torch import Tensor

import identikit
from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.randomness import stream
from identikit.statistics import measures
from identikit.statistics.permutation import (
    Pairing,
    Permutations,
    benjamini_hochberg,
    control_factors,
    holm,
)

DRAWS = 99


def column(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, generator=generator, dtype=torch.float64)


def p_value(u: Tensor, v: Tensor, *, groups: Tensor | None = None, seed: int = 0) -> float:
    groups = torch.arange(len(u)) if groups is None else groups
    shuffles = Permutations(groups=groups, shuffles=DRAWS, seed=seed)
    return shuffles.p_values([Pairing(u=u, v=v)])[0]


def test_noise_is_rejected_as_often_as_promised() -> None:
    p = np.array([p_value(column(30, s), column(30, s + 1000), seed=s) for s in range(400)])
    # standard error of a share of .05 in 400 cases: .011
    assert 0.02 <= (p <= 0.05).mean() <= 0.085
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_rotations_of_many_samples_reject_as_often_as_promised() -> None:
    p = np.array([p_value(column(201, s), column(201, s + 1000), seed=s) for s in range(400)])
    assert 0.02 <= (p <= 0.05).mean() <= 0.085
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    u, noise = column(201, 0), column(201, 1)
    assert p_value(u, u + noise) == pytest.approx(1 / (DRAWS + 1))
    assert p_value(u, -u) == pytest.approx(1.0)


def test_sums_of_rotations_are_those_of_the_samples_moved() -> None:
    n = 51
    u, v = torch.cat([column(n, 0), column(n, 2)], 1), torch.cat([column(n, 1)] * 2, 1)
    moved = Permutations(groups=torch.arange(n), shuffles=40, seed=3)._rotated(u, v)
    generator = stream(3, "permutations")
    halves = torch.randperm(n, generator=generator).tensor_split(2)
    by = [torch.randint(len(half), (40,), generator=generator).tolist() for half in halves]
    wanted = [
        sum((u[h] * v[h].roll(-s, dims=0)).sum(dim=0) for h, s in zip(halves, own, strict=True))
        for own in zip(*by, strict=True)
    ]
    torch.testing.assert_close(moved, torch.stack([torch.as_tensor(w) for w in wanted], 1))


def test_a_crossed_design_is_shuffled_within_groups() -> None:
    """Every object from the same angles: objects in another order have the same angles."""
    groups, angle = torch.arange(200) // 20, (torch.arange(200) % 20).double()[:, None]
    assert p_value(angle, angle, groups=groups) == pytest.approx(1 / (DRAWS + 1))
    rejected = [
        p_value(column(200, s) + column(10, s + 500)[groups], angle, groups=groups, seed=s) <= 0.05
        for s in range(200)
    ]
    assert 0.01 <= np.mean(rejected) <= 0.1  # standard error .015


@pytest.mark.parametrize("sizes", [[3] * 8, [2, 3, 4, 3, 2, 6]])
@pytest.mark.parametrize("constant", [True, False])
def test_shuffles_keep_what_a_design_fixes(sizes: list[int], constant: bool) -> None:
    groups = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    groups = groups[torch.randperm(len(groups), generator=torch.Generator().manual_seed(0))]
    layout = Permutations(groups=groups, shuffles=1, seed=0)._layout
    seen = set()
    for seed in range(50):
        rows = layout.shuffle(torch.Generator().manual_seed(seed), constant=constant)
        seen.add(tuple(rows.tolist()))
        for k in range(len(sizes)):
            donors = groups[rows[groups == k]].unique()
            assert len(donors) == 1  # a group's values are those of one group
            if not constant:
                assert sizes[int(donors)] == sizes[k]
        if not constant:
            assert rows.sort().values.tolist() == list(range(len(groups)))
    assert len(seen) > 20


@pytest.mark.parametrize(
    ("groups", "v", "arrangements"),
    [
        ([0, 1, 2, 3], [1.0, 0.0, 0.0, 0.0], 4),
        ([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0], 24),
        ([0, 0, 1, 1, 2, 2], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0], 3),
        ([0, 0, 1, 1, 2, 2], [1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 8),  # within groups alone
        ([0, 0, 1, 1, 2, 2], [1.0, 2.0, 1.0, 2.0, 3.0, 3.0], 3 * 4),
        ([0, 0, 1, 1, 1], [1.0, 2.0, 3.0, 3.0, 3.0], 2),
    ],
)
def test_the_least_p_counts_the_arrangements(
    groups: list[int], v: list[float], arrangements: int
) -> None:
    values = torch.tensor(v, dtype=torch.float64)[:, None]
    shuffles = Permutations(groups=torch.tensor(groups), shuffles=999, seed=0)
    (least,) = shuffles.least_p_values([Pairing(u=values, v=values)])
    assert least == pytest.approx(1 / arrangements)
    (found,) = shuffles.p_values([Pairing(u=values, v=values)])
    assert found == pytest.approx(1 / arrangements, abs=0.05)


def test_signal_is_found_and_the_least_p_is_one_over_all_draws() -> None:
    u = column(50, 0)
    assert p_value(u, u + 0.1 * column(50, 1)) == pytest.approx(1 / (DRAWS + 1))
    assert p_value(u, -u) == pytest.approx(1.0)


def test_it_agrees_with_scipys_permutation_test() -> None:
    u, v = column(40, 0), column(40, 1)
    v = v + 0.25 * u
    wanted = stats.permutation_test(
        (u[:, 0].numpy(),),
        lambda x: (x * v[:, 0].numpy()).sum(),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=4999,
        rng=0,
    ).pvalue
    shuffles = Permutations(groups=torch.arange(40), shuffles=4999, seed=0)
    assert shuffles.p_values([Pairing(u=u, v=v)])[0] == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("kind", ["r2", "spearman", "auc", "balanced accuracy"])
def test_shuffling_moves_a_score_through_its_pairing_alone(kind: str) -> None:
    """The score of shuffled truth is an increasing affine function of sum u v."""
    n = 60
    a, z = column(n, 0), column(n, 1)
    label, named = (column(n, s)[:, 0].round().clamp(-1, 1).long() + 1 for s in (2, 3))

    def parts(order: Tensor) -> tuple[measures.Statistic, Tensor, Tensor]:
        t, c = z[order], label[order]
        if kind == "r2":
            return measures.r2(a, t), a - a.mean(), t
        if kind == "spearman":
            u, v = measures.ranks(a[:, 0])[:, None], measures.ranks(t[:, 0])[:, None]
            return measures.spearman(a[:, 0], t[:, 0]), u, v
        if kind == "auc":
            positive = (c == 2).long()
            u = measures.ranks(a[:, 0])[:, None]
            return measures.auc(a[:, 0], positive), u, positive[:, None].double()
        u, v = torch.nn.functional.one_hot(torch.stack([named, c])).double()
        return measures.balanced_accuracy(named, c), u, v / v.sum(0)

    points = []
    for seed in range(20):
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        statistic, u, v = parts(order)
        points.append((statistic(torch.ones(1, n).double()).item(), (u * v).sum().item()))
    scores, sums = np.array(points).T
    fit = stats.linregress(sums, scores)
    assert fit.slope > 0
    assert fit.rvalue == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("sizes", [[5] * 20, [2, 8] * 10])
def test_dependent_samples_are_shuffled_in_groups(sizes: list[int]) -> None:
    """Copies within a group: shuffled one by one they look like a hundred, not twenty."""
    groups = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    whole, single = [], []
    for seed in range(100):
        u, v = (column(len(sizes), s)[groups] for s in (seed, seed + 999))
        whole.append(p_value(u, v, groups=groups, seed=seed) <= 0.05)
        single.append(p_value(u, v, seed=seed) <= 0.05)
    assert np.mean(whole) <= 0.12
    assert np.mean(single) > 0.15


def test_corrections_are_those_of_the_literature() -> None:
    p = [0.01, 0.04, 0.03, 0.005, 0.55]
    assert holm(p) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.55])
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])


def test_scores_on_noise_have_no_small_p_and_signal_has() -> None:
    generator = torch.Generator().manual_seed(0)
    h = latents(generator, n=400)
    values = {
        "signal": h[:, 0] + 0.5 * column(400, 1)[:, 0],
        "noise": column(400, 2)[:, 0],
        "class": (h[:, 1] + column(400, 3)[:, 0] > 0).long(),
        "coin": (column(400, 4)[:, 0] > 0).long(),
    }
    found = {s.name: s for s in identikit.score(h, values, resamples=200).factors}
    for name in ("signal", "class"):
        assert found[name].p_value == pytest.approx(1 / 201)
        assert found[name].p_holm == pytest.approx(4 / 201)
        assert found[name].p_fdr == pytest.approx(2 / 201)
    for name in ("noise", "coin"):
        assert found[name].p_holm is not None
        assert found[name].p_holm > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.CONTINUOUS, Kind.BINARY, Kind.CATEGORICAL, Kind.ORDINAL])
def test_whole_scores_reject_noise_as_often_as_promised(kind: Kind) -> None:
    cases, rejected, held = 300, 0, 0
    for seed in range(cases):
        generator = torch.Generator().manual_seed(seed)
        h, z = latents(generator, n=120), latents(generator, n=120, dim=1)[:, 0]
        levels = {Kind.BINARY: (z > 0).double(), Kind.CONTINUOUS: z}
        values = levels.get(kind, z.round().clamp(-1, 1) + 1)
        (score,) = identikit.score(
            h, Factors([Factor(name="f", kind=kind, values=values)]), resamples=100, seed=seed
        ).factors
        assert score.p_value is not None
        rejected += score.p_value <= 0.05
        held += score.estimate.low <= score.chance <= score.estimate.high
    assert 0.015 <= rejected / cases <= 0.09  # standard error .013
    if kind is not Kind.CONTINUOUS:  # there a map fitted to noise is worse than chance
        assert 0.88 <= held / cases <= 0.99


def test_control_values_belong_to_items_and_keep_their_spread() -> None:
    items = torch.arange(300) % 50
    values = (items % 5).double()
    factors = Factors([Factor(name="f", kind=Kind.CATEGORICAL, values=values)])
    shuffled = control_factors(factors, items, generator=torch.Generator().manual_seed(0))
    found = shuffled["f"].values
    for item in range(50):
        assert len(found[items == item].unique()) == 1
    assert torch.bincount(found.long()).tolist() == torch.bincount(values.long()).tolist()
    assert not torch.equal(found, values)


def test_what_is_memorised_is_told_from_what_is_read() -> None:
    """A code of the item names anything about it; one of the factor names the factor alone."""
    generator = torch.Generator().manual_seed(0)
    items = torch.arange(1200) % 60
    value = (torch.randperm(60, generator=generator) % 3)[items]
    item_code = torch.nn.functional.one_hot(items).double()
    factor_code = torch.nn.functional.one_hot(value).double()
    angle = (torch.arange(1200) // 60).double()
    for code, selective in ((item_code, False), (factor_code, True)):
        h = code + 0.05 * torch.randn(code.shape, generator=generator, dtype=torch.float64)
        found = identikit.score(h, {"f": value, "angle": angle}, items=items, resamples=100)
        score, varying = found.factors
        assert (score.estimate.low > 0.8) == selective  # on items of its own
        assert score.same_items is not None
        assert score.same_items.value > 0.99
        assert score.selectivity is not None
        assert score.control_task is not None
        assert (score.selectivity.low > 0.2) == selective
        assert score.selectivity.value == pytest.approx(
            score.same_items.value - score.control_task.value
        )
        assert varying.selectivity is None
        assert "100% of it varies within items" in varying.status


def test_sixty_factors_that_are_all_there_are_all_found() -> None:
    z = latents(torch.Generator().manual_seed(0), n=400, dim=60)
    recovery = identikit.score(z @ latents(torch.Generator().manual_seed(1), n=60, dim=60), z)
    for factor in recovery.factors:
        assert factor.p_holm == factor.least_p == pytest.approx(60 / 2401)


def test_a_few_groups_leave_everything_undecided() -> None:
    """Six groups, three held out: of six orders of their values one in six comes out by chance."""
    groups = torch.arange(120) // 20
    z = torch.tensor([0.0, 1.0, 2.0, 5.0, 3.0, 4.0]).double()[groups]
    h = z[:, None] + 0.01 * column(120, 0)
    recovery = identikit.score(h, {"z": z}, groups=groups, resamples=100)
    assert recovery.factors[0].least_p == pytest.approx(1 / 6)
    assert recovery.findings[0].verdict == "undecided"
    assert "few groups: with 3 held out" in recovery.status


def test_one_item_has_no_control_task() -> None:
    with pytest.raises(InputError, match="one thing only"):
        identikit.score(latents(torch.Generator(), n=20), column(20, 1), items=[0] * 20)


def test_nothing_is_chosen_on_the_held_out_part() -> None:
    """Other held-out labels change the scores, not the maps behind them."""
    generator = torch.Generator().manual_seed(0)
    h, z = latents(generator, n=200), latents(generator, n=200)
    other = z.clone()
    mask = torch.arange(200) < 100
    other[~mask] = -z[~mask]
    one, two = (identikit.score(h, v, train_mask=mask, resamples=100) for v in (z, other))
    assert one.latents is not None
    assert two.latents is not None
    assert one.latents.coefficient == two.latents.coefficient
    assert math.isclose(one.factors[0].extras["r"], -two.factors[0].extras["r"])
