"""x -> h for training on images: any network of a hub without its classifier, or a small one.

h is what the final linear classifier of the network reads, or what the network returns where it
has none. Pixels x (n, c, side, side) are uint8 and are brought to zero mean and unit variance,
channel by channel, with moments of the training images; h is (n, d_h).
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.encoders.adapters.forward import Forward
from identikit.encoders.adapters.hubs import hub_source, seeded
from identikit.encoders.adapters.trace import trace
from identikit.encoders.cnn import CNN

CONV = "conv"
"""The small convolutional network that needs no hub."""
_WIDTH, _SMALLEST = 32, 4
_COLOURS = 3
"""Channels that networks of the hubs take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNetwork:
    """Which network encodes images of which shape, in plain values, as a run keeps it."""

    model: str
    """conv, timm:NAME, torchvision:NAME or module:function."""
    shape: tuple[int, int, int]
    """Channels and sides of an image."""
    dim: int
    """Dimensions of h of conv; the others have their own."""
    seed: int
    """Of the initial weights."""
    mean: tuple[float, ...]
    """Of each channel, in [0, 1]."""
    std: tuple[float, ...]
    labels: int | None = None
    """Rows of the head, if there is one."""

    def build(self) -> "ImageEncoder":
        """The encoder with its initial weights, which the seed alone decides.

        Raises:
            InputError: an unknown model, one that fails on such images, or whose output is no
                vector for each.
        """
        channels, side, _ = self.shape
        if self.model == CONV:
            halvings = [k for k in range(1, 7) if side % 2**k == 0 and side >> k >= _SMALLEST]
            network: nn.Module = CNN(
                width=_WIDTH,
                layers=max(halvings, default=3),
                out_dim=self.dim,
                side=side,
                channels=channels,
                generator=stream(self.seed, "encoder"),
            )
        else:
            network = _from_hub(self.model, side=side, seed=self.seed)
        encoder = ImageEncoder(network, mean=self.mean, std=self.std, colours=self.model != CONV)
        return encoder.require_vectors(self)


class ImageEncoder(nn.Module):
    """Normalises pixels and runs a network on them."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        colours: bool,
    ) -> None:
        """Wrap a network.

        Args:
            network: From floats (n, c, side, side) to h.
            mean: Of each channel, in [0, 1].
            std: The same.
            colours: Whether the network takes three channels, whatever the images have.
        """
        super().__init__()
        self.network, self.colours = network, colours
        self.dim = 0
        self.mixed = False
        """Whether products are made in bfloat16, by autocast."""
        self.layout = torch.contiguous_format
        """Of images in memory."""
        self.register_buffer("mean", 255 * torch.tensor(mean)[:, None, None])
        self.register_buffer("std", 255 * torch.tensor(std)[:, None, None])

    def forward(self, x: UInt8[Tensor, "n c side side"]) -> Float[Tensor, "n d_h"]:
        """The representation of images."""
        images = self._normalised(x).contiguous(memory_format=self.layout)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            h = self.network(images)
        return cast(Tensor, h.float())

    def require_vectors(self, like: ImageNetwork) -> "ImageEncoder":
        """Itself, if it gives a vector for each image.

        Raises:
            InputError: it does not, or fails.
        """
        training = self.training
        noise = torch.randint(256, (2, *like.shape), generator=stream(0, "noise")).byte()
        try:
            with torch.no_grad():
                h = self.eval().network(self._normalised(noise))
        except Exception as error:
            raise InputError(
                f"{like.model} fails on images of {like.shape[1]} x {like.shape[2]} pixels with "
                f"{like.shape[0]} channels: {' '.join(str(error).split())[:300]}. Give --size of "
                "the images that it is made for."
            ) from error
        finally:
            self.train(training)
        if not isinstance(h, Tensor) or h.ndim != 2 or len(h) != 2 or h.shape[1] < 1:
            got = f"shape {tuple(h.shape)}" if isinstance(h, Tensor) else type(h).__name__
            raise InputError(
                f"{like.model} should return one vector for each image, (n, d_h); for 2 images it "
                f"returned {got}. Pool or flatten its output."
            )
        self.dim = h.shape[1]
        return self

    def _normalised(self, x: Tensor) -> Tensor:
        images: Tensor = (x - self.mean) / self.std
        grey = self.colours and len(self.mean) == 1
        return images.expand(-1, _COLOURS, -1, -1) if grey else images


def _from_hub(model: str, *, side: int, seed: int) -> nn.Module:
    """A network at random, without its classifier."""
    if model.startswith("hf:"):
        raise InputError(
            f"models of Hugging Face are read by identikit extract, and not trained; got {model!r}."
            " Choose conv, timm:NAME, torchvision:NAME or module:function of your own."
        )
    with seeded(seed):
        built = hub_source(model).build(pretrained=False)
        network = built.network.eval()
    x = torch.rand(3, _COLOURS, side, side, generator=stream(0, "images"))
    forward = Forward(name=model, network=network, call=network, inputs=f"--size {side}")
    try:
        head = trace(forward, x).head
    except InputError as error:
        raise InputError(f"{error} Another --size may do.") from error
    if head is not None:
        network.set_submodule(head, nn.Identity())
    return network.train()


class Classified(nn.Module):
    """An encoder and the linear classifier that was trained on it, for who reads its layers."""

    def __init__(self, encoder: ImageEncoder, labels: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(encoder.dim, labels, bias=False)

    def forward(self, x: UInt8[Tensor, "n c side side"]) -> Float[Tensor, "n labels"]:
        """The logits."""
        return cast(Tensor, self.head(self.encoder(x)))
