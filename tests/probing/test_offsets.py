"""Pairs, questions and parallelograms of vectors of which it is known what their steps are."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import identikit as ik
from identikit.core.estimate import Estimate
from identikit.core.finding import Verdict
from identikit.probing.analogies import find_analogies
from identikit.probing.offsets import agreement, causal, projections, retrieved, unit

G = torch.Generator().manual_seed(0)
SIZES = (3, 4, 5)
GRID = torch.tensor(list(itertools.product(*map(range, SIZES)))).repeat(3, 1)
Z = {name: GRID[:, j].numpy() for j, name in enumerate(("shape", "size", "place"))}
CODE = torch.randn(3, 10, generator=G, dtype=torch.float64)
NOISE = torch.randn(len(GRID), 10, generator=G, dtype=torch.float64)
N, D = 120, 12
STEP = torch.randn(D, generator=G, dtype=torch.float64)
WORDS = [f"w{k}" for k in range(N)]
PAIRS = {"step": [(f"w{k}", f"w{k + 1}") for k in range(0, 60, 2)]}


def vectors(noise: float = 0.0) -> Tensor:
    """Word 2k + 1 is word 2k and a step, up to noise, for the first sixty words."""
    generator = torch.Generator().manual_seed(1)
    h = torch.randn(N, D, generator=generator, dtype=torch.float64)
    h[1:60:2] = h[0:60:2] + STEP
    return h + noise * torch.randn(N, D, generator=generator, dtype=torch.float64)


def test_agreement_is_the_mean_over_all_pairs_of_different_steps() -> None:
    p = torch.randn(9, 4, generator=G, dtype=torch.float64) + 0.5
    counts = torch.tensor([[1.0] * 9, [2, 0, 1, 1, 3, 0, 0, 1, 1]], dtype=torch.float64)
    for weights, found in zip(counts, agreement(p)(counts)[:, 0], strict=True):
        drawn = np.repeat(np.arange(9), weights.int().numpy())
        dots = [float(p[i] @ p[j]) for i, j in itertools.permutations(range(9), 2)
                for _ in range(int(weights[i] * weights[j]))]  # fmt: skip
        same = [float(p[i] @ p[i]) for i in range(9) for _ in range(int(weights[i] ** 2))]
        pairs = len(drawn) ** 2 - int(weights.square().sum())
        wanted = sum(dots) / pairs / (p[drawn].square().sum(dim=1).mean().item())
        assert found == pytest.approx(wanted)
        assert len(dots) == pairs
        assert same  # a step is not compared with its own copies
    by_hand = [float(torch.cosine_similarity(p[i], p.sum(0) - p[i], dim=0)) for i in range(9)]
    assert projections(p).tolist() == pytest.approx(by_hand)


def test_an_affine_image_of_the_grid_scores_one_and_noise_does_not() -> None:
    found = ik.analogies(
        {"code": GRID.double() @ CODE + 7, "noise": NOISE},
        Z,
        controls={"untrained": {"code": NOISE}},
        resamples=200,
    )
    for name in Z:
        code = found[f"{name} at code"]
        assert isinstance(code.recovered, Estimate)
        assert code.recovered.value == pytest.approx(1)
        assert code.predicted == 1.0
        assert code.verdict is Verdict.LEARNED
        assert found[name].verdict is Verdict.NOT_SHOWN  # in the last layer, which is noise
        assert found[name] == found[f"{name} at noise"] or found[name].place == ""
    by_layer = {(s.layer, s.name): s for s in found.scores}
    assert by_layer["code", "size"].offset.value == 1
    assert by_layer["noise", "size"].offset.value < 0.2
    assert by_layer["code", "size"].near_c.value < 1
    assert found.headline.sentence.startswith("In noise, the last layer, as one step: 3 of 3 not")
    assert ik.Analogies.from_dict(found.to_dict()) == found


def test_parallelograms_are_of_the_samples_and_no_sample_is_in_two() -> None:
    rows = find_analogies(GRID, factor=1, count=30, generator=G)
    assert rows.shape == (4, 30)
    assert len(torch.unique(rows)) == 120
    a, b, c, d = GRID[rows]
    for one, other, level in ((a, b, d), (d, c, a)):
        assert torch.equal(one[:, [0, 2]], other[:, [0, 2]])
        assert (one[:, 1] != other[:, 1]).all()
        assert torch.equal(one[:, 1], level[:, 1])
    assert (a[:, [0, 2]] != c[:, [0, 2]]).all()


def test_one_step_for_all_pairs_is_found_and_random_pairs_are_chance() -> None:
    found = ik.analogies(vectors(), words=WORDS, pairs=PAIRS, resamples=200)
    plain, other = found.scores
    for score in (plain, other):
        assert score.additivity.value == pytest.approx(1)
        assert score.cosine is not None
        assert score.cosine.value == pytest.approx(1)
        assert score.projection is not None
        assert score.projection.value == pytest.approx(1)
        assert score.random_cosine is not None
        assert score.random_cosine.low < 0.0 < score.random_cosine.high
        assert score.questions == 30 * 29 == 870
        assert score.offset.value == 1
        assert score.near_b.value < 0.3
    assert (plain.product, other.product) == ("", "causal")
    assert found["step"].predicted is None
    assert "implies nothing" in found["step"].explained
    assert found["step"].verdict is Verdict.PRESENT


def test_the_causal_product_makes_dimensions_of_any_scale_alike() -> None:
    """It is blind to invertible maps of all vectors, as the softmax is."""
    turn = torch.randn(D, D, generator=G, dtype=torch.float64)
    h = vectors(0.5)
    one, two = (causal(v, v) @ causal(v, v).T for v in (h, h @ turn + 3))
    centre = torch.eye(N, dtype=torch.float64) - 1 / N
    torch.testing.assert_close(centre @ one @ centre, centre @ two @ centre)
    rows = torch.randn(40, D, generator=G, dtype=torch.float64)
    given = ik.analogies(h, words=WORDS, pairs=PAIRS, output=rows, resamples=100)
    assert given.scores[1].additivity != given.scores[0].additivity


def test_answers_are_those_of_brute_force() -> None:
    h, generator = vectors(0.6), torch.Generator().manual_seed(3)
    asked = torch.stack([torch.randperm(N, generator=generator)[:40] for _ in range(4)])
    asked = asked[:, (asked[0] != asked[2]) & (asked[0] != asked[3]) & (asked[1] != asked[3])]
    label = torch.arange(N)
    for cosine in (True, False):
        hits = retrieved(h, asked, label=label, cosine=cosine)
        for k, (a, b, c, d) in enumerate(asked.T.tolist()):
            at = h[b] - h[a] + h[c]
            like = unit(h) @ at if cosine else -torch.cdist(at[None], h)[0]
            free = like.clone()
            free[[a, b, c]] = -torch.inf
            assert bool(hits.offset_with_inputs[k]) == (int(like.argmax()) == d)
            assert bool(hits.offset[k]) == (int(free.argmax()) == d)


def test_questions_in_sections_are_asked_as_they_are() -> None:
    asked = {"step": [("w0", "w1", "w2", "w3"), ("w4", "w5", "w0", "w1"), ("w6", "w7", "x", "w1")]}
    (score, _) = ik.analogies(vectors(), words=WORDS, questions=asked, resamples=100).scores
    assert (score.questions, score.missing, score.pairs) == (2, 1, 3)
    assert score.offset.value == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give factors Z, or words with pairs, or words with questions; got none"),
        ({"words": WORDS}, "got words"),
        ({"words": WORDS[:9], "pairs": PAIRS}, "'step' has 4 pairs|H has 120 rows for 9"),
        ({"words": ["a"] * N, "pairs": PAIRS}, "words must be different; 119 of 120"),
        ({"words": WORDS, "pairs": {}}, "no pairs or questions are given"),
        ({"words": WORDS, "pairs": {"p": [("w0", "w1", "w2")]}}, "of 'p' must be 2 words"),
        ({"words": WORDS, "pairs": {"p": [("w0", "new")] * 9}}, "'new' has none"),
        ({"words": WORDS, "pairs": PAIRS, "output": np.ones((3, D))}, "output must have a column"),
        ({"Z": {"one": np.arange(N) % 2, "own": np.arange(N).astype(float)}}, "only 0 parallel"),
    ],
)
def test_what_cannot_be_asked_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ik.InputError, match=words):
        ik.analogies(vectors(), **options)
