"""p-values: exact on noise, small on signal, corrected as the literature says."""

import math
from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
import torch
from scipy import stats
from tests.cases import held_out, latents
from torch import Tensor

import identikit
from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.randomness import stream
from identikit.statistics import measures
from identikit.statistics.bootstrap import Statistic
from identikit.statistics.permutation import (
    Pairing,
    Permutations,
    Units,
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
    shuffles = Permutations(outer=held_out(groups), shuffles=DRAWS, seed=seed)
    return shuffles.p_values([Pairing(u=u, v=v)])[0][0]


@pytest.mark.parametrize("n", [30, 201])
def test_noise_is_rejected_as_often_as_promised(n: int) -> None:
    """Shuffled, and rotated."""
    found: list[float] = []
    for seed in range(8):
        shuffles = Permutations(outer=held_out(torch.arange(n)), shuffles=DRAWS, seed=seed)
        u, v = (column(50 * n, seed + own).view(50, n, 1) for own in (0, 1000))
        found += shuffles.p_values([Pairing(u=a, v=b) for a, b in zip(u, v, strict=True)])[0]
    p = np.array(found)
    # standard error of a share of .05 in 400 cases: .011
    assert 0.02 <= (p <= 0.05).mean() <= 0.085
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    u, noise = column(n, 0), column(n, 1)
    assert p_value(u, u + noise / 2) == pytest.approx(1 / (DRAWS + 1))
    assert p_value(u, -u) == pytest.approx(1.0)


def test_sums_of_rotations_are_those_of_the_samples_moved() -> None:
    n = 251
    u, v = torch.cat([column(n, 0), column(n, 2)], 1), torch.cat([column(n, 1)] * 2, 1)
    way = Permutations(outer=held_out(torch.arange(n)), shuffles=40, seed=3)._way(v)
    assert way.rotated
    (moved,) = way.sums(u, v, shuffles=40, seed=3)
    generator, circles = stream(3, "permutations"), way.layout.circles
    assert torch.cat(circles).sort().values.tolist() == list(range(n))
    by = [torch.randint(len(c), (40,), generator=generator).tolist() for c in circles]
    wanted = [
        sum((u[c] * v[c].roll(-s, dims=0)).sum(dim=0) for c, s in zip(circles, own, strict=True))
        for own in zip(*by, strict=True)
    ]
    torch.testing.assert_close(moved, torch.stack([torch.as_tensor(w) for w in wanted], 1))


@pytest.mark.parametrize(("n", "count"), [(150, 1), (201, 2), (201, 5), (201, 60)])
def test_many_perfect_factors_are_found_where_their_values_allow(n: int, count: int) -> None:
    """Labels of `count` positives of n have n over `count` orders, rotated or shuffled."""
    values = [
        (torch.randperm(n, generator=torch.Generator().manual_seed(s)) < count).double()[:, None]
        for s in range(50)
    ]
    shuffles = Permutations(outer=held_out(torch.arange(n)), shuffles=2000, seed=0)
    p, least = shuffles.p_values([Pairing(u=v, v=v) for v in values])
    assert all(a >= b for a, b in zip(p, least, strict=True))
    assert least == pytest.approx([max(1 / 2001, 1 / math.comb(n, count))] * 50)
    if math.comb(n, count) > 1e6:
        assert max(holm(p)) == pytest.approx(50 / 2001)


def test_hundreds_of_perfect_factors_are_all_found() -> None:
    """Of 201 held-out samples, whose values have orders enough."""
    h = latents(torch.Generator().manual_seed(0), n=402, dim=5)
    z = h @ latents(torch.Generator().manual_seed(1), n=5, dim=300)
    for factor in identikit.score(h, z, resamples=100).factors:
        assert factor.p_holm == factor.least_p_holm == pytest.approx(300 / 12001)


def of_four(z: Tensor) -> Tensor:
    level = torch.bucketize(z[:, 0], torch.tensor([-1, 0, 1.5]))
    return torch.nn.functional.one_hot(level, 4).double()


KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "continuous": lambda z: z,
    "1 positive in 20": lambda z: (z > 1.645).double(),
    "of four kinds": lambda z: of_four(z) / of_four(z).sum(dim=0).clamp(min=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("n", [51, 201])
@pytest.mark.parametrize("kind", list(KINDS))
def test_p_values_are_right_far_into_the_tail(n: int, kind: str) -> None:
    """Scores that are skewed, ties, and few positives: 2,000 unrelated factors."""
    p: list[float] = []
    for seed in range(2):
        u, v = (column(1000 * n, seed + own).view(1000, n, 1) for own in (0, 1000))
        said = of_four if kind == "of four kinds" else torch.exp
        pairings = [Pairing(u=said(a), v=KINDS[kind](b)) for a, b in zip(u, v, strict=True)]
        shuffles = Permutations(outer=held_out(torch.arange(n)), shuffles=1000, seed=seed)
        p += shuffles.p_values(pairings)[0]
    found = np.array(p)
    for level in (0.05, 0.01, 0.001):
        error = math.sqrt(level / len(found))
        assert (found <= level).mean() <= level + 3.5 * error
    assert (found <= 0.05).mean() >= 0.03  # ties cost a little


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
    v = (groups if constant else torch.arange(len(groups))).double()[:, None]
    way = Permutations(outer=held_out(groups), shuffles=1, seed=0)._way(v)
    assert way.constant == constant
    seen = set()
    for rows in islice(way._shuffle(torch.Generator().manual_seed(0)), 50):
        seen.add(tuple(rows.tolist()))
        if constant:
            assert rows.sort().values.tolist() == list(range(len(sizes)))
            continue
        assert rows.sort().values.tolist() == list(range(len(groups)))
        for k in range(len(sizes)):
            donors = groups[rows[groups == k]].unique()
            assert len(donors) == 1  # a group's values are those of one group
            assert sizes[int(donors)] == sizes[k]
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
    shuffles = Permutations(outer=held_out(torch.tensor(groups)), shuffles=999, seed=0)
    (found,), (least,) = shuffles.p_values([Pairing(u=values, v=values)])
    assert least == pytest.approx(1 / arrangements)
    assert least <= found <= least + 0.05


def random_effects(labels: list[Tensor], seed: int) -> Tensor:
    """Predictions that know groups and items, and each sample."""
    n = len(labels[0])
    own = sum((column(int(label.max()) + 1, seed + j)[label] for j, label in enumerate(labels)))
    return own + column(n, seed + 7)


def sized(*sizes: int) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))


def constant_but_in(groups: Tensor, some: list[int], seed: int) -> Tensor:
    """Values of groups, but for some of them in which each sample has its own."""
    varies = torch.isin(groups, torch.tensor(some))[:, None]
    return torch.where(
        varies, column(len(groups), seed), column(int(groups.max()) + 1, seed + 3)[groups]
    )


UNEQUAL = sized(*range(1, 13))
LONERS = sized(*[1] * 30, *[8] * 5)
NESTED = torch.arange(180)  # twelve groups of five items in three views
UNEVEN = torch.repeat_interleave(torch.arange(60), torch.arange(60) % 4 + 1)
CELLS = torch.arange(160)  # eight sessions, twenty objects, one view each

DESIGNS: dict[str, tuple[list[Tensor], Callable[[int], Tensor]]] = {
    "unequal groups, varies within": ([UNEQUAL], lambda s: column(78, s)),
    "unequal groups, constant": ([UNEQUAL], lambda s: column(12, s)[UNEQUAL]),
    "groups of one, varies within": ([LONERS], lambda s: column(70, s)),
    "groups of one, constant": ([LONERS], lambda s: column(35, s)[LONERS]),
    "groups of one, rare labels": ([LONERS], lambda s: (column(70, s) > 1).double()),
    "varies in four groups": (
        [sized(*[3, 5, 8] * 8)],
        lambda s: constant_but_in(sized(*[3, 5, 8] * 8), [1, 5, 9, 20], s),
    ),
    "varies in one group of a size of its own": (
        [UNEQUAL],
        lambda s: constant_but_in(UNEQUAL, [9], s),
    ),
    "two values in one group of a size of its own": (
        [UNEQUAL],
        lambda s: column(12, s)[UNEQUAL] + (torch.arange(78) == 1 + s % 2).double()[:, None],
    ),
    "nested, constant in items": (
        [NESTED // 15, NESTED // 3],
        lambda s: column(60, s)[NESTED // 3],
    ),
    "nested, constant in groups": (
        [NESTED // 15, NESTED // 3],
        lambda s: column(12, s)[NESTED // 15],
    ),
    "nested, varies within items": ([NESTED // 15, NESTED // 3], lambda s: column(180, s)),
    "nested, unequal items": ([UNEVEN // 5, UNEVEN], lambda s: column(60, s)[UNEVEN]),
    "crossed, of sessions": ([CELLS // 20, CELLS % 20], lambda s: column(8, s)[CELLS // 20]),
    "crossed, of objects": ([CELLS // 20, CELLS % 20], lambda s: column(20, s)[CELLS % 20]),
    "crossed, of neither": ([CELLS // 20, CELLS % 20], lambda s: column(160, s)),
}


UNDECIDED = {
    "two values in one group of a size of its own",  # two or three orders
    "crossed, of neither",  # one order in each cell
}


def share_rejected(name: str, *, draws: int) -> float:
    """Of unrelated factors, five of which stand beside five perfect ones that must be found."""
    labels, values = DESIGNS[name]
    units = [held_out(label) for label in labels]
    wrong, undecided = 0, 0
    for start in range(0, draws, 20):  # twenty draws share their shuffles
        shuffles = Permutations(
            outer=units[0], inner=units[1] if units[1:] else None, shuffles=400, seed=start
        )
        pairings = []
        for seed in range(100 * start, 100 * (start + 20), 100):
            perfect = [values(seed + j) for j in range(5)]
            pairings += [Pairing(u=v, v=v) for v in perfect]
            u = random_effects(labels, seed + 50)
            pairings += [Pairing(u=u, v=values(seed + 5 + j)) for j in range(5)]
        p, least = (torch.tensor(each).view(20, 10) for each in shuffles.p_values(pairings))
        assert (p >= least).all()
        for own, could in zip(p.tolist(), least.tolist(), strict=True):
            for corrected, smallest in list(zip(holm(own), holm(could), strict=True))[:5]:
                assert corrected <= 0.05 or smallest > 0.05
                undecided += smallest > 0.05
        wrong += int((p[:, 5:] <= 0.05).sum())
    assert (undecided > 0) == (name in UNDECIDED)
    return wrong / draws / 5


@pytest.mark.parametrize("name", list(DESIGNS))
def test_designs_hold_the_level_and_find_what_can_be_found(name: str) -> None:
    assert share_rejected(name, draws=20) <= 0.13  # standard error .022 or more


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DESIGNS))
def test_designs_hold_the_level_over_many_draws(name: str) -> None:
    assert share_rejected(name, draws=100) <= 0.085  # standard error .010 or more


@pytest.mark.parametrize("varies", [False, True])
def test_what_may_be_known_by_heart_is_compared_within_items_alone(varies: bool) -> None:
    """A split by sample: other samples of each item fitted the map."""
    items = torch.arange(200) // 20
    units = Units(items, torch.ones(200, dtype=torch.bool))
    by_sample = held_out(torch.arange(200))
    wrong = 0
    for inner in (None, by_sample):
        shuffles = Permutations(outer=units, inner=inner, shuffles=200, seed=0)
        known = [column(10, s)[items] for s in range(100)]
        values = [k + varies * column(200, s + 500) for s, k in enumerate(known)]
        pairings = [Pairing(u=k, v=v) for k, v in zip(known, values, strict=True)]
        noise = [Pairing(u=p.u + column(200, s + 900), v=p.v) for s, p in enumerate(pairings)]
        p, least = shuffles.p_values(noise)
        wrong += sum(each <= 0.05 for each in p)
        assert least == pytest.approx([1 / 201 if varies else 1.0] * 100)
        found = shuffles.p_values([Pairing(u=v, v=v) for v in values])[0]
        assert found == pytest.approx(least)
    assert wrong / 200 <= 0.1 if varies else wrong == 0


def test_items_seen_in_training_alone_are_left_where_they_are() -> None:
    items = torch.arange(40) // 2
    units = Units(items, items < 17)
    v = column(20, 0)[items]
    shuffles = Permutations(outer=units, shuffles=999, seed=0)
    (p,), (least,) = shuffles.p_values([Pairing(u=v, v=v)])
    assert least == pytest.approx(1 / 6)  # orders of the values of three items
    assert least <= p <= least + 0.05


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
    shuffles = Permutations(outer=held_out(torch.arange(40)), shuffles=4999, seed=0)
    assert shuffles.p_values([Pairing(u=u, v=v)])[0] == pytest.approx([wanted], abs=0.02)


@pytest.mark.parametrize("kind", ["r2", "spearman", "auc", "balanced accuracy"])
def test_shuffling_moves_a_score_through_its_pairing_alone(kind: str) -> None:
    """The score of shuffled truth is an increasing affine function of sum u v."""
    n = 60
    a, z = column(n, 0), column(n, 1)
    label, named = (column(n, s)[:, 0].round().clamp(-1, 1).long() + 1 for s in (2, 3))

    def parts(order: Tensor) -> tuple[Statistic, Tensor, Tensor]:
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
        p = found[name].p_holm
        assert p is not None
        assert p > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Kind.CONTINUOUS, Kind.BINARY, Kind.CATEGORICAL, Kind.ORDINAL])
def test_whole_scores_reject_noise_as_often_as_promised(kind: Kind) -> None:
    cases, rejected, held = 150, 0, 0
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
    assert 0.01 <= rejected / cases <= 0.105  # standard error .018
    if kind is not Kind.CONTINUOUS:  # there a map fitted to noise is worse than chance
        assert 0.88 <= held / cases <= 0.995


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
        assert (
            "100.0% of its variance is within items, which no list of items holds" in varying.status
        )


def test_sixty_factors_that_are_all_there_are_all_found() -> None:
    z = latents(torch.Generator().manual_seed(0), n=400, dim=60)
    recovery = identikit.score(z @ latents(torch.Generator().manual_seed(1), n=60, dim=60), z)
    for factor in recovery.factors:
        assert factor.p_holm == factor.least_p_holm == pytest.approx(60 / 2401)


def test_a_few_groups_leave_everything_undecided() -> None:
    """Six groups, three held out: of six orders of their values one in six comes out by chance."""
    groups = torch.arange(120) // 20
    z = torch.tensor([0.0, 1.0, 2.0, 5.0, 3.0, 4.0]).double()[groups]
    h = z[:, None] + 0.01 * column(120, 0)
    recovery = identikit.score(h, {"z": z}, groups=groups, resamples=100)
    assert recovery.factors[0].least_p_holm == pytest.approx(1 / 6)
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
