"""Batch norm over the batches of all ranks, on any device: mean and variance by sums over ranks.

torch's own (`nn.SyncBatchNorm`) runs on GPUs only. x is (n, channels, ...); with one rank it is
`nn.BatchNorm2d` but for rounding. timm has norms that drop and activate what they have normalised,
by modules of these names within them.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from identikit.core.errors import InputError
from identikit.core.ranks import ranks

_AFTER = ("drop", "act")
"""Modules of timm's norms that follow the normalisation, in their order."""


class SyncedNorm(_BatchNorm):
    """What a batch norm becomes; parameters, buffers and their names stay."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape will do."""

    def forward(self, input: Float[Tensor, "n c ..."]) -> Float[Tensor, "n c ..."]:
        """Normalised over the samples of all ranks in training, by running moments after it."""
        y = self._normalised(input)
        for name in _AFTER:
            after = self._modules.get(name)
            y = y if after is None else after(y)
        return y

    def _normalised(self, input: Tensor) -> Tensor:
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
            share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            with torch.no_grad():
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance * count / (count - 1), share)
        y: Tensor = centred / (variance.view(shape) + self.eps).sqrt()
        if self.affine:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y


def sync_norms(network: nn.Module) -> None:
    """Have all batch norms of a network normalise over the batches of all ranks.

    Raises:
        InputError: one that does something else besides.
    """
    for module in network.modules():
        if not isinstance(module, _BatchNorm):
            continue
        kind = type(module)
        own = kind.forward not in (_BatchNorm.forward, nn.SyncBatchNorm.forward)
        if own and not all(hasattr(module, name) for name in _AFTER):
            raise InputError(
                f"{kind.__name__} is a batch norm with a forward of its own, which cannot be split "
                "over ranks. Start one process, or give a model with those of torch."
            )
        module.__class__ = SyncedNorm
