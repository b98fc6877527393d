"""Two models without annotations: known similarities, invariances, references, bad input."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from tests.cases import latents, mixing, rotation
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.similarity.compare import _spaces, compare
from identikit.similarity.comparison import Comparison
from identikit.similarity.paired import PairedRows, PairMoments, match_rows, shuffled_orders
from identikit.similarity.resampling import Fit, Sums, resampled
from identikit.similarity.result import MEASURES, SpaceScores
from identikit.similarity.scores import Pair, Products, cka, unbiased_hsic
from identikit.statistics.split import Split, random_split, training_folds

QUICK: dict[str, Any] = {"resamples": 100, "shuffles": 1}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def related(n: int = 600, *, p: int = 7, q: int = 5) -> tuple[Tensor, Tensor]:
    z = normal(n, 3)
    a = z @ normal(3, p, seed=1) + 0.5 * normal(n, p, seed=2) + 3
    return a, z @ normal(3, q, seed=3) + 0.7 * normal(n, q, seed=4) - 5


def values(comparison: Comparison, space: str = "whole") -> dict[str, float]:
    found = comparison.space(space)
    assert found is not None
    return {score.measure: score.estimate.value for score in found.scores}


def part(comparison: Comparison, name: str) -> SpaceScores:
    found = comparison.space(name)
    assert found is not None
    return found


def test_an_affine_map_is_found_whole_and_a_rotation_by_every_score() -> None:
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, n=400)
    mixed = values(compare(z, z @ mixing(4, generator) + 5, **QUICK))
    for measure in MEASURES:
        if "procrustes" in measure or "cka" in measure or measure == "knn":
            assert mixed[measure] < 0.99
        else:
            assert mixed[measure] == pytest.approx(1)
    turned = values(compare(z, 3 * z @ rotation(4, generator) + 5, **QUICK))
    assert turned == pytest.approx(dict.fromkeys(MEASURES, 1.0))


def test_what_is_not_related_scores_as_its_shuffles_do() -> None:
    a, b = normal(400, 5), normal(400, 8, seed=1)
    for score in part(compare(a, b, resamples=100, shuffles=20), "whole").scores:
        assert score.chance is not None
        assert score.estimate.value == pytest.approx(score.chance, abs=0.06)
        assert score.measure in ("cka_biased", "knn") or score.chance < 0.01
        assert score.measure != "knn" or score.chance == pytest.approx(10 / 399, abs=0.003)


def test_rotations_scales_and_shifts_change_nothing_and_maps_leave_cca_and_r2_from_a() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = related()
    before = values(compare(a, b, **QUICK))
    same = values(
        compare(3e3 * a @ rotation(7, generator) - 4, 1e-3 * b @ rotation(5, generator), **QUICK)
    )
    for measure, value in before.items():
        if "mean" not in measure:  # that is of the dimensions, which a rotation mixes
            assert same[measure] == pytest.approx(value, abs=1e-9), measure
    mapped = values(compare(a @ mixing(7, generator), b, **QUICK))
    for measure in ("r2_ab", "r2_mean_ab", "cca"):
        assert mapped[measure] == pytest.approx(before[measure], abs=1e-9), measure
    assert abs(mapped["cka"] - before["cka"]) > 0.01


def test_the_other_way_round_is_the_same() -> None:
    a, b = related()
    found, back = values(compare(a, b, **QUICK)), values(compare(b, a, **QUICK))
    for measure, value in found.items():
        other = measure.replace("ab", "ba") if measure.endswith("ab") else measure
        other = measure.replace("ba", "ab") if measure.endswith("ba") else other
        assert back[other] == pytest.approx(value, abs=1e-9)


def test_held_out_r2_is_that_of_scikit_learn_on_the_split_of_the_seed() -> None:
    a, b = related()
    split = random_split(torch.arange(600), train_share=0.5, generator=stream(7, "split"))
    model = LinearRegression().fit(a[split.train].numpy(), b[split.train].numpy())
    prediction = model.predict(a[split.test].numpy())
    found = values(compare(a, b, seed=7, **QUICK))
    for measure, kind in (("r2_ab", "variance_weighted"), ("r2_mean_ab", "uniform_average")):
        wanted = r2_score(b[split.test].numpy(), prediction, multioutput=kind)
        assert found[measure] == pytest.approx(wanted, rel=1e-9)


def test_degenerate_dimensions_change_nothing_and_are_said() -> None:
    a, b = related()
    before = values(compare(a, b, **QUICK))
    worse = torch.cat([a, torch.full((600, 2), 1e4)], dim=1)
    found = compare(worse, b, **QUICK)
    assert values(found) == pytest.approx(before, abs=1e-9)
    assert found.status == (
        "A varies in 7 of its 9 dimensions: the others are constant, combinations of these, or "
        "below the precision of the numbers",
    )
    twice = values(compare(torch.cat([a, a[:, :3]], dim=1), b, **QUICK))
    for measure in ("r2_ab", "r2_mean_ab", "cca"):
        assert twice[measure] == pytest.approx(before[measure], abs=1e-9)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-3), (torch.float16, 2e-2)])
def test_half_precision_with_means_far_from_zero_loses_what_rounding_takes(
    dtype: torch.dtype, atol: float
) -> None:
    a, b = related()
    shift = 1e4 if dtype is torch.float32 else 20
    found = values(compare((a + shift).to(dtype), (b - shift).to(dtype), **QUICK))
    assert found == pytest.approx(values(compare(a, b, **QUICK)), abs=atol)


@pytest.mark.filterwarnings("error")
def test_more_dimensions_than_samples_are_scored_and_said() -> None:
    z = normal(60, 3)
    a = z @ normal(3, 200, seed=1) + 0.05 * normal(60, 200, seed=2)
    b = z @ normal(3, 90, seed=3) + 0.05 * normal(60, 90, seed=4)
    found = compare(a, b, **QUICK)
    assert values(found)["r2_ab"] > 0.9  # ridge
    assert values(found)["r2_mean_ab"] > 0.8
    assert values(found)["cka"] > 0.5
    assert "cca" not in values(found)
    assert values(found)["svcca"] > 0.9
    said = " ".join(found.status)
    assert "few samples" in said
    assert "no canonical correlations" in said
    assert "ridge replaces least squares" in said


def with_parts(n: int = 800) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Covered parts that are images of the same z, mixed with rests that share nothing."""
    generator = torch.Generator().manual_seed(3)
    z, turns = normal(n, 4), (rotation(9, generator), rotation(7, generator))
    maps = mixing(4, generator), mixing(4, generator)
    a = torch.cat([z @ maps[0], normal(n, 5, seed=5)], dim=1) @ turns[0]
    b = torch.cat([z @ maps[1] + 2, normal(n, 3, seed=6)], dim=1) @ turns[1]
    heads = normal(20, 4, seed=7) @ turns[0][:4], normal(20, 4, seed=8) @ turns[1][:4]
    return a, b, *heads


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_covered_parts_agree_and_the_rest_does_not(dtype: torch.dtype) -> None:
    a, b, W_a, W_b = (x.to(dtype) for x in with_parts())
    found = compare(a, b, head_a=W_a, head_b=W_b, **QUICK)
    covered, rest = values(found, "head row space"), values(found, "complement")
    for measure in ("r2_ab", "r2_ba", "r2_mean_ab", "r2_mean_ba", "cca", "svcca"):
        assert covered[measure] == pytest.approx(1, abs=1e-5)
        assert rest[measure] < 0.2
    assert [(s.rank_a, s.rank_b) for s in found.spaces] == [(9, 7), (4, 4), (5, 3)]
    assert values(found)["r2_ab"] < 0.9
    assert found.unit_norm is False


def test_the_covered_part_is_the_projection_on_the_row_space() -> None:
    a, b, W_a, W_b = with_parts()
    found = compare(a, b, head_a=W_a, head_b=W_b, **QUICK)
    projected = [
        h @ torch.linalg.pinv(W - W.mean(0)) @ (W - W.mean(0)) for h, W in ((a, W_a), (b, W_b))
    ]
    assert values(compare(*projected, **QUICK)) == pytest.approx(
        values(found, "head row space"), abs=1e-8
    )


def test_a_head_that_covers_all_leaves_no_rest_and_one_head_alone_no_parts() -> None:
    a, b = related()
    found = compare(a, b, head_a=normal(20, 7), head_b=normal(20, 5), **QUICK)
    assert [space.name for space in found.spaces] == ["whole", "head row space"]
    assert values(found, "head row space") == pytest.approx(values(found), abs=1e-8)
    found = compare(a, b, head_a=normal(20, 7), **QUICK)
    assert [space.name for space in found.spaces] == ["whole"]
    assert "only one has a head" in found.status[-1]


def test_noise_between_rows_of_one_class_is_not_covered() -> None:
    a, b, W_a, W_b = with_parts()
    noisy = [W.repeat(5, 1) + 0.1 * normal(100, W.shape[1]) for W in (W_a, W_b)]
    label = torch.arange(20).repeat(5)
    found = compare(
        a, b, head_a=noisy[0], head_b=noisy[1], head_class_a=label, head_class_b=label, **QUICK
    )
    assert part(found, "head row space").rank_a == 9  # a mean of five is still noisy
    exact = compare(
        a,
        b,
        head_a=W_a.repeat(5, 1),
        head_b=W_b.repeat(5, 1),
        head_class_a=label,
        head_class_b=label,
        **QUICK,
    )
    assert part(exact, "head row space").rank_a == 4


def test_a_representation_brings_its_head() -> None:
    a, b, W_a, W_b = with_parts()
    factors = Factors.from_latents(normal(800, 1))
    opened = [Representation(h=h, factors=factors, head=W) for h, W in ((a, W_a), (b, W_b))]
    assert compare(*opened, **QUICK) == compare(a, b, head_a=W_a, head_b=W_b, **QUICK)


def test_unit_norms_are_seen() -> None:
    unit = torch.nn.functional.normalize
    a, b = (unit(x, dim=1) for x in related())
    head_a, head_b = unit(normal(20, 7), dim=1), unit(normal(20, 5), dim=1)
    heads: dict[str, Any] = {"head_a": head_a, "head_b": head_b}
    assert compare(a, b, **heads, **QUICK).unit_norm is True
    assert compare(a, 2 * b + 1, **heads, **QUICK).unit_norm is False
    assert compare(a, b, **QUICK).unit_norm is None


# The two ways to a score, from moments and from sums over rows, and the resamples.


def gathered(a: Tensor, b: Tensor) -> tuple[PairedRows, PairMoments, Fit, Split]:
    rows = PairedRows.of(a, b, matched=match_rows(len(a), len(b)))
    split = random_split(torch.arange(len(a)), train_share=0.5, generator=stream(0, "split"))
    moments = PairMoments.of(rows, split=split, folds=training_folds(split.train, seed=0))
    ((x, y),) = _spaces(rows, moments.train, None, None).values()
    return rows, moments, Fit.of(moments, x, y, penalties=(0.0, 0.0)), split


def sums_of(a: Tensor, b: Tensor, group: Tensor) -> tuple[Sums, PairMoments, Fit]:
    rows, moments, fit, split = gathered(a, b)
    return Sums.of(rows, moments, [fit], split=split, group=group, seed=0), moments, fit


@pytest.mark.parametrize("n", [100, 3000])
def test_scores_from_rows_are_those_from_moments(n: int) -> None:
    a, b = related(n)
    sums, moments, fit = sums_of(a, b, torch.arange(n))
    (found,) = resampled(sums, moments, [fit], resamples=100, seed=0)
    each = found.pop("canonical")
    wanted = fit.values(moments, sums.spaces[0].products())
    assert {k: e.value for k, e in found.items()} == pytest.approx(wanted, abs=1e-12)
    assert sum(e.value for e in each) / len(each) == pytest.approx(wanted["cca"])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, W_a, W_b = with_parts()
    one = compare(a, b, head_a=W_a, head_b=W_b, **QUICK)
    monkeypatch.setattr("identikit.similarity.paired.BLOCK", 500)
    other = compare(a, b, head_a=W_a, head_b=W_b, **QUICK)
    for x, y in zip(one.spaces, other.spaces, strict=True):
        for s, t in zip(x.scores, y.scores, strict=True):
            assert s.estimate.value == pytest.approx(t.estimate.value, abs=1e-10)
            assert s.estimate.low == pytest.approx(t.estimate.low, abs=1e-10)


def test_the_spread_of_resampled_cka_is_that_of_the_jackknife() -> None:
    a, b = related(80)
    sums, moments, fit = sums_of(a, b, torch.arange(80))
    (found,) = resampled(sums, moments, [fit], resamples=4000, seed=0)
    keep = ~torch.eye(80, dtype=torch.bool)
    without = np.array([cka_of(a[k], b[k]) for k in keep])
    jackknife = np.sqrt(79 / 80 * ((without - without.mean()) ** 2).sum())
    width = found["cka"].high - found["cka"].low
    assert width / 3.92 == pytest.approx(jackknife, rel=0.1)


def cka_of(a: Tensor, b: Tensor) -> float:
    x, y = a - a.mean(0), b - b.mean(0)
    means = {"mean_a": a.mean(0), "mean_b": b.mean(0)}
    pair = Pair(n=len(a), **means, aa=x.T @ x, ab=x.T @ y, bb=y.T @ y)
    u, v = x.square().sum(1), y.square().sum(1)
    products = Products(aa=(u @ u).item(), ab=(u @ v).item(), bb=(v @ v).item())
    return cka(unbiased_hsic(pair, products)).item()


def test_bags_of_many_rows_give_the_spread_of_single_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = related(2000)
    widths = []
    for bags in (400, 10_000):
        monkeypatch.setattr("identikit.similarity.resampling.MOST_BAGS", bags)
        found = compare(a, b, resamples=1000, shuffles=0)
        widths.append([s.estimate.high - s.estimate.low for s in part(found, "whole").scores[:-1]])
    np.testing.assert_allclose(widths[0], widths[1], rtol=0.2)


@pytest.mark.parametrize("seed", range(3))
def test_no_estimate_lies_outside_its_interval(seed: int) -> None:
    """Pure noise of many dimensions, where biases are larger than spreads."""
    a, b = normal(200, 80, seed=seed), normal(200, 80, seed=seed + 50)
    for score in part(compare(a, b, shuffles=0, resamples=200), "whole").scores:
        assert score.estimate.low <= score.estimate.value <= score.estimate.high
        if score.measure != "cka_biased":
            assert score.estimate.high - score.estimate.low > 1e-5


def test_groups_are_held_out_resampled_and_shuffled_together() -> None:
    a, b = (x.repeat_interleave(10, dim=0) for x in related(60))
    group = torch.arange(60).repeat_interleave(10)
    assert "few groups: with 5 samples" in compare(a, b, groups=group // 6, **QUICK).status[-1]
    together = compare(a, b, groups=group, **QUICK)
    alone = compare(a, b, **QUICK)
    wide, narrow = (
        s.estimate.high - s.estimate.low
        for s in (part(together, "whole")["r2_ab"], part(alone, "whole")["r2_ab"])
    )
    assert wide > 2 * narrow


def test_shuffles_keep_parts_and_lay_groups_end_to_end() -> None:
    group = torch.arange(40) // 4
    split = random_split(group, train_share=0.5, generator=torch.Generator().manual_seed(0))
    (order,) = shuffled_orders(group, split, shuffles=1, seed=0)
    for rows in (split.train, split.test):
        assert sorted(order[rows].tolist()) == sorted(rows.tolist())
    whole = order.view(10, 4)
    assert bool((group[whole] == group[whole[:, :1]]).all())
    assert not torch.equal(order, torch.arange(40))


def test_chances_are_of_maps_fitted_to_shuffled_rows() -> None:
    a, b = related()
    rows, moments, _, split = gathered(a, b)
    (order,) = shuffled_orders(torch.arange(600), split, shuffles=1, seed=0)
    crossed = moments.shuffled(rows, split=split, order=order)
    wanted = PairMoments.of(
        PairedRows.of(a, b[order], matched=match_rows(600, 600)),
        split=split,
        folds=training_folds(split.train, seed=0),
    )
    for x, y in zip(
        (crossed.train, crossed.test, crossed.total),
        (wanted.train, wanted.test, wanted.total),
        strict=True,
    ):
        torch.testing.assert_close(x.ab, y.ab)
        torch.testing.assert_close(x.bb, y.bb)


def test_the_same_seed_gives_the_same_numbers_and_json_keeps_them() -> None:
    a, b = related()
    found = compare(a, b, **QUICK)
    assert found == compare(a, b, **QUICK)
    assert found != compare(a, b, seed=1, **QUICK)
    assert Comparison.from_dict(found.to_dict()) == found
    with pytest.raises(InputError, match="not a saved comparison: spaces"):
        Comparison.from_dict({"names": ["a", "b"]})
    frame = found.to_frame()
    assert list(frame["measure"]) == list(MEASURES)
    assert frame["value"][0] == part(found, "whole")["r2_ab"].estimate.value


def test_the_table_says_every_score() -> None:
    a, b, W_a, W_b = with_parts()
    text = str(compare(a, b, head_a=W_a, head_b=W_b, names=("one", "two"), **QUICK))
    assert "A = one, B = two" in text
    for word in (*MEASURES.values(), "head row space (4, 4)", "held out: 400"):
        assert word in text


# Rows


def test_rows_are_matched_by_key_where_both_have_keys() -> None:
    a, b = related()
    order = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    name = np.array([f"image-{i}" for i in range(600)])
    wanted = compare(a, b, **QUICK)
    found = compare(a, b[order], keys_a=name, keys_b=name[order.numpy()], **QUICK)
    assert found == wanted
    some = compare(a, b[order[:500]], keys_a=name, keys_b=name[order[:500].numpy()], **QUICK)
    assert some.n_train + some.n_test == 500
    assert some.status[0].startswith("100 samples of A and 0 of B have no partner")
    assert compare(a, b, keys_a=name, **QUICK) == wanted


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"B": normal(599, 5)}, "same number of rows.*600 and 599"),
        (
            {"keys_a": range(600), "keys_b": range(600, 1200)},
            "no key of A is a key of B: A has '0'",
        ),
        (
            {"keys_a": [0, 0, *range(2, 600)], "keys_b": range(600)},
            "1 keys occur more than once in A",
        ),
        ({"keys_a": range(5), "keys_b": range(600)}, "got 5 keys and 600 rows"),
        ({"keys_a": range(600), "keys_b": range(590, 1190)}, "10 samples in common"),
        ({"B": torch.full((600, 5), 2.0)}, "B does not vary over the 300 samples"),
        ({"B": normal(600, 5).where(torch.arange(600)[:, None] != 3, torch.nan)}, "B has 5 values"),
        ({"A": normal(600)}, "A must be a matrix"),
        (
            {"head_a": normal(20, 5)},
            "the head of A must have one column per dimension of A \\(7\\)",
        ),
        (
            {"head_a": normal(20, 7), "head_class_a": torch.arange(3)},
            r"one value for each of 20 rows; got shape \(3,\)",
        ),
        (
            {"groups": range(5)},
            r"each of 600 rows; got shape \(5,\)",
        ),
        ({"groups": [0] * 600}, "at least two different labels"),
        ({"groups": [0] * 300 + [1] * 300}, "held-out part is one group"),
        ({"shuffles": -1}, "shuffles must be 0 or more"),
        ({"train_share": 1.5}, "train_share must lie between"),
        ({"resamples": 10}, "resamples must be at least 100"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_reason(
    changed: dict[str, Any], message: str
) -> None:
    a, b = related()
    given: dict[str, Any] = {"A": a, "B": b, "resamples": 100} | changed
    with pytest.raises(InputError, match=message):
        compare(given.pop("A"), given.pop("B"), **given)
