import pytest
import torch

from identikit.core.errors import InputError
from identikit.theory.coverage import class_rows, head_row_space


def test_three_classes_cover_two_dimensions(generator: torch.Generator) -> None:
    head = torch.randn(3, 16, generator=generator)
    coverage = head_row_space(head)
    assert coverage.rank == 2
    both = torch.cat([coverage.basis, coverage.complement_basis], dim=1)
    torch.testing.assert_close(both.T @ both, torch.eye(16, dtype=torch.float64))
    differences = (head - head[0]).double()
    inside = differences @ coverage.basis @ coverage.basis.T
    torch.testing.assert_close(inside, differences, atol=1e-6, rtol=1e-6)


def test_logit_differences_see_the_covered_part_alone(generator: torch.Generator) -> None:
    head = torch.randn(4, 10, generator=generator, dtype=torch.float64)
    h = torch.randn(50, 10, generator=generator, dtype=torch.float64)
    coverage = head_row_space(head)
    logits = h @ head.T
    seen = coverage.row_space(h) @ coverage.basis.T @ head.T
    torch.testing.assert_close(
        seen - seen.mean(dim=1, keepdim=True), logits - logits.mean(dim=1, keepdim=True)
    )
    assert coverage.complement(h).shape == (50, 7)


def test_a_common_shift_of_the_rows_covers_nothing(generator: torch.Generator) -> None:
    head = torch.randn(50, 4, generator=generator) @ torch.randn(4, 12, generator=generator)
    shifted = head + 1000 * torch.randn(12, generator=generator)
    assert head_row_space(head).rank == head_row_space(shifted).rank == 4


def test_rank_does_not_depend_on_units(generator: torch.Generator) -> None:
    head = torch.randn(30, 8, generator=generator)
    for scale in (1e-6, 1e6):
        assert head_row_space(scale * head).rank == 8
        assert head_row_space(scale * head).complement(head).shape == (30, 0)


def test_many_labels_of_few_classes(generator: torch.Generator) -> None:
    head = torch.randn(6, 8, generator=generator).repeat(1000, 1)
    assert head_row_space(head).rank == 5


def test_noise_between_rows_of_a_class_covers_nothing(generator: torch.Generator) -> None:
    head_class = torch.arange(300) % 3
    noise = 0.1 * torch.randn(300, 8, generator=generator)
    head = torch.randn(3, 8, generator=generator)[head_class] + noise
    means = class_rows(head, head_class)
    for k in range(3):
        torch.testing.assert_close(means[k], head[head_class == k].mean(0))
    assert head_row_space(head).rank == 8
    assert head_row_space(means).rank == 2


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="labels >= 2"):
        head_row_space(torch.zeros(1, 3))
    with pytest.raises(InputError, match="NaN"):
        head_row_space(torch.full((3, 3), torch.nan))
