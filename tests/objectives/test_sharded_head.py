"""A head whose rows are split: alone it is the plain one; ranks are tested with `train`."""

import subprocess
import sys

import pytest
import torch

from identikit.core.ranks import Shard
from identikit.objectives import head as head_module
from identikit.objectives import sharded_head
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.objectives.sharded_head import ShardedHead


@pytest.mark.parametrize(
    ("negatives", "smoothing"), [(None, 0.0), (None, 0.8), (5, 0.0), (100, 0.0)]
)
@pytest.mark.parametrize("most", [1, 60, 10_000])
def test_alone_it_is_the_plain_head(
    negatives: int | None, smoothing: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = HeadConfig(negatives=negatives, group=12)
    monkeypatch.setattr(head_module, "MOST_LOGITS", most)
    monkeypatch.setattr(sharded_head, "_DRAWN", 7)
    plain = SoftmaxHead(
        config,
        30,
        4,
        generator=torch.Generator().manual_seed(0),
        label_smoothing=smoothing,
    ).double()
    split = ShardedHead(
        config,
        30,
        4,
        generator=torch.Generator().manual_seed(0),
        label_smoothing=smoothing,
    ).double()
    assert torch.equal(split.weight, plain.weight)
    assert torch.equal(split.rows(), plain.weight)
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(12, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    label = torch.randint(30, (12,), generator=generator)
    found = []
    for head in (plain, split):
        loss = 2 * head.loss(y, label, generator=torch.Generator().manual_seed(2))
        gradients = torch.autograd.grad(loss, [y, *head.parameters()])
        found.append([loss, *(part.to_dense() for part in gradients)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_two_ranks_step_as_one_process_does() -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, "-m", "tests.objectives.two_ranks"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(done.stdout.split()) == ["all", "infonce", "sampled"]


def test_rows_are_dealt_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identikit.core.ranks.ranks", lambda: 4)
    shards = []
    for number in range(4):
        monkeypatch.setattr("identikit.core.ranks.rank", lambda number=number: number)
        shards.append(Shard.of(203))
    assert [shard.stop - shard.start for shard in shards] == [50, 51, 51, 51]
    assert [shard.start for shard in shards[1:]] == [shard.stop for shard in shards[:-1]]
    assert (shards[0].start, shards[-1].stop) == (0, 203)
