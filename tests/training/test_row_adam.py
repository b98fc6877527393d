"""Steps on few rows against torch's dense Adam without momentum, on all rows and gaps."""

import pytest
import torch
from torch import nn

from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.training.config import TrainingConfig
from identikit.training.optimizers import Optimizers
from identikit.training.row_adam import RowAdam


def test_every_row_is_where_the_dense_step_would_have_it() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    a = RowAdam([ours], 0.1, second_moment=0.9)
    b = torch.optim.Adam([theirs], lr=0.1, betas=(0.0, 0.9))
    for step in range(40):
        rows = torch.randint(50, (6,), generator=generator)  # some of them twice
        values = torch.randn(6, 3, generator=generator, dtype=torch.float64)
        ours.grad = torch.sparse_coo_tensor(rows[None], values, (50, 3), check_invariants=True)
        theirs.grad = ours.grad.to_dense()
        if step == 20:
            state = a.state
            a = RowAdam([ours], 0.1, second_moment=0.9)
            a.state = state
        a.step(1.0)
        b.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norms", [{}, {"unit_rows": True}])
def test_a_sampled_head_is_trained_on_the_rows_that_a_batch_touches(
    norms: dict[str, bool],
) -> None:
    config = HeadConfig(group=4, negatives=3, **norms)

    def gradient(*, sparse: bool) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        head = SoftmaxHead(config, 30, 2, generator=generator, sparse=sparse)
        y, label = torch.randn(8, 2, generator=generator), torch.arange(8)
        head.loss(y, label, generator=generator).backward()
        optimizers = Optimizers(nn.Linear(1, 1), head, TrainingConfig(optimizer="adam"))
        before = head.weight.detach().clone()
        assert head.weight.grad is not None
        found = head.weight.grad
        optimizers.step(1.0)
        moved = (head.weight != before).any(1)
        assert 8 <= int(moved.sum()) <= 8 + 6
        return found

    sparse, dense = gradient(sparse=True), gradient(sparse=False)
    assert sparse.is_sparse
    assert not dense.is_sparse
    torch.testing.assert_close(sparse.to_dense(), dense)
