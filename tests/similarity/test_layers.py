"""All pairs of layers: each score by its definition, chance and p-values by their meaning."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.similarity import layers as module
from identikit.similarity.compare import compare
from identikit.similarity.layer_comparison import LABELS, LayerComparison, PairScores
from identikit.similarity.layers import compare_layers
from identikit.similarity.neighbours import nearest, shared
from identikit.similarity.paired import shuffled_orders
from identikit.statistics.split import random_split


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def models(n: int = 120) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Three and two layers; `a1` and `b0` hold the same two factors, the others nothing common."""
    z = normal(n, 2, seed=0)
    a = {"a0": normal(n, 5, seed=1), "a1": z @ normal(2, 4, seed=2), "a2": normal(n, 3, seed=3)}
    a["a1"] = a["a1"] + 0.2 * normal(n, 4, seed=4) + 7
    b = {"b0": z @ normal(2, 6, seed=5) + 0.2 * normal(n, 6, seed=6), "b1": normal(n, 4, seed=7)}
    return a, b


def test_each_score_is_that_of_its_definition() -> None:
    a, b = models()
    found = compare_layers(a, b, shuffles=19)
    split = random_split(torch.arange(120), train_share=0.5, generator=stream(0, "split"))
    for i, x in enumerate(a.values()):
        for j, y in enumerate(b.values()):
            for measure, source, goal in (("r2_ab", x, y), ("r2_ba", y, x)):
                model = LinearRegression().fit(source[split.train], goal[split.train])
                wanted = r2_score(
                    goal[split.test],
                    model.predict(source[split.test]),
                    multioutput="variance_weighted",
                )
                assert found.of(measure).score[i][j] == pytest.approx(wanted, abs=1e-9)
            single = compare(x, y, shuffles=0, resamples=100).spaces[0]["cka"].estimate.value
            assert found.of("cka").score[i][j] == pytest.approx(single, abs=1e-9)
            every = torch.arange(120)
            wanted = shared(nearest(x, every), nearest(y, every)).mean().item()
            assert found.of("knn").score[i][j] == pytest.approx(wanted)


def test_only_the_pair_that_shares_factors_stands_out_of_all() -> None:
    found = compare_layers(*models(), shuffles=99, names=("one", "two"))
    for measure in LABELS:
        scores = found.of(measure)
        assert scores.best == (1, 0)
        others = [
            p for i, row in enumerate(scores.p) for j, p in enumerate(row) if (i, j) != (1, 0)
        ]
        assert scores.p[1][0] == 0.01
        assert min(others) > 0.05
        assert scores.chance_of_best > np.max(scores.chance)
        assert scores.calibrated[1, 0] == pytest.approx(
            (scores.score[1][0] - scores.chance[1][0]) / (1 - scores.chance[1][0])
        )
    said = [finding for finding in found.findings if not finding.place]
    assert [str(finding.verdict) for finding in said] == ["measured"] * 4
    assert said[2].explained.startswith("a1 of A and b0 of B, the most alike of 6 pairs; p = 0.010")
    assert found["CKA at a0"].verdict == "not shown"
    assert "CKA 1 (most alike: a1 and b0)" in found.headline.sentence


def test_shuffles_of_scores_are_scores_of_shuffled_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = models()
    drawn: list[Tensor] = []
    keep = module._calibrated

    def seen(measure: str, null: Tensor) -> PairScores:
        drawn.append(null)
        return keep(measure, null)

    monkeypatch.setattr(module, "_calibrated", seen)
    compare_layers(a, b, shuffles=19)
    split = random_split(torch.arange(120), train_share=0.5, generator=stream(0, "split"))
    order = next(shuffled_orders(torch.arange(120), split, shuffles=1, seed=0))
    compare_layers(a, {name: h[order] for name, h in b.items()}, shuffles=19)
    for k in range(len(LABELS)):
        torch.testing.assert_close(drawn[k][1], drawn[k + len(LABELS)][0])


def test_p_is_uniform_for_what_is_unrelated_even_of_the_best_pair() -> None:
    """Of 30 worlds in which nothing is shared, about one in ten has a pair with p <= 0.1."""
    hits = 0
    for seed in range(30):
        a = {f"a{k}": normal(24, 3, seed=10 * seed + k + 1000) for k in range(3)}
        b = {f"b{k}": normal(24, 3, seed=10 * seed + k + 1005) for k in range(3)}
        found = compare_layers(a, b, shuffles=19)
        hits += min(p for row in found.of("cka").p for p in row) <= 0.1
    assert hits <= 9  # the probability of more is 0.001


def test_groups_are_shuffled_as_wholes_so_that_copies_are_no_evidence() -> None:
    one, two = (normal(12, 3, seed=s).repeat_interleave(10, dim=0) for s in (1, 2))
    group = torch.arange(12).repeat_interleave(10)
    alone = compare_layers({"a": one}, {"b": two}, shuffles=99)
    together = compare_layers({"a": one}, {"b": two}, shuffles=99, groups=group)
    assert alone.of("knn").p[0][0] == 0.01  # neighbours are copies, in both
    assert together.of("knn").p[0][0] > 0.05
    assert together.groups == 12


def test_wide_layers_are_compared_in_their_first_axes() -> None:
    z = normal(100, 2, seed=0)
    wide = z @ normal(2, 300, seed=1) + 0.01 * normal(100, 300, seed=2)
    found = compare_layers({"wide": wide}, {"z": z}, shuffles=19)
    assert found.axes == 12
    assert found.kept[0][0] > 0.99
    assert found.of("r2_ab").score[0][0] > 0.99


def test_rows_are_matched_by_key_and_json_keeps_all() -> None:
    a, b = models()
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0))
    key = np.array([f"{k:03d}" for k in range(120)])
    mixed = {name: h[order] for name, h in b.items()}
    found = compare_layers(a, mixed, keys_a=key, keys_b=key[order.numpy()], shuffles=19)
    wanted = compare_layers(a, b, shuffles=19)
    assert found.to_frame()["value"].tolist() == pytest.approx(wanted.to_frame()["value"].tolist())
    assert LayerComparison.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"A": {}}, "A has no layers"),
        ({"shuffles": 5}, "at least 19"),
        ({"A": {"x": normal(10, 2, seed=0)}, "B": {"y": normal(10, 2, seed=0)}}, "10 samples in"),
        ({"A": {"x": normal(120, 2, seed=0), "y": normal(9, 2, seed=0)}}, "layer 'y' of A has 9"),
        ({"A": {"x": torch.ones(120, 2)}}, "layer 'x' of A does not vary"),
        ({"B": {"x": normal(99, 2, seed=0)}}, "same number of rows"),
        ({"groups": [0] * 120}, "at least two different labels"),
    ],
)
def test_what_cannot_be_compared_is_refused(changed: dict[str, Any], message: str) -> None:
    a, b = models()
    given: dict[str, Any] = {"A": a, "B": b, "shuffles": 19} | changed
    with pytest.raises(InputError, match=message):
        compare_layers(given.pop("A"), given.pop("B"), **given)
