"""Mutual nearest neighbours against the n x n matrix, block by block and shuffled."""

import pytest
import torch
from torch import Tensor

from identikit.similarity import neighbours
from identikit.similarity.neighbours import nearest, sampled, shared, shuffled
from identikit.statistics.split import Split

GENERATOR = torch.Generator().manual_seed(0)
H = torch.randn(70, 6, generator=GENERATOR) + 1
OTHER = torch.randn(70, 3, generator=GENERATOR)
ALL = torch.arange(70)


def naive(h: Tensor, k: int) -> Tensor:
    centred = h.double() - h.double().mean(dim=0)
    unit = centred / centred.norm(dim=1, keepdim=True)
    near: Tensor = (unit @ unit.T).fill_diagonal_(-2).topk(k, dim=1).indices
    return near


@pytest.mark.parametrize("block", [8, 33, 1024])
def test_blocks_give_what_the_whole_matrix_gives(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", block)
    torch.testing.assert_close(nearest(H, ALL), naive(H, 10))


def test_few_rows_have_few_neighbours_and_they_are_positions_among_the_rows() -> None:
    rows = torch.tensor([69, 3, 5, 40])
    torch.testing.assert_close(nearest(H, rows), naive(H[rows], 3))


def test_scale_and_rotation_change_no_neighbour_and_what_is_unrelated_shares_chance() -> None:
    turn = torch.linalg.qr(torch.randn(6, 6, generator=GENERATOR)).Q
    near = nearest(H, ALL)
    assert shared(near, nearest(3 * H @ turn - 9, ALL)).mean() == 1
    assert shared(near, nearest(OTHER, ALL)).mean().item() == pytest.approx(10 / 69, abs=0.06)


def test_shuffled_neighbours_are_those_of_shuffled_rows() -> None:
    order = torch.randperm(70, generator=GENERATOR)
    torch.testing.assert_close(shuffled(nearest(H, ALL), order), nearest(H[order], ALL))


def test_of_many_samples_a_part_stands_for_all_with_its_own_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = Split(train=torch.arange(0, 70, 2), test=torch.arange(1, 70, 2))
    every, same = sampled(70, split, seed=0)
    assert (every.tolist(), same) == (ALL.tolist(), split)
    monkeypatch.setattr(neighbours, "MOST_SAMPLES", 20)
    some, own = sampled(70, split, seed=0)
    assert len(some) == len(set(some.tolist())) == 20
    assert bool((some[own.train] % 2 == 0).all())
    assert bool((some[own.test] % 2 == 1).all())
    assert len(own.train) + len(own.test) == 20
    monkeypatch.undo()
    turned = torch.linalg.qr(torch.randn(6, 4, generator=GENERATOR)).Q.double()
    torch.testing.assert_close(nearest(H, ALL, into=turned), naive(H.double() @ turned, 10))
