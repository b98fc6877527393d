"""Batch norms over the batches of ranks, beside plain ones over the whole batch."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders import synced_norm
from identikit.encoders.synced_norm import sync_norms


class NormAct(nn.BatchNorm2d):
    """As timm has it: an activation within, by a forward of its own."""

    def __init__(self, channels: int, **options: Any) -> None:
        super().__init__(channels, **options)
        self.drop, self.act = nn.Identity(), nn.ReLU()

    def forward(self, input: Tensor) -> Tensor:
        y: Tensor = self.act(self.drop(super().forward(input)))
        return y


class Odd(nn.BatchNorm2d):
    """Does something else besides."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


@pytest.fixture
def two_ranks_of_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks that see the same samples: sums over them are twice those of one."""
    monkeypatch.setattr(synced_norm, "ranks", lambda: 2)
    monkeypatch.setattr(synced_norm, "all_reduce", lambda x: 2 * x)


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, NormAct])
@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"affine": False}])
@pytest.mark.usefixtures("two_ranks_of_one_batch")
def test_it_is_the_norm_of_the_whole_batch(kind: Any, options: dict[str, Any]) -> None:
    plain, synced = nn.Sequential(kind(3, **options)), nn.Sequential(kind(3, **options))
    sync_norms(synced)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        x = 2 + torch.randn(4, 3, 5, 5, generator=generator)
        torch.testing.assert_close(synced(x), plain(torch.cat([x, x]))[:4], atol=1e-5, rtol=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(synced.state_dict()[name], value)
    torch.testing.assert_close(synced.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("training", [True, False])
def test_on_one_rank_nothing_changes(training: bool) -> None:
    plain, synced = (nn.Sequential(NormAct(3)).train(training) for _ in range(2))
    sync_norms(synced)
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(synced(x), plain(x))


def test_a_norm_that_does_something_else_besides_is_refused() -> None:
    with pytest.raises(InputError, match="Odd is a batch norm with a forward of its own"):
        sync_norms(Odd(3))
