"""`score`: one call from arrays to a recovery, its baselines, its coverage and its errors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from tests.cases import DIM, FLAWED, PERFECT, USELESS, latents, mixing, rotation

import identikit
from identikit import Factors, InputError, Representation, score
from identikit.core.estimate import with_ends
from identikit.statistics.permutation import holm


def case(seed: int = 0, *, n: int = 400) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    z = latents(generator, n=n)
    return z @ mixing(DIM, generator) + latents(generator, n=n), z, generator


@pytest.mark.parametrize("name", [*PERFECT, *USELESS, *FLAWED])
def test_every_measure_of_latents_meets_every_encoder(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    z = latents(generator)
    h = {**PERFECT, **USELESS, **FLAWED}[name](z, generator)
    recovery = score(h, z, resamples=100)
    assert recovery.latents is not None
    # one quantity, one number
    for factor, estimate in zip(recovery.factors, recovery.latents.affine.per_factor, strict=True):
        assert factor.estimate.value == pytest.approx(estimate.value, abs=1e-12)
        assert factor.estimate.low == pytest.approx(estimate.low, abs=1e-12)
    if name in PERFECT:
        assert recovery.mean() == pytest.approx(1, abs=1e-9)
    elif name in USELESS:
        assert recovery.mean() < 0.02
    else:
        assert 0.5 < recovery.mean() < 0.8


def test_numpy_torch_and_representation_give_the_same_numbers() -> None:
    h, z, _ = case()
    wanted = score(h, z, x=z, resamples=100)
    assert score(h.numpy(), z.numpy(), x=z.numpy(), resamples=100) == wanted
    whole = Representation(h=h, factors=Factors.from_latents(z), x=z)
    assert score(whole, resamples=100) == wanted
    assert score(h, {f"z{j + 1}": z[:, j] for j in range(DIM)}, x=z, resamples=100) == wanted


def test_the_seed_decides_and_nothing_global_does() -> None:
    h, z, _ = case()
    one = score(h, z, seed=1, resamples=100)
    torch.manual_seed(123)
    state = torch.get_rng_state()
    assert score(h, z, seed=1, resamples=100) == one
    assert torch.equal(torch.get_rng_state(), state)
    assert score(h, z, seed=2, resamples=100) != one


def test_the_identity_baseline_and_controls_stand_beside() -> None:
    h, z, generator = case()
    x = (z @ mixing(DIM, generator)).tanh()
    noise = latents(generator, n=400)
    recovery = score(h, z, x=x, controls={"noise": noise}, resamples=100)
    assert list(recovery.controls) == ["x", "noise"]
    assert recovery.controls["x"] == score(x, z, resamples=100).factors
    assert recovery.mean("noise") < 0.02


def test_the_lead_over_a_control_is_paired_over_the_same_resamples() -> None:
    """Beside nearly the same features the difference is far surer than either score."""
    h, z, generator = case()
    twin = h + 1e-3 * latents(generator, n=400)
    recovery = score(h, z, controls={"twin": twin, "noise": latents(generator, n=400)})
    for j, factor in enumerate(recovery.factors):
        twins = recovery.controls["twin"][j].estimate
        lead, over_noise = factor.above["twin"], factor.above["noise"]
        assert lead.value == pytest.approx(factor.estimate.value - twins.value, abs=1e-12)
        assert lead.low < 0 < lead.high or abs(lead.value) < 1e-3
        assert lead.high - lead.low < 0.1 * (twins.high - twins.low)
        assert over_noise.low > 0


def test_the_least_p_is_that_of_every_shuffle_beaten_after_holm() -> None:
    h, z, _ = case()
    recovery = score(h, z, resamples=100)
    # as many shuffles as four factors need
    assert [f.least_p_holm for f in recovery.factors] == pytest.approx([DIM / 161] * DIM)
    perfect = score(z @ mixing(DIM, torch.Generator().manual_seed(1)), z, resamples=100)
    assert [f.p_holm for f in perfect.factors] == [f.least_p_holm for f in perfect.factors]


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_scale_and_shift_of_either_side_change_nothing(scale: float, shift: float) -> None:
    h, z, _ = case()
    plain = score(h, z, resamples=100)
    for moved in (score(h * scale + shift, z, resamples=100), score(h, z * scale + shift)):
        for a, b in zip(moved.factors, plain.factors, strict=True):
            assert a.estimate.value == pytest.approx(b.estimate.value, abs=1e-9)


def test_targets_shuffled_against_features_score_nothing() -> None:
    h, z, generator = case(n=2000)
    recovery = score(h, z[torch.randperm(2000, generator=generator)], resamples=100)
    assert -0.03 < recovery.mean() < 0.01


def test_the_covered_part_is_what_the_head_spans() -> None:
    """H = (z1, z2 | z3, z4) turned; the head sees the first two dimensions only."""
    generator = torch.Generator().manual_seed(0)
    z = latents(generator)
    turn = rotation(DIM, generator)
    head = latents(generator, n=6, dim=2) @ turn[:2] + latents(generator, n=1)
    recovery = score(z @ turn, z, head=head, resamples=100)
    for j, factor in enumerate(recovery.factors):
        assert factor.row_space is not None
        assert factor.complement is not None
        assert factor.estimate.value == pytest.approx(1)
        assert factor.row_space.value == pytest.approx(1.0 if j < 2 else 0.0, abs=0.02)
        assert factor.complement.value == pytest.approx(0.0 if j < 2 else 1.0, abs=0.02)


def test_rounding_outside_the_head_is_not_taken_for_information() -> None:
    """float32 features in the head's span leave 1e-7 outside it, which no regression may use."""
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, dim=2)
    turn = rotation(DIM, generator)
    head = latents(generator, n=6, dim=2) @ turn[:2]
    for h in (z @ turn[:2], (z @ turn[:2]).float()):
        for factor in score(h, z, head=head, resamples=100).factors:
            assert factor.complement is not None
            assert factor.row_space is not None
            assert factor.complement.value < 0.02
            assert factor.row_space.value > 0.999


def test_nothing_is_outside_a_head_that_spans_all() -> None:
    h, z, generator = case()
    recovery = score(h, z, head=latents(generator, n=20), resamples=100)
    for factor in recovery.factors:
        assert factor.complement is None
        assert factor.row_space is not None
        assert factor.row_space.value == pytest.approx(factor.estimate.value)
    assert recovery.head is None  # no cluster vectors to compare rows with


def test_head_rows_are_compared_with_the_vectors_of_their_classes() -> None:
    h, z, generator = case()
    v = latents(generator, n=50)
    row_class = torch.arange(200) % 50
    rows = (v @ mixing(DIM, generator))[row_class]
    recovery = score(h, z, head=rows, head_class=row_class, class_vectors=v, resamples=100)
    assert recovery.head is not None
    assert recovery.head.affine.mean.value == pytest.approx(1)
    assert (recovery.head.n_train, recovery.head.n_test) == (25, 25)
    supervised = score(h, z, head=rows[:50], class_vectors=v, resamples=100)
    assert supervised.head is not None
    assert supervised.head.affine.mean.value == pytest.approx(1)


def test_groups_are_held_out_whole() -> None:
    """H knows the object only, and each object has one z: a split by sample looks perfect."""
    generator = torch.Generator().manual_seed(0)
    item = torch.arange(600) % 30
    h = torch.nn.functional.one_hot(item).double() + 0.01 * latents(generator, n=600, dim=30)
    z = latents(generator, n=30, dim=1)[item]
    assert score(h, z, resamples=100).mean() > 0.99
    assert score(h, z, groups=[f"object {i}" for i in item], resamples=100).mean() < 0.1


def test_a_mask_says_what_to_fit_on() -> None:
    h, z, _ = case()
    mask = np.arange(400) < 300
    recovery = score(h, z, train_mask=mask, resamples=100)
    assert (recovery.n_train, recovery.n_test) == (300, 100)
    torch.testing.assert_close(
        score(h, z, train_mask=torch.as_tensor(mask), resamples=100), recovery
    )


def test_mixed_kinds_have_no_map_of_latents() -> None:
    h, z, _ = case()
    recovery = score(h, {"a": z[:, 0], "b": z[:, 1] > 0}, resamples=100)
    assert recovery.latents is None
    assert [f.measure for f in recovery.factors] == ["R²", "AUC"]


@pytest.mark.parametrize("size", [1e-9, 1e7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_columns_of_other_magnitudes_drown_nothing(size: float, dtype: torch.dtype) -> None:
    """A column of noise, or a time stamp, beside features; the same with fewer samples than d."""
    h, z, generator = case(n=1000)
    huge = size * latents(generator, n=1000, dim=1)
    stamp = 1e9 + 1e5 * torch.arange(1000).double()[:, None]
    factors = {"c": z[:, 0], "b": z[:, 0] > 0}
    for n, own in ((1000, h), (150, torch.cat([h] + [h @ mixing(DIM, generator)] * 50, dim=1))):
        some = {name: column[:n] for name, column in factors.items()}
        plain = score(own[:n], some, resamples=100)
        assert plain.factors[1].estimate.value > 0.8
        for beside in (huge, stamp):
            moved = score(torch.cat([own, beside], 1)[:n].to(dtype), some, resamples=100)
            for a, b in zip(moved.factors, plain.factors, strict=True):
                assert a.estimate.value == pytest.approx(b.estimate.value, abs=0.03)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_fewer_samples_than_dimensions_are_read_by_the_same_maps_everywhere(offset: float) -> None:
    """Features of three directions: the map of least norm is scikit-learn's."""
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, n=100, dim=3)
    h = z @ latents(generator, n=3, dim=400) + 0.1 * latents(generator, n=100, dim=400) + offset
    recovery = score(h, z, train_mask=torch.arange(100) < 50, resamples=100)
    reference = LinearRegression().fit(h[:50].numpy(), z[:50].numpy())
    wanted = r2_score(z[50:].numpy(), reference.predict(h[50:].numpy()), multioutput="raw_values")
    assert recovery.latents is not None
    for factor, latent, best in zip(
        recovery.factors, recovery.latents.affine.per_factor, wanted, strict=True
    ):
        assert with_ends(factor.estimate) == pytest.approx(with_ends(latent))
        assert factor.estimate.value == pytest.approx(best, abs=1e-3)
    assert "ridge" in recovery.latents.status
    fitted = h.numpy() @ np.array(recovery.latents.coefficient) + recovery.latents.intercept
    found = r2_score(z[50:].numpy(), fitted[50:], multioutput="raw_values")
    assert found == pytest.approx([f.estimate.value for f in recovery.factors], abs=1e-6)


def test_all_labels_that_are_too_rare_are_named_at_once() -> None:
    h, z, _ = case(n=60)
    rare = {f"rare{j}": torch.arange(60) == j for j in range(5)}
    with pytest.raises(InputError, match="5 of 6 factors") as raised:
        score(h, {"plenty": z[:, 0] > 0, **rare})
    assert all(name in str(raised.value) for name in rare)


H, Z, G = case(n=60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Z": None}, "Z is missing"),
        ({"Z": Z[:50]}, "Z and H must have the same number of rows; got 50 and 60"),
        ({"x": Z[:50]}, "control 'x' and H must have"),
        ({"controls": {"pixels": Z[:50]}}, "control 'pixels' and H must have"),
        ({"controls": {"x": Z}, "x": Z}, "rename it"),
        ({"H": H[:7], "Z": Z[:7]}, "at least 8"),
        ({"H": torch.where(torch.arange(240).view(60, 4) == 0, torch.nan, H)}, "H has 1 values"),
        ({"Z": torch.where(torch.arange(240).view(60, 4) == 5, torch.inf, Z)}, "'z2' has 1 values"),
        ({"Z": torch.ones(60, 1)}, "'z1' is constant"),
        ({"head": torch.ones(3, 5)}, "one column per dimension of H"),
        ({"head": torch.ones(3, 4), "class_vectors": Z[:2]}, "pass head_class"),
        (
            {"head": H[:3], "class_vectors": Z[:2], "head_class": [0, 1, 2]},
            "0 to 1; got 0 to 2",
        ),
        (
            {"head": H[:3], "class_vectors": Z[:2], "head_class": [0, 1]},
            "head_class must hold one value for each",
        ),
        ({"head": H[:3], "class_vectors": Z[:2], "head_class": [1, 1, 1]}, "one class only"),
        (
            {"groups": np.zeros(60)},
            "groups has 1 different labels.*it takes 4 or more.*--groups key",
        ),
        ({"groups": np.arange(60) % 3}, "groups has 3 different labels"),
        ({"items": np.arange(60) % 2}, "items has 2 different labels"),
        ({"groups": np.zeros(50)}, "groups must hold one value for each"),
        ({"train_mask": np.ones(60)}, "train_mask leaves 60 samples to fit and 0"),
        ({"train_mask": np.ones(50)}, "train_mask must hold one value for each"),
        ({"train_share": 1.5}, "train_share must lie between"),
        ({"resamples": 10}, "resamples must be at least 100"),
    ],
)
def test_unusable_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    given = {"H": H, "Z": Z, **arguments}
    with pytest.raises(InputError, match=message) as raised:
        score(given.pop("H"), given.pop("Z"), **given)
    assert "\n" not in str(raised.value)


def test_factors_given_twice_are_refused() -> None:
    whole = Representation(h=H, factors=Factors.from_latents(Z))
    with pytest.raises(InputError, match="leave Z out"):
        score(whole, Z)


def test_the_public_names_are_documented() -> None:
    for name in identikit.__all__:
        assert getattr(identikit, name).__doc__


def test_a_factor_without_some_values_stops_and_changes_no_other() -> None:
    generator = torch.Generator().manual_seed(3)
    h = torch.randn(300, 4, generator=generator)
    z = {"a": (h @ torch.ones(4)).numpy(), "b": (h[:, 0] > 0).numpy()}
    items = np.arange(300) // 2
    alone = score(h, z, items=items)
    gaps = z["a"].copy()
    gaps[::5] = np.nan
    words = np.where(z["b"], "yes", "no").astype(object)
    words[:30] = None
    found = score(h, {"gaps": gaps, **z, "words": words}, x=h[:, :1], items=items)
    by_name = {s.name: s for s in found.factors}
    assert list(by_name) == ["gaps", "a", "b", "words"]
    for each in alone.factors:
        assert by_name[each.name].estimate.value == pytest.approx(each.estimate.value)
        assert by_name[each.name].p_value == each.p_value
    assert by_name["gaps"].status.startswith("240 of 300 samples have a value")
    assert by_name["words"].status.startswith("270 of 300 samples have a value")
    assert by_name["gaps"].estimate.value == pytest.approx(1)
    assert [s.name for s in found.controls["x"]] == list(by_name)
    p = [s.p_value for s in found.factors]
    assert [s.p_holm for s in found.factors] == holm([v for v in p if v is not None])


def test_gaps_leave_the_map_to_all_factors_its_complete_rows() -> None:
    h, z, _ = case()
    gaps = z.clone()
    gaps[::4, 0] = torch.nan
    gaps[::10, 1] = torch.nan
    fitted, every = torch.arange(400) % 3 == 0, ~gaps.isnan().any(dim=1)
    found = score(h, gaps, train_mask=fitted, resamples=100).latents
    alone = score(h[every], z[every], train_mask=fitted[every], resamples=100).latents
    assert found is not None
    assert alone is not None
    assert found.status.startswith("280 of 400 samples have a value of every factor")
    assert found.affine.mean.value == alone.affine.mean.value
    assert found.n_test == int((every & ~fitted).sum())
    gaps[: 400 - 20, 1] = torch.nan
    assert score(h, gaps, train_mask=fitted, resamples=100).latents is None


@pytest.mark.parametrize("name", ["groups", "items"])
def test_labels_that_are_missing_are_counted(name: str) -> None:
    labels = np.array(["a", "b", "c", None] * 15, object)
    with pytest.raises(InputError, match=f"{name} has no label in 15 of 60 rows, first in rows 3"):
        score(H, Z, **{name: labels})  # type: ignore[arg-type]


def test_arguments_are_read_by_position() -> None:
    index = np.random.default_rng(0).permutation(60)
    group, mask = np.arange(60) // 3, np.arange(60) % 4 > 0
    want = score(H, Z, groups=group, items=group)
    assert score(H, Z, groups=pd.Series(group, index=index), items=list(group)) == want
    masked = score(H, Z, train_mask=mask)
    assert score(H, Z, train_mask=pd.Series(mask, index=index)) == masked
    assert score(H, Z, train_mask=mask.astype(int).tolist()) == masked


def test_differences_from_controls_are_resampled_in_pairs() -> None:
    h, z, generator = case(n=2000)
    factors = {"a": z[:, 0], "b": z[:, 1] > 0}
    noisier = h + 0.1 * latents(generator, n=2000)
    found = score(h, factors, x=z, controls={"itself": h, "noisier": noisier}).factors
    beside = score(noisier, factors).factors
    for own, other in zip(found, beside, strict=True):
        assert list(own.above) == ["x", "itself", "noisier"]
        assert own.above["x"].high < 0
        same = own.above["itself"]
        assert [same.value, same.low, same.high] == pytest.approx([0, 0, 0], abs=1e-12)
        above = own.above["noisier"]
        assert above.value == pytest.approx(own.estimate.value - other.estimate.value)
        assert above.low < above.value < above.high
        # most of what moves one score moves the other
        assert above.high - above.low < 0.5 * (own.estimate.high - own.estimate.low)


def test_what_the_evidence_can_say_is_told() -> None:
    h, z, _ = case()
    rare = torch.arange(400) % 20 == 0
    found = score(h, {"a": z[:, 0], "rare": rare}, resamples=100).factors
    assert [s.least_p_holm for s in found] == [pytest.approx(2 / 101)] * 2
    continuous, binary = (s.effective_n or 0 for s in found)
    assert 20 < continuous < 200  # squares of normal numbers: a few of them weigh most
    assert binary < 20
    assert [f"{binary} effective samples of 200" in s.status for s in found] == [False, True]
    train = torch.arange(400) < 200
    grouped = score(
        h, {"a": z[:, 0], "rare": rare}, train_mask=train, groups=torch.arange(400) // 10
    ).factors
    assert grouped[0].effective_n in range(2, 21)
    assert grouped[1].effective_n == 10


def test_an_interval_over_training_rows_is_the_wider_one() -> None:
    """Few samples to fit fifty dimensions: another training part would give another map."""
    generator = torch.Generator().manual_seed(0)
    z = latents(generator, n=400, dim=2)
    h = torch.cat([z + latents(generator, n=400, dim=2), latents(generator, n=400, dim=48)], dim=1)
    mask = torch.arange(400) < 60
    recovery = score(h, {"a": z[:, 0], "b": z[:, 1] > 0}, train_mask=mask, refits=10)
    for factor in recovery.factors:
        assert factor.over_training is not None
        assert factor.over_training.value == factor.estimate.value
        assert factor.over_training.low < factor.estimate.low
        assert factor.over_training.high >= factor.estimate.high
    assert "over training rows too" in str(recovery.findings[0].explained)
    with pytest.raises(InputError, match="refits must be 0, or 5 or more; got 2"):
        score(h, z, refits=2)


def views(seed: int) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    """Features of 40 objects in 8 views; factors of objects, one unrelated, and of views."""
    generator = torch.Generator().manual_seed(seed)
    item = torch.arange(320) // 8
    known = latents(generator, n=40, dim=6)
    h = known[item] + 0.3 * latents(generator, n=320, dim=6)
    angle = latents(generator, n=320, dim=1)[:, 0]
    factors = {
        "unrelated": latents(generator, n=40, dim=1)[item, 0],
        "real": known[item, 0],
        "angle": angle,
    }
    return torch.cat([h, angle[:, None]], dim=1), factors, item


BY_SAMPLE: dict[str, dict[str, Any]] = {
    "a mask": {"train_mask": torch.arange(320) % 2 == 0},
    "groups of one": {"groups": torch.arange(320)},
}


@pytest.mark.parametrize("how", list(BY_SAMPLE))
def test_what_a_split_by_sample_taught_by_heart_is_undecided(how: str) -> None:
    """An unrelated value of objects is read, from other samples of them; whole items decide."""
    h, factors, item = views(0)
    recovery = score(h, factors, items=item, resamples=100, **BY_SAMPLE[how])
    verdicts = {f.quantity: f.verdict for f in recovery.findings}
    assert verdicts == {"unrelated": "undecided", "real": "undecided", "angle": "present"}
    assert [f.p_value for f in recovery.factors][:2] == [1, 1]
    for name in ("unrelated", "real"):
        assert "leave groups and train_mask out to hold whole items out" in recovery[name].explained
        assert "too few" not in recovery[name].explained
    assert "by heart" not in recovery["angle"].explained
    assert "160 of 160 held-out samples belong to items of which other" in recovery.status
    whole = score(h, factors, items=item, resamples=100)
    assert [f.verdict for f in whole.findings] == ["not shown", "present", "present"]
    assert "heart" not in str(whole)


def test_a_mask_across_groups_leaves_what_belongs_to_them_undecided() -> None:
    h, factors, group = views(1)
    recovery = score(h, factors, groups=group, resamples=100, **BY_SAMPLE["a mask"])
    assert [f.verdict for f in recovery.findings] == ["undecided", "undecided", "present"]
    assert "leave train_mask out to hold whole groups out" in recovery["real"].explained
    apart = score(h, factors, groups=group, train_mask=group < 20, resamples=100)
    assert apart["real"].verdict == "present"
    assert "heart" not in str(apart)


@pytest.mark.slow
def test_unrelated_values_of_objects_are_found_as_seldom_as_promised() -> None:
    draws, wrong, right = 25, 0, 0
    for seed in range(draws):
        h, factors, item = views(seed)
        for given in BY_SAMPLE.values():
            by_sample = score(h, factors, items=item, resamples=100, seed=seed, **given)
            assert by_sample["unrelated"].verdict == "undecided"
        unrelated, real, _ = score(h, factors, items=item, resamples=100, seed=seed).factors
        assert unrelated.p_value is not None
        assert real.p_value is not None
        wrong += unrelated.p_value <= 0.05
        right += real.p_value <= 0.05
    assert wrong <= 4  # more have a chance of .007 where one in twenty is promised
    assert right == draws


def test_selectivity_says_nothing_of_what_varies_within_items() -> None:
    h, factors, item = views(2)
    mostly = factors["real"] + 0.1 * factors["angle"]
    angle, both, own = score(
        h,
        {"angle": factors["angle"], "mostly": mostly, "own": factors["real"]},
        items=item,
        resamples=100,
    ).factors
    assert angle.selectivity is None
    assert "of its variance is within items, which no list of items holds" in angle.status
    assert both.selectivity is not None
    assert "of its variance is within items, of which selectivity says nothing" in both.status
    assert own.selectivity is not None
    assert "within items" not in own.status
    pairs = score(h, factors["angle"][:, None], items=torch.arange(320), resamples=100)
    assert pairs.factors[0].selectivity is None
    assert "most items have one sample" in pairs.factors[0].status
