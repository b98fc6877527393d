"""`unmix` where the answer is known: what is found, what is predicted, and which cause is named."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import FastICA
from torch import Tensor

import identikit as ik
from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, with_ends
from identikit.core.finding import Verdict
from identikit.core.randomness import random_rotation
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.measures import correlations
from identikit.unmixing import ica
from identikit.unmixing.result import Unmixing
from identikit.unmixing.unmix import _parts, _theory

QUICK: dict[str, Any] = {"starts": 2, "resamples": 3}
RNG = np.random.default_rng(0)
UNIFORM = RNG.uniform(-1, 1, size=(1200, 3))
MIXED = UNIFORM @ RNG.normal(size=(3, 5)) + 3


def test_independent_factors_are_found_up_to_order_and_sign() -> None:
    found = ik.unmix(MIXED, UNIFORM, **QUICK)
    assert found.determined == len(found.components) == 3
    assert found.mcc is not None
    assert found.mcc.low > 0.98
    assert found["mean over factors"].verdict is Verdict.AS_PREDICTED
    assert found["z1"].verdict is Verdict.AS_PREDICTED
    assert "Linear in h, determined, and found" in found["z1"].explained
    assert found.random is not None
    assert found.random < found.mcc.low
    assert found.shuffled is not None
    assert found.shuffled < 0.1
    assert found.enough is not None
    assert all(own.p < 0.05 for own in found.factors)
    assert "3 of 3 components are determined" in found.headline.sentence
    y = found.components_of(MIXED)
    for own in found.factors:
        j = int(own.component[1:]) - 1
        r = np.corrcoef(y[:, j], UNIFORM[:, int(own.name[1:]) - 1])[0, 1]
        assert abs(r) > 0.99


def test_components_on_the_factors_axes_have_high_infomec_and_dci() -> None:
    axes = ik.unmix(MIXED, UNIFORM, **QUICK).axes
    assert list(axes) == ["components", "random rotation", "shuffled"]
    own = {name: score for name, score in axes["components"].items() if isinstance(score, Estimate)}
    turned = {name: with_ends(score)[0] for name, score in axes["random rotation"].items()}
    assert set(own) == set(turned)
    assert min(score.value for score in own.values()) > 0.75
    for score in own.values():
        assert 0.5 < score.low <= score.value <= score.high <= 1
        assert score.high - score.low < 0.2
    for name in ("InfoM", "InfoC", "DCI disentanglement", "DCI completeness"):
        assert turned[name] < own[name].low - 0.2
    assert turned["InfoE"] > 0.95  # linear all the same
    assert axes["shuffled"]["InfoM"] == axes["shuffled"]["InfoC"] == 0
    assert with_ends(axes["shuffled"]["InfoE"])[0] < 0.05


def test_why_there_is_no_infomec_is_said() -> None:
    found = ik.unmix(MIXED, UNIFORM[:, :1], **QUICK)
    assert found.axes == {}
    assert found.status[-1].startswith("no InfoMEC and DCI: InfoMEC compares factors with each")


def test_order_and_signs_follow_their_rule_whatever_the_mixing() -> None:
    z = np.column_stack(
        [RNG.exponential(size=1200), RNG.uniform(-1, 1, 1200), RNG.normal(size=1200)]
    )
    for mixing in (np.eye(3), -np.eye(3), RNG.normal(size=(3, 3))):
        found = ik.unmix(z @ mixing, z, **QUICK)
        assert [own.component for own in found.factors] == ["c1", "c2", "c3"]
        sizes = [own.contrast for own in found.components]
        assert sizes == sorted(sizes, reverse=True)
        y = found.components_of(z @ mixing)
        assert np.corrcoef(y[:, 0], z[:, 0])[0, 1] > 0.99  # the longer tail is above 0


@pytest.mark.parametrize("kind", ["gaussian", "sphere"])
def test_isotropic_factors_become_an_arbitrary_rotation_and_this_is_said(kind: str) -> None:
    z = RNG.normal(size=(1200, 3))
    if kind == "sphere":
        z /= np.linalg.norm(z, axis=1, keepdims=True)
    found = ik.unmix(z @ RNG.normal(size=(3, 3)), z, **QUICK)
    assert found.determined == 0
    assert "the components are arbitrary" in found["determined components"].explained
    assert found["determined components"].verdict is Verdict.NOT_SHOWN
    said = found["mean over factors"]
    assert "3 of 3 factors can be turned into each other" in said.explained
    word = "as Gaussian as can be told" if kind == "gaussian" else "isotropic"
    assert word in found["z2"].explained
    assert found.enough is None


def test_factors_that_depend_on_each_other_have_no_promise() -> None:
    z = UNIFORM.copy()
    z[:, 1] += 0.8 * z[:, 0]
    found = ik.unmix(z @ RNG.normal(size=(3, 3)), z, **QUICK)
    assert found.predicted is None
    assert found["mean over factors"].predicted is None
    assert [own.partner for own in found.factors] == ["z2", "z1", ""]
    assert found["z1"].verdict is Verdict.MEASURED
    assert "It depends on z1" in found["z2"].explained or found["z2"].recovered.value > 0.98  # type: ignore[union-attr]
    assert isinstance(found["z3"].predicted, float)


def test_what_is_not_linear_is_the_cause_that_is_named_first() -> None:
    h = np.column_stack([UNIFORM[:, 0] + RNG.normal(size=1200), UNIFORM[:, 1:]])
    found = ik.unmix(h, UNIFORM, **QUICK)
    assert found["z1"].verdict is Verdict.LESS
    assert found.factors[0].linear == pytest.approx(0.5, abs=0.06)
    assert "the best linear map of h has r = 0." in found["z1"].explained
    assert found["z2"].verdict is Verdict.AS_PREDICTED


def test_axes_that_were_left_out_are_named() -> None:
    h = UNIFORM * np.array([1, 1, 0.01])
    found = ik.unmix(h, UNIFORM[:, 2:], components=2, **QUICK)
    assert "axes that were left out" in found["z1"].explained
    assert "2 components of the 3 directions" in " ".join(found.status)
    assert len(ik.unmix(h, UNIFORM, **QUICK).components) == 3  # no fewer than factors


def test_few_samples_are_a_cause() -> None:
    z = RNG.laplace(size=(300, 4))
    found = ik.unmix(z @ RNG.normal(size=(4, 4)), z, **QUICK)
    assert isinstance(found.predicted, float)
    assert 0.95 < found.predicted < 0.99
    tiny = ik.unmix(z[:30], **QUICK)
    assert "few samples: 15 to find 4 components" in " ".join(tiny.status)


def test_the_head_says_which_part_is_unmixed() -> None:
    h = np.column_stack([UNIFORM[:, :2], RNG.laplace(size=(1200, 3)) * 5])
    W = np.zeros((7, 5))
    W[:, :2] = RNG.normal(size=(7, 2))
    found = ik.unmix(h, UNIFORM[:, :2], head=W, **QUICK)
    assert found.row_space
    assert len(found.components) == 2
    assert found.mcc is not None
    assert found.mcc.value > 0.98
    assert np.abs(np.array(found.weights)[2:]).max() < 1e-9
    np.testing.assert_allclose(
        found.components_of(h + np.array([0, 0, 9, 9, 9])), found.components_of(h)
    )


def test_resamples_and_starts_tell_what_comes_out_again() -> None:
    sure = ik.unmix(MIXED, starts=3, resamples=8)
    unsure = ik.unmix(RNG.normal(size=(1200, 3)), starts=3, resamples=8)
    for found, low in ((sure, 0.98), (unsure, 0.0)):
        for own in found.components:
            assert own.resamples is not None
            assert own.starts is not None
            assert low <= own.resamples.low <= own.resamples.value <= own.resamples.high <= 1
    lows = [own.resamples.low for own in unsure.components if own.resamples is not None]
    assert min(lows) < 0.9
    alone = ik.unmix(MIXED, starts=1, resamples=0).components[0]
    assert (alone.starts, alone.resamples) == (None, None)


def test_starts_and_resamples_of_a_part_of_many_rows_tell_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1 / corr² - 1 of m rows, times m / n, is that of n rows, as far as 40 can tell."""
    whole = ik.unmix(MIXED, starts=1, resamples=40)
    monkeypatch.setattr(ica, "MOST_ROWS", 150)
    part = ik.unmix(MIXED, starts=1, resamples=40)
    for one, other in zip(whole.components, part.components, strict=True):
        assert one.resamples is not None
        assert other.resamples is not None
        wide, narrow = (1 / own.resamples.value**2 - 1 for own in (one, other) if own.resamples)
        assert 0.4 < wide / narrow < 2.5


def test_groups_are_held_out_and_resampled_together() -> None:
    z = RNG.uniform(-1, 1, size=(60, 2)).repeat(10, axis=0)
    h = z @ RNG.normal(size=(2, 2))
    group = np.arange(60).repeat(10)
    alone, together = ik.unmix(h, z, **QUICK), ik.unmix(h, z, groups=group, **QUICK)
    widths = [found.mcc.high - found.mcc.low for found in (alone, together) if found.mcc]
    assert widths[1] > 1.5 * widths[0]
    assert together.n_train == 300


def test_factors_that_are_the_same_in_every_group_are_shuffled_within_groups() -> None:
    group = np.arange(20).repeat(30)
    z = np.column_stack([RNG.uniform(-1, 1, 20)[group], np.tile(np.linspace(-1, 1, 30), 20)])
    found = ik.unmix(z @ RNG.normal(size=(2, 2)), z, groups=group, **QUICK)
    assert found.linearly == 2
    assert all(own.p < 0.05 for own in found.factors)
    assert found.shuffled is not None
    assert found.shuffled < 0.5


def test_json_keeps_all_and_only_numbers_are_compared() -> None:
    factors = {"a": UNIFORM[:, 0], "word": np.array(["x", "y", "z"])[RNG.integers(0, 3, 1200)]}
    found = ik.unmix(MIXED, factors, **QUICK)
    assert Unmixing.from_dict(found.to_dict()) == found
    assert [own.name for own in found.factors] == ["a"]
    assert "word: no numbers of every sample, or more levels than" in found.status[-1]
    assert "c1" in str(found)
    assert found == ik.unmix(torch.from_numpy(MIXED), factors, **QUICK)


def test_levels_of_words_are_factors_where_components_suffice() -> None:
    kind = RNG.integers(0, 3, 1200)
    h = np.column_stack([np.eye(3)[kind] + 0.1 * RNG.normal(size=(1200, 3)), UNIFORM[:, 0]])
    factors = {"kind": np.array(["cat", "cup", "dog"])[kind], "size": UNIFORM[:, 0]}
    found = ik.unmix(h, factors, **QUICK)
    assert [own.name for own in found.factors] == ["size", "kind: cat", "kind: cup", "kind: dog"]
    assert found.linearly == 4
    assert [own.name for own in ik.unmix(h[:, :3], factors, **QUICK).factors] == ["size"]


def test_levels_of_one_word_depend_on_each_other_before_correlations_show_it() -> None:
    levels = torch.eye(8, dtype=torch.float64)[torch.arange(768) % 8]
    predicted, _, _, partner = _theory(levels, list("abcdefgh"), n=384)
    assert predicted == [None] * 8
    assert all(partner)
    rare = torch.cat([levels[:80], torch.zeros(688, 8)])  # none together is no wonder
    assert _theory(rare, list("abcdefgh"), n=384)[3] == [""] * 8


def test_a_factor_in_two_components_has_none_of_its_own() -> None:
    """z1 is one axis of h, z2 the sum of two, and z3 is not there."""
    rng = np.random.default_rng(1)
    h = rng.uniform(-1, 1, size=(2000, 4))
    z = np.column_stack([h[:, 0], h[:, 1] + h[:, 2], rng.normal(size=2000)])
    found = ik.unmix(h, z, **QUICK)
    own, half, none = (factor.held for factor in found.factors)
    assert own is not None
    assert half is not None
    assert own.low > 0.95
    assert 0.4 < half.low < 0.5 < half.high < 0.6
    assert none is None
    said = found["factors with a component of their own"]
    assert found.linearly == 2
    assert isinstance(said.recovered, int)
    assert said.recovered - (half.value > 0.5) == 1
    assert "Of 2 that a linear map of h recovers" in said.explained
    assert [control.name for control in said.controls] == ["random rotation", "own axes"]
    assert found.own_raw is not None
    assert found.own_raw.factors >= 1
    nothing = ik.unmix(h, z[:, 2:], **QUICK)["factors with a component of their own"]
    assert nothing.verdict is Verdict.NOT_SHOWN
    assert "No linear map" in nothing.explained


def test_shares_have_intervals_where_resamples_lack_a_factor() -> None:
    """The second factor is there in one group of eight, which a third of resamples do not draw."""
    groups = torch.arange(8).repeat_interleave(50)
    draw = torch.Generator().manual_seed(0)
    z = torch.stack([torch.randn(400, generator=draw), (groups == 0) * 1.0], dim=1).double()
    noise = torch.randn(2, 400, 2, generator=draw).double()
    linear, best = z + 0.3 * noise[0], z + torch.tensor([1.0, 0.5]) * noise[1]
    bootstrap = Bootstrap(groups, resamples=1000, generator=draw)
    ((first, second, both),) = _parts([best, linear], z, torch.arange(2), bootstrap)
    square = [correlations(part, z).diagonal().square() for part in (best, linear)]
    assert both.value == pytest.approx((square[0].sum() / square[1].sum()).item())
    assert 0.3 < both.low < both.value < both.high < 0.8
    assert first.value == pytest.approx((square[0] / square[1])[0].item())
    assert math.isfinite(second.low + second.high)


def degenerate(kind: str) -> Tensor:
    h = torch.from_numpy(MIXED)
    if kind == "twice":
        return torch.cat([h, h[:, :2]], dim=1)
    return torch.cat([h, torch.ones(len(h), 1)], dim=1)


@pytest.mark.parametrize("kind", ["twice", "constant"])
def test_columns_that_say_nothing_new_change_nothing_and_are_said(kind: str) -> None:
    found, plain = ik.unmix(degenerate(kind), UNIFORM, **QUICK), ik.unmix(MIXED, UNIFORM, **QUICK)
    assert found.mcc is not None
    assert plain.mcc is not None
    assert found.mcc.value == pytest.approx(plain.mcc.value, abs=1e-3)
    assert f"h varies in 3 of its {found.dim} dimensions" in found.status[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"h": np.ones((50, 3)), "Z": None}, "h varies in 0 directions"),
        ({"h": MIXED[:, :1]}, "unmixing needs two or more"),
        ({"components": 4}, "4 components were asked for, and h varies in 3 directions"),
        ({"h": MIXED[:4], "Z": None, "components": 3}, "Ask for fewer, or give more rows"),
        ({"Z": UNIFORM[:9]}, "the same number of rows; got 1200 and 9"),
        ({"Z": RNG.normal(size=(1200, 5))}, "got 5 factors and 3 components"),
        ({"head": np.ones((4, 2))}, "one column per dimension of h"),
        ({"starts": 0}, "starts must be 1 or more"),
        ({"h": np.where(MIXED > 4, np.nan, MIXED)}, "NaN"),
    ],
)
def test_what_cannot_be_unmixed_is_refused(changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"h": MIXED, "Z": UNIFORM, **QUICK} | changed
    with pytest.raises(InputError, match=message):
        ik.unmix(given.pop("h"), given.pop("Z"), **given)


def test_a_rotation_is_that_of_the_reference_in_either_precision() -> None:
    white = ica.White.of(
        torch.from_numpy(MIXED), torch.arange(len(MIXED)), least=3, most=3, share=1.0
    )
    start = random_rotation(3, torch.Generator().manual_seed(0))
    reference = FastICA(whiten=False, w_init=start.numpy(), tol=1e-10, max_iter=500)
    wanted = torch.from_numpy(reference.fit(white.x.numpy()).components_)
    for x, close in ((white.x, 1e-3), (white.x.float(), 2e-3)):
        W, converged = ica.fast_ica(x, start)
        assert converged
        torch.testing.assert_close((W @ wanted.T).abs(), torch.eye(3).double(), atol=close, rtol=0)


def test_groups_are_drawn_as_wholes() -> None:
    group = torch.tensor([3, 1, 3, 7, 1, 1])
    rows = ica._resample(group, 2.0, torch.Generator().manual_seed(0))
    drawn = group[rows]
    times = {g: int((drawn == g).sum()) / int((group == g).sum()) for g in (1, 3, 7)}
    assert sum(times.values()) == 6
    for g, count in times.items():
        members = (group == g).nonzero().flatten().tolist()
        assert sorted(rows[drawn == g].tolist()) == sorted(members * int(count))
