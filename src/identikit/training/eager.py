"""Optimisers without torch's compiler, whose import takes longer than many a fit here.

torch.optim imports it for the first optimiser, only to have these methods left alone by it. Below
they are torch's own, without that wrapping.
"""

import inspect

import torch
from torch.optim import SGD, Adam, Optimizer


class Eager(Optimizer):
    """An optimiser that never imports the compiler."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


class EagerAdam(Eager, Adam):
    """torch's Adam, to the bit."""

    step = torch.no_grad()(inspect.unwrap(Adam.step))


class EagerSGD(Eager, SGD):
    """torch's SGD, to the bit."""

    step = torch.no_grad()(inspect.unwrap(SGD.step))
