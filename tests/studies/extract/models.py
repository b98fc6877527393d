"""Models for the tests of `identikit extract`, as a user would bring them."""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

SIDE = 8


def prepare(image: Any) -> Tensor:
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
        y: Tensor = self.fc(self.norm(self.conv(x)).relu().mean(dim=(2, 3)))
        return y


def net() -> tuple[nn.Module, Any]:
    return Net(), prepare


def slow() -> tuple[nn.Module, Any]:
    return Net(pause=0.05), prepare


def fixed() -> tuple[nn.Module, Any]:
    network = Net()
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network, prepare


class Remembers(Net):
    """What it returns depends on how often it was called, but for the first five times."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x + max(0, self.calls - 5))


def remembers() -> tuple[nn.Module, Any]:
    return Remembers(), prepare


class Squeezes(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze()


def squeezes() -> tuple[nn.Module, Any]:
    return Squeezes(), prepare


def fails_on_red(image: Any) -> Tensor:
    x = prepare(image)
    if bool((x[0] == 1).all()):
        raise IndexError("no red")
    return x


def fails() -> tuple[nn.Module, Any]:
    return Net(), fails_on_red


class Sounds(Dataset[tuple[Tensor, int]]):
    """Waves of 16 points, named by their number of periods."""

    keys = tuple(f"wave {k}" for k in range(7))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.sin(torch.arange(16.0) * (index + 1) / 16)[None], index


class Hears(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(1, 5, 3), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(self.conv(x).relu().mean(dim=2))
        return y


def hears() -> Hears:
    torch.manual_seed(0)
    return Hears()


class Table(Dataset[Tensor]):
    """Rows of numbers as NumPy has them."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return np.arange(4.0) * index


def rows_in() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


class Uneven(Table):
    def __getitem__(self, index: int) -> Any:
        return np.arange(4.0 + (index == 3))


class Fails(Table):
    def __getitem__(self, index: int) -> Any:
        if index == 4:
            raise KeyError(index)
        return np.arange(4.0)


class NoLength(Table):
    def __len__(self) -> int:
        raise NotImplementedError("endless")


class Twice(Table):
    keys = ("a", "b", "b", "c", "d")


class Choice(Table):
    def __getitem__(self, index: int) -> Any:
        return {"left": np.arange(4.0), "right": np.arange(4.0)}


class Holes(Table):
    """Missing values, the same each time, in what the model makes nothing of."""

    def __getitem__(self, index: int) -> Any:
        return np.append(np.arange(4.0) * index, np.nan)


def four() -> nn.Module:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = rows_in()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.inner(x[:, :4])
            return y

    return First()


def bytes_in() -> tuple[nn.Module, Any]:
    class Scales(Net):
        def forward(self, x: Tensor) -> Tensor:
            assert x.dtype == torch.uint8
            return super().forward(x / 255)

    return Scales(), lambda image: (255 * prepare(image)).round().to(torch.uint8)


class Draws(Table):
    def __getitem__(self, index: int) -> Any:
        return np.random.default_rng().random(4)


class Large(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 1e6 * x.flatten(1)


def large() -> tuple[nn.Module, Any]:
    return Large(), prepare
