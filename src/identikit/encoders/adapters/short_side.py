"""An image as a square of pixels: its short side is resized, and the middle cut out."""

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

_BICUBIC = 3
"""As Pillow counts its filters."""


class ShortSide:
    """From a PIL image in RGB to its pixels (3, side, side); needs no torchvision."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Any) -> UInt8[Tensor, "c side side"]:
        """The pixels, bicubic and with antialiasing."""
        width, height = image.size
        scale = self.side / min(width, height)
        size = max(self.side, round(width * scale)), max(self.side, round(height * scale))
        left, top = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        resized = image.resize(size, _BICUBIC) if size != image.size else image
        square = resized.crop((left, top, left + self.side, top + self.side))
        return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()

    def __repr__(self) -> str:
        return f"ShortSide({self.side})"
