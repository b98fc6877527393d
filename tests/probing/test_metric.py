"""The torchmetrics object: batches, ranks and copies give the numbers of one pass."""

import copy
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from matplotlib.patches import Rectangle
from torch import Tensor, distributed
from torch.multiprocessing.spawn import start_processes

from identikit.core.errors import InputError
from identikit.features.inputs import circular
from identikit.probing.metric import LinearRecovery


def data(n: int = 600) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, 2, generator=generator)
    h = z @ torch.randn(2, 5, generator=generator) + torch.randn(n, 5, generator=generator) + 100
    return h, z, torch.arange(n)


def test_batches_give_what_one_pass_gives() -> None:
    h, z, _ = data()
    whole, batched = (LinearRecovery(dim=5, factors=2) for _ in range(2))
    whole.update(h, z)
    for rows in torch.arange(600).split(70):
        batched.update(h[rows], z[rows])
    torch.testing.assert_close(batched.compute(), whole.compute(), rtol=1e-9, atol=0)
    found = whole.compute()
    assert list(found) == ["z1", "z2", "mean"]
    assert all(0.2 < value < 1 for value in found.values())
    torch.testing.assert_close(found["mean"], (found["z1"] + found["z2"]) / 2)


def test_it_scores_samples_that_it_did_not_fit() -> None:
    h, _, index = data()
    noise = torch.randn(600, 2, generator=torch.Generator().manual_seed(9))
    metric = LinearRecovery(dim=5, factors=2)
    metric.update(h, noise, index)
    assert max(metric.compute().values()) < 0.05


def test_an_angle_is_scored_as_a_whole() -> None:
    """H holds its cosine and not its sine: the R² of the two together, and any shift is one."""
    generator = torch.Generator().manual_seed(1)
    azimuth = torch.rand(1200, generator=generator).double() * 360
    size = torch.randn(1200, generator=generator).double()
    turn = azimuth.deg2rad()
    noise = torch.randn(1200, generator=generator).double()
    kinds = {"azimuth": circular(360)}
    for column, least, most in ((turn.sin(), 0.999, 1), (noise, 0.4, 0.6)):
        h = torch.stack([turn.cos(), column, size], dim=1)
        metric = LinearRecovery(dim=3, factors=["azimuth", "size"], kinds=kinds)
        metric.update(h, torch.stack([azimuth, size], dim=1))
        found = metric.compute()
        assert list(found) == ["azimuth", "size", "mean"]
        assert least < found["azimuth"] <= most
        assert found["size"] > 0.999
        torch.testing.assert_close(found["mean"], (found["azimuth"] + found["size"]) / 2)
        turned = LinearRecovery(dim=3, factors=["azimuth", "size"], kinds=kinds)
        turned.update(h, torch.stack([azimuth - 720, size], dim=1))
        torch.testing.assert_close(turned.compute(), found)


def test_what_it_plots_is_what_it_computes() -> None:
    h, z, _ = data()
    metric = LinearRecovery(dim=5, factors=["size", "weight"])
    metric.update(h, z)
    bars = metric.plot().static.axes[0].patches
    widths = [bar.get_width() for bar in bars if isinstance(bar, Rectangle)]
    found = metric.compute()
    assert widths == pytest.approx([found["size"].item(), found["weight"].item()])


def test_factors_that_cannot_be_are_said() -> None:
    with pytest.raises(InputError, match="different names"):
        LinearRecovery(dim=2, factors=["size", "size"])
    with pytest.raises(InputError, match="none of them 'mean'"):
        LinearRecovery(dim=2, factors=["mean"])
    with pytest.raises(InputError, match="unknown factor in kinds 'siez'"):
        LinearRecovery(dim=2, factors=["size"], kinds={"siez": "continuous"})
    with pytest.raises(InputError, match=r"'shape' is categorical.*identikit\.score"):
        LinearRecovery(dim=2, factors=["shape"], kinds={"shape": "categorical"})
    with pytest.raises(InputError, match=r"a column for each factor \(size\)"):
        LinearRecovery(dim=2, factors=["size"]).update(torch.ones(3, 2), torch.ones(3, 2))


def test_copies_pickles_and_resets() -> None:
    h, z, _ = data()
    metric = LinearRecovery(dim=5, factors=2)
    metric.update(h, z)
    wanted = metric.compute()
    for other in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        torch.testing.assert_close(other.compute(), wanted)
    metric.reset()
    metric.update(h, z)
    torch.testing.assert_close(metric.compute(), wanted)


def test_forward_scores_the_batch_and_keeps_the_whole() -> None:
    h, z, _ = data(1200)
    metric, batch, whole = (LinearRecovery(dim=5, factors=2) for _ in range(3))
    metric.update(h[:600], z[:600])
    found = metric(h[600:], z[600:])
    batch.update(h[600:], z[600:])
    torch.testing.assert_close(found, batch.compute())
    whole.update(h[:600], z[:600])
    whole.update(h[600:], z[600:])
    assert metric.seen == whole.seen == 1200


def test_too_few_samples_are_said() -> None:
    h, z, _ = data(12)
    metric = LinearRecovery(dim=5, factors=2)
    metric.update(h, z)
    with pytest.raises(InputError, match="12 samples are too few"):
        metric.compute()


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    h, z, index = data()
    metric = LinearRecovery(dim=5, factors=2)
    mine = index[index % 3 == 0] if rank == 0 else index[index % 3 != 0]  # unequal shares
    for rows in mine.split(50):
        metric.update(h[rows], z[rows], rows)
    torch.save(metric.compute(), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_two_ranks_equal_one(tmp_path: Path) -> None:
    h, z, index = data()
    metric = LinearRecovery(dim=5, factors=2)
    metric.update(h, z, index)
    start_processes(_rank, args=(str(tmp_path),), nprocs=2, start_method="fork")  # imports nothing
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(found, metric.compute(), rtol=1e-10, atol=0)


def test_products_that_hide_directions_are_said() -> None:
    generator = torch.Generator().manual_seed(0)
    quiet = torch.randn(300, 10, generator=generator, dtype=torch.float64)
    loud = torch.randn(300, 1, generator=generator) * torch.randn(10, generator=generator)
    for size, said in ((10.0, False), (1e7, True)):
        metric = LinearRecovery(dim=10, factors=["a"])
        metric.update(quiet + size * loud, quiet[:, :1])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            metric.compute()
        assert any("ill-conditioned" in str(each.message) for each in caught) is said
