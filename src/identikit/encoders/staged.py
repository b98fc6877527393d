"""Encoders of images, stage by stage: h = s_L(... s_1(x)), every s_k(...) open to a look.

The four of the paper's DisLib experiment (arXiv:2410.21869, section 4.2): the pixels themselves,
one linear layer, three layers of linear map, batch norm and ReLU, and a ResNet-18 (He et al. 2015)
whose first convolution fits the channels. x is (n, c, height, width) in [0, 1], h is (n, d_h).
"""

from collections.abc import Callable, Mapping
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.core.errors import InputError, optional_module, unknown_name
from identikit.encoders.mlp import default_weights

WIDTH = 512
"""Dimensions of h, and of the hidden layers, of every encoder that learns."""


class StagedEncoder(nn.Module):
    """Stages that run one after the other; the last gives h."""

    def __init__(self, stages: Mapping[str, nn.Module], *, dim: int) -> None:
        """Keep the stages.

        Args:
            stages: By name, in order.
            dim: Dimensions of h.
        """
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.dim = dim

    def forward(self, x: Float[Tensor, "n c height width"]) -> Float[Tensor, "n d_h"]:
        """The representation of images."""
        for stage in self.stages.values():
            x = stage(x)
        return x

    def layers(self, x: Float[Tensor, "n c height width"]) -> dict[str, Float[Tensor, "n _"]]:
        """What the images are and what each stage makes of them, maps averaged over space."""
        found = {"pixels": x.flatten(1)}
        for name, stage in self.stages.items():
            x = stage(x)
            found[name] = x if x.ndim == 2 else x.mean(dim=(2, 3))
        return found

    @property
    def learns(self) -> bool:
        """Whether there is anything to train."""
        return any(True for _ in self.parameters())


def staged_encoder(
    name: str, *, shape: tuple[int, int, int], generator: torch.Generator
) -> StagedEncoder:
    """One of `ENCODERS`, with weights from the generator, on the CPU.

    Args:
        name: pixels, linear, mlp or resnet18.
        shape: Channels, height and width of an image.
        generator: Source of the initial weights.

    Raises:
        InputError: an unknown name, or torchvision is not installed.
    """
    if name not in ENCODERS:
        raise unknown_name("encoder", name, ENCODERS)
    return ENCODERS[name](shape, generator)


def _pixels(shape: tuple[int, int, int], generator: torch.Generator) -> StagedEncoder:
    return StagedEncoder({"h": nn.Flatten()}, dim=prod(shape))


def _linear(shape: tuple[int, int, int], generator: torch.Generator) -> StagedEncoder:
    layer = default_weights(nn.Linear(prod(shape), WIDTH), generator)
    return StagedEncoder({"h": nn.Sequential(nn.Flatten(), layer)}, dim=WIDTH)


def _mlp(shape: tuple[int, int, int], generator: torch.Generator) -> StagedEncoder:
    stages, wide = {}, prod(shape)
    for name in ("layer 1", "layer 2", "h"):
        layer = default_weights(nn.Linear(wide, WIDTH), generator)
        stages[name] = nn.Sequential(nn.Flatten(), layer, nn.BatchNorm1d(WIDTH), nn.ReLU())
        wide = WIDTH
    return StagedEncoder(stages, dim=WIDTH)


def _resnet18(shape: tuple[int, int, int], generator: torch.Generator) -> StagedEncoder:
    models = optional_module("torchvision.models", what="encoder resnet18", extra="vision")
    if min(shape[1:]) < 8:
        raise InputError(
            f"resnet18 halves an image five times and needs 8 pixels a side at least; got "
            f"{shape[1]} x {shape[2]}."
        )
    with torch.device("meta"):  # no weights are drawn from the global generator
        net = models.resnet18(weights=None)
        net.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
    net = net.to_empty(device="cpu")
    for module in net.modules():
        if isinstance(module, nn.Conv2d):  # as torchvision has it
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    stages = {
        "stem": nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool),
        "stage 1": net.layer1,
        "stage 2": net.layer2,
        "stage 3": net.layer3,
        "h": nn.Sequential(net.layer4, net.avgpool, nn.Flatten()),
    }
    encoder = StagedEncoder(stages, dim=WIDTH)
    return encoder.to(memory_format=torch.channels_last)  # faster on a CPU


ENCODERS: dict[str, Callable[[tuple[int, int, int], torch.Generator], StagedEncoder]] = {
    "pixels": _pixels,
    "linear": _linear,
    "mlp": _mlp,
    "resnet18": _resnet18,
}
"""By name; all but the first have h of `WIDTH` dimensions."""
