"""Models for the tests of `identikit extract`, as a user would bring them."""

import time
from typing import Any

import torch
from torch import Tensor, nn

SIDE = 8


def prepare(image: Any) -> Tensor:
    import numpy as np

    pixels = torch.from_numpy(np.asarray(image.resize((SIDE, SIDE))).copy())
    return pixels.permute(2, 0, 1).float() / 255


class Net(nn.Module):
    """A convolution, batch norm and a classifier."""

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 4)
        self.pause = pause

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.pause)
        return self.fc(self.norm(self.conv(x)).relu().mean(dim=(2, 3)))


def net() -> tuple[nn.Module, Any]:
    return Net(), prepare


def slow() -> tuple[nn.Module, Any]:
    return Net(pause=0.05), prepare


def fixed() -> tuple[nn.Module, Any]:
    network = Net()
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network, prepare


class Large(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 1e6 * x.flatten(1)


def large() -> tuple[nn.Module, Any]:
    return Large(), prepare
