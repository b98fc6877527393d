"""The torchmetrics object: batches, ranks and copies give the numbers of one pass."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from torch import Tensor, distributed

from identikit.core.errors import InputError
from identikit.probing.metric import LinearRecovery


def data(n: int = 600) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, 2, generator=generator)
    h = z @ torch.randn(2, 5, generator=generator) + torch.randn(n, 5, generator=generator) + 100
    return h, z, torch.arange(n)


def test_batches_give_what_one_pass_gives() -> None:
    h, z, _ = data()
    whole, batched = (LinearRecovery(dim=5, targets=2) for _ in range(2))
    whole.update(h, z)
    for rows in torch.arange(600).split(70):
        batched.update(h[rows], z[rows])
    torch.testing.assert_close(batched.compute(), whole.compute(), rtol=1e-9, atol=0)
    assert 0.2 < whole.compute().min() < whole.compute().max() < 1


def test_it_scores_samples_that_it_did_not_fit() -> None:
    h, _, index = data()
    noise = torch.randn(600, 2, generator=torch.Generator().manual_seed(9))
    metric = LinearRecovery(dim=5, targets=2)
    metric.update(h, noise, index)
    assert metric.compute().max() < 0.05


def test_copies_pickles_and_resets() -> None:
    h, z, _ = data()
    metric = LinearRecovery(dim=5, targets=2)
    metric.update(h, z)
    wanted = metric.compute()
    for other in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        torch.testing.assert_close(other.compute(), wanted)
    metric.reset()
    metric.update(h, z)
    torch.testing.assert_close(metric.compute(), wanted)


def test_forward_scores_the_batch_and_keeps_the_whole() -> None:
    h, z, _ = data(1200)
    metric, batch, whole = (LinearRecovery(dim=5, targets=2) for _ in range(3))
    metric.update(h[:600], z[:600])
    found = metric(h[600:], z[600:])
    batch.update(h[600:], z[600:])
    torch.testing.assert_close(found, batch.compute())
    whole.update(h[:600], z[:600])
    whole.update(h[600:], z[600:])
    assert metric.seen == whole.seen == 1200


def test_too_few_samples_are_said() -> None:
    h, z, _ = data(12)
    metric = LinearRecovery(dim=5, targets=2)
    metric.update(h, z)
    with pytest.raises(InputError, match="12 samples are too few"):
        metric.compute()


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    h, z, index = data()
    metric = LinearRecovery(dim=5, targets=2)
    mine = index[index % 3 == 0] if rank == 0 else index[index % 3 != 0]  # unequal shares
    for rows in mine.split(50):
        metric.update(h[rows], z[rows], rows)
    torch.save(metric.compute(), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_ranks_equal_one(tmp_path: Path) -> None:
    h, z, index = data()
    metric = LinearRecovery(dim=5, targets=2)
    metric.update(h, z, index)
    mp.spawn(_rank, args=(str(tmp_path),), nprocs=2)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(found, metric.compute(), rtol=1e-10, atol=0)
