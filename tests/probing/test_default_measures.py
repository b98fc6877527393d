"""One default score for each kind of factor, whoever reads it."""

import numpy as np
import torch

import identikit
from identikit.core.factors import Kind
from identikit.probing.default_measures import MEASURES


def test_score_reads_the_table() -> None:
    generator = np.random.default_rng(0)
    h = generator.normal(size=(400, 5))
    factors = {
        "number": h[:, 0],
        "angle": np.arctan2(h[:, 1], h[:, 2]),
        "rank": np.digitize(h[:, 3], [-1, 0, 1]),
        "class": np.digitize(h[:, 4], [-0.5, 0.5]),
        "side": (h[:, 0] + generator.normal(size=400) > 0).astype(int),
    }
    kinds = {"angle": "circular:6.283185307179586", "rank": "ordinal", "class": "categorical"}
    found = identikit.score(h, factors, kinds=kinds, resamples=100)
    assert [s.kind for s in found.factors] == list(MEASURES)
    for score in found.factors:
        assert score.measure == MEASURES[score.kind].name
        assert score.chance == MEASURES[score.kind].chance(3)


def test_a_perfect_guess_scores_one_and_a_useless_one_its_chance() -> None:
    everyone = torch.ones(1, 400, dtype=torch.float64)
    truth = torch.linspace(-1, 1, 400, dtype=torch.float64)[:, None]
    for kind in (Kind.CONTINUOUS, Kind.CIRCULAR, Kind.ORDINAL):
        assert float(MEASURES[kind].of(truth, truth)(everyone)) == 1
        still = torch.zeros_like(truth)
        assert abs(float(MEASURES[kind].of(still, truth)(everyone))) < 1e-9
        assert MEASURES[kind].chance(400) == 0
    level = torch.arange(400) % 2
    for kind, said in ((Kind.CATEGORICAL, level), (Kind.BINARY, level.double())):
        assert float(MEASURES[kind].of(said, level)(everyone)) == 1
        found = float(MEASURES[kind].of(torch.zeros_like(said), level)(everyone))
        assert found == MEASURES[kind].chance(2) == 0.5
