"""Batch norms that never saw data: their statistics taken from samples.

A fresh batch norm has mean 0 and variance 1 until it is trained, and in eval mode it uses them. A
deep network at random then makes its signal smaller from layer to layer: the features of an
untrained EfficientNet have a standard deviation of 1e-8. In training the network would have
normalised by its batches; as a baseline it is given their statistics.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def uncalibrated(network: nn.Module) -> list[_BatchNorm]:
    """The batch norms that use statistics and still have those that they began with."""
    return [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
        and bool((module.running_mean == 0).all() and (module.running_var == 1).all())
    ]


@torch.no_grad()
def calibrate(
    network: nn.Module, forward: Callable[[Tensor], object], batches: Iterable[Tensor]
) -> None:
    """Give uncalibrated batch norms the mean of the batches' means and variances.

    Args:
        network: In eval mode, as it is afterwards.
        forward: How it is called.
        batches: Of at least two samples (n, ...) each.
    """
    norms = uncalibrated(network)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    try:
        for x in batches:
            forward(x)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
