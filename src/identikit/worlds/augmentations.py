"""What a training step sees of an image: presets of torchvision's transforms, version 2.

`strong` is the third strength of augmentation of the authors of DIET (Balestriero, arXiv:2302.10260
and his notebook). Each is given the side of the images and returns a function from pixels
(c, side, side), uint8, to pixels; what is drawn at random is drawn from torch's global generator.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from identikit.core.errors import optional_module

Augmentation = Callable[[Tensor], Tensor]


def none(side: int) -> Augmentation:
    """Images as they are; needs no torchvision."""
    del side
    return _unchanged


def crop_flip(side: int) -> Augmentation:
    """Crops of 8 to 100 % of the area, resized to the whole, and every other image mirrored."""
    v2 = _transforms("crop-flip")
    made: Augmentation = v2.Compose(_crop_flip(v2, side))
    return made


def strong(side: int) -> Augmentation:
    """`crop_flip`, then jittered colours (of 30 %), grey (20 %), blur (20 %), erasing (25 %)."""
    v2 = _transforms("strong")
    made: Augmentation = v2.Compose(
        [
            *_crop_flip(v2, side),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.2)], p=0.3),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([v2.GaussianBlur((3, 3), (1.0, 2.0))], p=0.2),
            v2.RandomErasing(p=0.25),
        ]
    )
    return made


def _unchanged(image: Tensor) -> Tensor:
    return image


def _crop_flip(v2: Any, side: int) -> list[Any]:
    return [v2.RandomResizedCrop(side, antialias=True), v2.RandomHorizontalFlip()]


def _transforms(name: str) -> Any:
    return optional_module("torchvision.transforms.v2", what=f"augmentation {name}", extra="vision")
