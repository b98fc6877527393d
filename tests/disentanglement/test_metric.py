from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.disentanglement.codes import grid, noise, perfect
from torchmetrics import MetricCollection

from identikit import disentanglement as classic
from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.disentanglement.metric import ClassicMetric

LEVELS = torch.from_numpy(grid((3, 4), copies=20))
CODES = torch.from_numpy(perfect(LEVELS.numpy()) + 0.4 * noise(240, 2))
SCORES = [getattr(classic, name) for name in classic.__all__ if name.islower()]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_batches_score_what_the_whole_scores(score: Callable[..., Any]) -> None:
    metric = ClassicMetric(score)
    for rows in torch.arange(240).split(100):
        metric.update(CODES[rows], LEVELS[rows])
    draws = score not in (classic.mig, classic.modularity, classic.tmex)
    options = {"generator": stream(0, "classic metric")} if draws else {}
    whole = score(CODES, LEVELS, **options)
    for name, value in metric.compute().items():
        assert value.item() == getattr(whole, name)
    assert metric.result().status == "ok"


def test_options_reach_the_score_and_reset_forgets() -> None:
    metric = ClassicMetric(classic.mig, variant="equal-width-20")
    metric.update(CODES, LEVELS)
    assert metric.result().variant == "equal-width-20"
    metric.reset()
    with pytest.raises(InputError, match="update"):
        metric.result()


def test_forward_and_collections_work() -> None:
    both = MetricCollection({"mig": ClassicMetric(classic.mig), "sap": ClassicMetric(classic.sap)})
    both(CODES, LEVELS)
    both(CODES, LEVELS)
    assert len(both.compute()) >= 2
    assert np.isfinite([float(v) for v in both["mig"].compute().values()]).all()


def test_ranks_are_joined_before_the_score() -> None:
    def gather(mine: torch.Tensor, group: object = None) -> list[torch.Tensor]:
        return [mine, CODES[120:] if mine.is_floating_point() else LEVELS[120:]]

    metric = ClassicMetric(classic.mig)
    metric.update(CODES[:120], LEVELS[:120])
    alone = metric.compute()["score"]
    metric.reset()
    metric.update(CODES[:120], LEVELS[:120])
    metric.dist_sync_fn, metric.distributed_available_fn = gather, lambda: True
    assert metric.compute()["score"] == classic.mig(CODES, LEVELS).score != alone
