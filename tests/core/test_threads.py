"""What a limit of threads holds."""

import torch
from threadpoolctl import threadpool_info

from identikit.core.threads import processor_threads


def blas() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


def test_scipy_computes_on_as_many_threads_as_torch_and_as_before_afterwards() -> None:
    with processor_threads(2):
        before = torch.get_num_threads(), blas()
        with processor_threads(1):
            assert torch.get_num_threads() == 1
            assert blas() == {1}
        assert (torch.get_num_threads(), blas()) == before
    assert before == (2, {2})
