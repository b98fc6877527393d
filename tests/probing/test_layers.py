"""`score_layers`: the numbers of `score`, corrected for layers, and a best layer without luck."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import identikit as ik
from identikit.core.finding import Verdict
from identikit.core.threads import processor_threads
from identikit.probing.layer_recovery import CHOSEN
from identikit.probing.layers import score_layers
from identikit.statistics.permutation import holm
from identikit.statistics.split import random_split

N = 160
RNG = np.random.default_rng(0)
SIZE, LOUD = RNG.normal(size=N), (RNG.normal(size=N) > 0).astype(int)
Z = {"size": SIZE, "loud": LOUD}
NOISE = RNG.normal(size=(3, N, 6))


def layers() -> dict[str, np.ndarray]:
    """`size` fades and `loud` rises; the middle layer has neither."""
    early, middle, late = NOISE.copy()
    early[:, 0] += 3 * SIZE
    late[:, 0] += SIZE
    late[:, 1] += 3 * LOUD
    return {"early": early, "middle": middle, "late": late}


@pytest.fixture(scope="module")
def found() -> ik.LayerRecovery:
    return score_layers(layers(), Z, controls={"twin": {"late": NOISE[0]}, "pixels": NOISE[1]})


def test_each_layer_has_the_numbers_that_it_has_alone(found: ik.LayerRecovery) -> None:
    for name, h in layers().items():
        alone = ik.score(h, Z, controls={"pixels": NOISE[1]}).factors
        for one, other in zip(found.layers[name].factors, alone, strict=True):
            for a, b in (
                (one.estimate, other.estimate),
                (one.above["pixels"], other.above["pixels"]),
            ):
                assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-3)
            assert one.p_value == other.p_value


def test_more_dimensions_than_samples_give_the_same_numbers_up_to_rounding() -> None:
    wide = np.concatenate([*layers().values(), RNG.normal(size=(N, 90))], axis=1)
    one = score_layers({"wide": wide}, Z, resamples=100).layers["wide"]
    alone = ik.score(wide, Z, resamples=100)
    assert one.rank == alone.rank
    assert one.dim == alone.dim
    for a, b in zip(one.factors, alone.factors, strict=True):
        assert a.estimate.value == pytest.approx(b.estimate.value, abs=2e-3)
        assert a.status == b.status


def test_p_values_are_corrected_over_factors_and_layers(found: ik.LayerRecovery) -> None:
    scores = [s for recovery in found.layers.values() for s in recovery.factors]
    assert [s.p_holm for s in scores] == holm([s.p_value or 0.0 for s in scores])
    assert scores[0].least_p_holm == pytest.approx(6 / 1001)
    best = [b.score for b in found.best]
    assert [s.p_holm for s in best] == holm([s.p_value or 0.0 for s in best])


def test_findings_say_where_a_factor_is_and_beside_what(found: ik.LayerRecovery) -> None:
    assert [b.layer for b in found.best] == ["early", "late"]
    assert found["size"].recovered == found["size at early"].recovered
    assert found["size"].verdict is Verdict.LEARNED
    assert found["loud at middle"].verdict is Verdict.NOT_SHOWN
    assert [c.name for c in found["size at late"].controls] == ["pixels", "twin"]
    assert [c.name for c in found["size at early"].controls] == ["pixels"]
    assert found["size"].explained.startswith("Best of 3 layers at early, and 0.17 ")
    assert "the last; clearly above pixels" in found["size"].explained
    assert "the last" not in found["loud"].explained
    assert found.headline.sentence.endswith(f"{CHOSEN}: size early; loud late.")
    assert found.headline.word == "Learned"
    assert ik.LayerRecovery.from_dict(found.to_dict()) == found
    frame = found.to_frame()
    assert len(frame) == 2 * (3 + 3 + 1)
    assert list(frame["layer"].unique()) == ["early", "middle", "late"]


def test_a_screen_shows_a_row_per_layer_with_controls_in_brackets(found: ik.LayerRecovery) -> None:
    for shown in (repr(found), str(found)):
        (row,) = (line for line in shown.splitlines() if line.startswith("late"))
        assert row.count("(") == 2
        assert "✓" in row
        assert "in brackets: pixels, twin" in shown
    assert found.to_html().count("<tbody>") == 2  # one per factor; the layers are in the figure


def test_held_out_values_have_no_say_in_which_layer_is_best() -> None:
    generator = torch.Generator().manual_seed(0)
    train = random_split(torch.arange(N), train_share=0.5, generator=generator).train.numpy()
    mask = np.isin(np.arange(N), train)
    near = {f"l{k}": NOISE[k % 3] + 0.3 * (1 + k % 2) * SIZE[:, None] for k in range(4)}
    other = np.where(mask, SIZE, RNG.permutation(SIZE))
    one, two = (
        score_layers(near, {"size": values}, train_mask=mask, resamples=100)
        for values in (SIZE, other)
    )
    assert one.best[0].layer == two.best[0].layer
    assert one.best[0].score.estimate != two.best[0].score.estimate


class Asked(Mapping[str, Any]):
    """Layers that note which is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> np.ndarray:
        self.asked.append(name)
        return layers()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(layers())

    def __len__(self) -> int:
        return len(layers())


def test_each_layer_is_asked_for_once_and_threads_change_no_number() -> None:
    results = []
    for threads in (1, 2):
        lazy = Asked()
        with processor_threads(threads):
            results.append(score_layers(lazy, Z, resamples=100))
            assert torch.get_num_threads() == threads
        assert sorted(lazy.asked) == ["early", "late", "middle"]
    assert results[0] == results[1]
    assert list(results[0].layers) == ["early", "middle", "late"]


def test_an_error_in_one_layer_is_that_of_the_call() -> None:
    given = layers() | {"bad": np.full((N, 2), np.nan)}
    with processor_threads(2), pytest.raises(ik.InputError, match="layer 'bad' has 320 values"):
        score_layers(given, Z, resamples=100)


def test_samples_without_a_value_are_left_out_of_that_factor_alone() -> None:
    size = SIZE.copy()
    size[::5] = np.nan
    one = score_layers(layers(), {"size": size, "loud": LOUD}, resamples=100)
    alone = ik.score(layers()["late"], {"size": size, "loud": LOUD}, resamples=240)
    for a, b in zip(one.layers["late"].factors, alone.factors, strict=True):
        assert a.estimate.value == b.estimate.value
        assert a.status == b.status


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({}, {}, "layers is empty"),
        ({"a": NOISE[0][:9]}, {}, r"layer 'a' and the factors must have the same number of rows"),
        ({"a": NOISE[0]}, {"controls": {"t": {"b": NOISE[1]}}}, "unknown layer of control 't' 'b'"),
        ({"a": NOISE[0]}, {"controls": {"t": NOISE[1][:9]}}, r"control 't' and the factors"),
        ({"a": NOISE[0]}, {"refits": 2}, "refits must be 0, or 5 or more"),
    ],
)
def test_what_cannot_be_scored_is_said(
    given: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ik.InputError, match=words):
        score_layers(given, Z, **options)


def unrelated(seed: int, *, n: int, count: int) -> tuple[dict[str, Tensor], torch.Generator]:
    """Layers of which none has anything to do with any factor; neighbours are alike."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(n, 4, generator=generator)
    return {
        f"l{k}": common + torch.randn(n, 4, generator=generator) for k in range(count)
    }, generator


def test_the_largest_of_layers_is_biased_where_the_layer_named_is_not() -> None:
    """Factors of noise: whatever the map, predictions and truth have correlation 0."""
    h, generator = unrelated(0, n=80, count=5)
    found = score_layers(h, torch.randn(80, 30, generator=generator), resamples=100)
    named = np.array([b.score.extras["r"] for b in found.best])
    every = np.array([[s.extras["r"] for s in r.factors] for r in found.layers.values()])
    for values, least, most in ((named, -3, 3), (every.max(axis=0), 4, 50)):
        off = values.mean() / (values.std(ddof=1) / len(values) ** 0.5)
        assert least < off < most


@pytest.mark.slow
def test_nothing_is_found_in_any_layer_more_often_than_it_may_be() -> None:
    wrong, draws = 0, 100
    for seed in range(draws):
        h, generator = unrelated(seed, n=60, count=5)
        z = torch.randn(60, 3, generator=generator)
        found = score_layers(h, z, resamples=100, seed=seed)
        wrong += min(s.p_holm or 0.0 for r in found.layers.values() for s in r.factors) <= 0.05
    assert stats.binom.sf(wrong - 1, draws, 0.05) > 0.01
