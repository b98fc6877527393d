"""Any layer's output as one vector per image: h = pool(layer(x)).

A layer is the name of a module (`layer3.0`, its output), `NAME:input` for what the final linear
classifier NAME reads (the penultimate features), or `output` for what the model returns. Outputs
are caught by forward hooks, which run the user's code as it is, and pooled there and then, before
an operation in place can change them; what the model would do afterwards is left out.

Shapes of an output, n images first, and what pooling makes of them:

    (n, d)                             as it is
    (n, c, s, s) or (n, s, s, c)       the mean over space, the two equal axes (n, c)
    (n, t, d)                          of tokens: the class token where the model classifies by
                                       it, else the mean over tokens of image patches (n, d)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any, cast

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders.config import Pool

OUTPUT = "output"
INPUT = ":input"
_CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
_OUTPUTS = ("logits", "image_embeds", "pooler_output", "last_hidden_state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What comes before the patches in a sequence of tokens, and what it is for."""

    prefix: int
    """Class and register tokens before the patches."""
    classifies: bool
    """Whether the model classifies by its class token."""

    @classmethod
    def of(cls, network: nn.Module) -> "Tokens":
        """As the model's parameters and its own settings say."""
        config: Any = getattr(network, "config", None)
        names = (name.rpartition(".")[2] for name, _ in network.named_parameters())
        has = any(name in _CLASS_TOKENS for name in names)
        registers = int(getattr(config, "num_register_tokens", 0)) if has else 0
        prefix = cast(int, getattr(network, "num_prefix_tokens", has + registers))
        averages = getattr(network, "global_pool", "token") != "token" or getattr(
            config, "use_mean_pooling", False
        )
        return cls(prefix=prefix, classifies=has and not averages)

    def before(self, tokens: int) -> int:
        """How many of so many tokens are no patches; square images have a square of patches."""
        return 0 if isqrt(tokens) ** 2 == tokens else self.prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A place to read h from, as one dry forward pass found it."""

    name: str
    kind: str
    """Class of the module."""
    shape: tuple[int, ...] | None
    """Of the output for one image; None where it is no tensor with a row per image."""
    calls: int = 1
    """How often a forward pass goes through it; the last time counts."""


def first_tensor(output: object) -> Tensor | None:
    """The tensor of an output: itself, a model's logits or features, the first of a tuple."""
    if isinstance(output, Tensor):
        return output
    for name in _OUTPUTS:
        value = getattr(output, name, None)
        if isinstance(value, Tensor):
            return value
    if isinstance(output, tuple | list) and output:
        return first_tensor(output[0])
    return None


def trace(
    forward: Callable[[Tensor], object], network: nn.Module, x: Tensor
) -> tuple[tuple[Layer, ...], str | None]:
    """All layers that a forward pass goes through, and the final linear classifier.

    That is the last linear layer (or 1 x 1 convolution) if what it returns is what the model
    returns.

    Raises:
        InputError: the model does not return a tensor with a row per image.
    """
    found: dict[str, Layer] = {}
    linear: list[tuple[str, Tensor, Tensor]] = []  # the last: its name, input and output

    def hook(name: str) -> Callable[..., None]:
        def seen(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
            calls = found[name].calls + 1 if name in found else 1
            shape = _shape(first_tensor(output), len(x))
            found[name] = Layer(name=name, kind=type(module).__name__, shape=shape, calls=calls)
            if _is_linear(module) and isinstance(output, Tensor):
                linear[:] = [(name, inputs[0], output)]

        return seen

    hooks = [m.register_forward_hook(hook(name)) for name, m in network.named_modules() if name]
    try:
        with torch.no_grad():
            final = first_tensor(forward(x))
    finally:
        for handle in hooks:
            handle.remove()
    shape = _shape(final, len(x))
    if final is None or shape is None:
        raise InputError(
            f"the model must return a tensor with one row per image; for {len(x)} images of shape "
            f"{tuple(x.shape[1:])} it returned {_described(final)}."
        )
    layers = [Layer(name=OUTPUT, kind=type(network).__name__, shape=shape), *found.values()]
    for name, before, after in linear:
        if after.data_ptr() == final.data_ptr() and after.numel() == final.numel():
            read = Layer(name=name + INPUT, kind="input", shape=_shape(before, len(x)))
            return (read, *layers), name
    return tuple(layers), None


def _is_linear(module: nn.Module) -> bool:
    pointwise = isinstance(module, nn.Conv2d) and set(module.kernel_size) == {1}
    return isinstance(module, nn.Linear) or pointwise


def _shape(output: Tensor | None, n: int) -> tuple[int, ...] | None:
    whole = None if output is None else tuple(output.shape)
    return whole[1:] if whole and len(whole) > 1 and whole[0] == n else None


def _described(output: Tensor | None) -> str:
    return "no tensor" if output is None else f"shape {tuple(output.shape)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """h of one layer.

    Raises:
        InputError: a layer whose output the pooling does not fit.
    """

    network: nn.Module
    forward: Callable[[Tensor], object]
    layer: Layer
    pool: Pool
    tokens: Tokens

    def __post_init__(self) -> None:
        if self.layer.shape is None:
            raise InputError(
                f"layer {self.layer.name!r} ({self.layer.kind}) does not return one row per "
                "image. Choose another: `identikit layers MODEL` lists them with their shapes."
            )
        _ = self.dim

    @property
    def dim(self) -> int:
        """Columns of h."""
        shape = cast(tuple[int, ...], self.layer.shape)
        return pooled(torch.empty(1, *shape, device="meta"), self.pool, self.tokens).shape[1]

    def __call__(self, x: Tensor) -> Tensor:
        """H of a batch of images (n, channels, height, width): (n, dim)."""
        if self.layer.name == OUTPUT:
            return pooled(cast(Tensor, first_tensor(self.forward(x))), self.pool, self.tokens)
        name = self.layer.name.removesuffix(INPUT)
        module = self.network.get_submodule(name)
        left = self.layer.calls

        def after(module: nn.Module, inputs: object, output: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise _Reached(cast(Tensor, first_tensor(output)))

        def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            raise _Reached(inputs[0])

        handle = (
            module.register_forward_hook(after)
            if name == self.layer.name
            else module.register_forward_pre_hook(before)
        )
        try:
            self.forward(x)
        except _Reached as reached:
            return pooled(reached.output, self.pool, self.tokens)
        finally:
            handle.remove()
        raise InputError(
            f"layer {self.layer.name!r} was not reached. Its model takes another way for these "
            "images than for the first; choose a layer that every image goes through."
        )


class _Reached(Exception):  # noqa: N818, a way out of the forward pass and no error
    """The layer has been computed, and nothing after it is needed."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output


def pooled(x: Tensor, pool: Pool, tokens: Tokens) -> Tensor:
    """One vector per image, (n, d), of an output as the module's docstring says.

    Raises:
        InputError: an output that has no space and no tokens, or no class token.
    """
    if x.dtype in (torch.float16, torch.bfloat16):  # means are rounded once, not twice
        x = x.float()
    if x.ndim == 2 or pool == "flatten":
        return x.flatten(1)
    if pool == "cls" and (x.ndim != 3 or not tokens.before(x.shape[1])):
        raise InputError(f"{_no(x)} has no class token. Choose --pool mean or flatten.")
    if x.ndim == 4:
        return x.mean(dim=_space(x.shape))
    if x.ndim != 3:
        raise InputError(f"{_no(x)} is neither space nor tokens. Choose --pool flatten.")
    before = tokens.before(x.shape[1])
    if pool == "cls" or (pool == "auto" and before and tokens.classifies):
        return x[:, 0]
    return x[:, before:].mean(dim=1)


def _space(shape: Sequence[int]) -> tuple[int, int]:
    """The axes of space: two equal ones, of (n, s, s, c) or else of (n, c, s, s)."""
    return (1, 2) if shape[1] == shape[2] != shape[3] else (2, 3)


def _no(x: Tensor) -> str:
    return f"an output of shape {tuple(x.shape[1:])} ({prod(x.shape[1:]):,} numbers) per image"
