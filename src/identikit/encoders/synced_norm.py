"""Batch norm over the batches of all ranks, on any device: mean and variance by sums over ranks.

torch's own (`nn.SyncBatchNorm`) runs on GPUs only. x is (n, channels, ...); with one rank it is
`nn.BatchNorm2d` but for rounding.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from identikit.core.ranks import ranks


class SyncedNorm(_BatchNorm):
    """What a batch norm becomes; parameters, buffers and their names stay."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape will do."""

    def forward(self, input: Float[Tensor, "n c ..."]) -> Float[Tensor, "n c ..."]:
        """Normalised over the samples of all ranks in training, by running moments after it."""
        if not self.training or ranks() == 1:
            return super().forward(input)
        over = [0, *range(2, input.ndim)]
        shape = (1, -1, *[1] * (input.ndim - 2))
        count = input.numel() // input.shape[1] * ranks()
        mean: Tensor = all_reduce(input.sum(over)) / count
        centred = input - mean.view(shape)
        variance: Tensor = all_reduce(centred.square().sum(over)) / count
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            share = self.momentum if self.momentum is not None else 0.1
            with torch.no_grad():
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance * count / (count - 1), share)
        y: Tensor = centred / (variance.view(shape) + self.eps).sqrt()
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y


def sync_norms(network: nn.Module) -> None:
    """Have all batch norms of a network normalise over the batches of all ranks."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = SyncedNorm
