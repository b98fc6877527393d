"""Which axis of an output holds what: as the model's modules and its grid of patches say.

Three sources, the nearest first, and never the sizes alone:

    the modules            convolutions, batch norms and pools have channels on axis 1, linear
                           layers and layer norms on the last one; an output that no such module
                           made has the axes of those of its shape
    the grids              (height, width) of the convolutions' outputs, or of the image in patches
                           of the size that the model names: h w tokens, with or without the class
                           and register tokens that the model has before them
    whoever asks           `channels` and `prefix`, where these do not say
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules import batchnorm, conv, instancenorm, padding, pooling, rnn

_CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
_OTHER_TOKENS = ("dist_token", "distillation_token", "reg_token", "register_tokens")
_FIRST = (
    *(conv._ConvNd, batchnorm._BatchNorm, instancenorm._InstanceNorm, nn.GroupNorm),
    *(pooling._MaxPoolNd, pooling._AvgPoolNd, pooling._AdaptiveAvgPoolNd),
    *(pooling._AdaptiveMaxPoolNd, nn.Upsample, nn.PixelShuffle, padding._ConstantPadNd),
)
_LAST = (nn.Linear, nn.TransformerEncoderLayer, nn.MultiheadAttention, rnn.RNNBase)
_MERGED = (1, 2, 4, 8)
_LAST_UNLESS_CHANGED = (nn.LayerNorm, nn.RMSNorm)  # subclasses permute axes, as in ConvNeXt


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The axes of an output (n, ...)."""

    channels: int
    """Axis of the channels; 0 are the samples."""
    prefix: int | None = 0
    """Class and register tokens before the others; None if that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What comes before the patches in a sequence of tokens, and what it is for."""

    prefix: int = 0
    """Class, distillation and register tokens before the patches."""
    classifies: bool = False
    """Whether the model classifies by its class token."""
    patch: tuple[int, int] | None = None
    """Height and width of a patch, where the model names them."""

    @classmethod
    def of(cls, network: nn.Module) -> "Tokens":
        """As the model's parameters and its own settings say."""
        config: Any = getattr(network, "config", None)
        counts: dict[str, int] = {}
        for name, value in network.named_parameters():
            counts.setdefault(name.rpartition(".")[2], value.shape[-2] if value.ndim > 1 else 1)
        has = any(name in counts for name in _CLASS_TOKENS)
        named = sum(counts.get(name, 0) for name in (*_CLASS_TOKENS, *_OTHER_TOKENS))
        says: Any = next((m for m in network.modules() if hasattr(m, "num_prefix_tokens")), network)
        averages = getattr(says, "global_pool", "token") != "token" or getattr(
            config, "use_mean_pooling", False
        )
        return cls(
            prefix=cast(int, getattr(says, "num_prefix_tokens", named)),
            classifies=has and not averages,
            patch=_patch(network, config),
        )


def _patch(network: nn.Module, config: Any) -> tuple[int, int] | None:
    """The patch size of a model that has one."""
    vision = getattr(config, "vision_config", config)
    found = getattr(vision, "patch_size", None) or getattr(network, "patch_size", None)
    if isinstance(found, int):
        return found, found
    if isinstance(found, tuple | list) and len(found) == 2:
        return int(found[0]), int(found[1])
    return None


@dataclass(slots=True, kw_only=True)
class Axes:
    """What the modules of a forward pass say of the axes of its outputs."""

    tokens: Tokens
    image: tuple[int, int] | None = None
    """Height and width of the inputs, if they are images."""
    _claims: dict[tuple[int, ...], set[int]] = field(default_factory=lambda: defaultdict(set))
    _grids: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.image is not None and self.tokens.patch is not None:
            (height, width), (h, w) = self.image, self.tokens.patch
            self._grids.add((height // h, width // w))

    def hear(self, module: nn.Module, before: Tensor | None, after: Tensor | None) -> None:
        """Take what a module says of its input and its output."""
        for x in (before, after):
            shape = () if x is None else tuple(x.shape[1:])
            axis = _channel_axis(module, shape)
            if axis is not None:
                self._claims[shape].add(axis)
        if isinstance(module, conv._ConvNd) and after is not None and after.ndim == 4:
            self._grids.add((after.shape[2], after.shape[3]))

    def layout(self, module: nn.Module, shape: tuple[int, ...]) -> Layout | None:
        """Of a module's output, `shape` for one sample; None if nothing says."""
        own = _channel_axis(module, shape)
        claims = {own} if own is not None else self._claims.get(shape, set())
        axis = next(iter(claims)) if len(claims) == 1 else None
        if len(shape) == 2:
            return self._of_tokens(shape, axis)
        if len(shape) == 3:
            return self._of_space(shape, axis)
        return Layout(channels=1) if axis == 1 and len(shape) > 1 else None

    def _of_tokens(self, shape: Sequence[int], axis: int | None) -> Layout | None:
        """(n, tokens, d) or (n, d, tokens)."""
        prefixes = [self._prefixes(size) for size in shape]
        fits = [i for i in (1, 2) if prefixes[i - 1]]
        if len(fits) == 1:
            tokens = fits[0]
        elif axis is not None:
            tokens = 3 - axis
        else:
            return None
        possible = prefixes[tokens - 1]
        if shape[tokens - 1] == 1 or not (self._grids or self.tokens.prefix):
            possible = {0}  # a token by itself, or of a model that knows no patches
        prefix = next(iter(possible)) if len(possible) == 1 else None
        return Layout(channels=3 - tokens, prefix=prefix)

    def _prefixes(self, tokens: int) -> set[int]:
        """How many of so many tokens may be no patches, by the grids.

        A model without class tokens may merge its patches two by two, time and again.
        """
        merged = _MERGED if self.tokens.prefix == 0 else _MERGED[:1]
        sizes = {-(-h // side) * -(-w // side) for h, w in self._grids for side in merged}
        return {prefix for prefix in {0, self.tokens.prefix} if tokens - prefix in sizes}

    def _of_space(self, shape: tuple[int, ...], axis: int | None) -> Layout | None:
        """(n, c, h, w) or (n, h, w, c)."""
        first, last = shape[1:] in self._grids, shape[:2] in self._grids
        if axis == 1 or (axis is None and first and not last):
            return Layout(channels=1)
        if axis == 3 and (last or self._in_proportion(shape[0], shape[1])):
            return Layout(channels=3)
        return Layout(channels=3) if axis is None and last and not first else None

    def _in_proportion(self, h: int, w: int) -> bool:
        """Whether h x w can be the image, made smaller; heads x tokens are not."""
        if self.image is None or not (0 < h <= self.image[0] and 0 < w <= self.image[1]):
            return False
        height, width = self.image
        return abs(h * width / height - w) < 1 and abs(w * height / width - h) < 1


def _channel_axis(module: nn.Module, shape: Sequence[int]) -> int | None:
    """Where a module has its channels, by its kind and their number."""
    if len(shape) < 2:
        return None
    if isinstance(module, _FIRST):
        return 1
    if isinstance(module, _LAST):
        return len(shape) if getattr(module, "batch_first", True) else None
    if type(module) in _LAST_UNLESS_CHANGED:
        return len(shape)
    if isinstance(module, _LAST_UNLESS_CHANGED):
        fits = [i + 1 for i, size in enumerate(shape) if size == module.normalized_shape[-1]]
        return fits[0] if len(fits) == 1 else None
    return None
