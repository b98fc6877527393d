"""Any layers' outputs as one vector per sample, in one forward pass: h = pool(layer(x)).

A layer is the name of a module (`layer3.0`, its output), `NAME:input` for what the final linear
classifier NAME reads (the penultimate features), or `output` for what the model returns. Outputs
are caught by forward hooks, which run the user's code as it is, and pooled there and then, before
an operation in place can change them; what the model would do afterwards is left out.

Shapes of an output, n samples first, and what pooling makes of them (see `layout` for how the axes
are known):

    (n, d)                             as it is
    (n, c, ...) or (n, h, w, c)        the mean over space or time (n, c)
    (n, t, d) or (n, d, t)             of tokens: the class token where the model classifies by
                                       it, else the mean over the others (n, d)

Of sentences, whose tokens are as many as the batch's longest has, see `text`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from math import prod
from typing import Any, cast

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders.adapters.forward import Forward
from identikit.encoders.adapters.layout import Layout, Tokens
from identikit.encoders.adapters.text import pooled_tokens
from identikit.encoders.config import Channels, Pool

OUTPUT = "output"
INPUT = ":input"
_OUTPUTS = ("logits", "image_embeds", "pooler_output", "last_hidden_state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A place to read h from, as a dry forward pass found it."""

    name: str
    kind: str
    """Class of the module."""
    shape: tuple[int | None, ...] | None
    """Of the output for one sample, None among its sizes for the tokens of a batch of sentences;
    None where it is no tensor with a row per sample."""
    calls: int = 1
    """How often a forward pass goes through it; the last time counts."""
    module: str | None
    """The module's name; None for what the model returns."""
    reads_input: bool = False
    """Whether the module's input is read, and not its output."""
    index: int = 0
    """Its place in the order of computation."""
    same_as: str | None = None
    """A layer with a shorter name and the same output: the block that ends in this one, say."""
    level: bool = False
    """Whether its output is one of the hidden states that the model itself names."""
    layout: Layout | None = None
    """Its axes, as far as the model says."""
    problem: str | None = None
    """Why it cannot be read."""


def first_tensor(output: object) -> Tensor | None:
    """The tensor of an output: itself, a model's logits or features, what a tuple begins with.

    Of a tuple that begins otherwise, or a dictionary or dataclass with other names, the only one.
    """
    if isinstance(output, Tensor):
        return output
    for name in _OUTPUTS:
        value = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if isinstance(value, Tensor):
            return value
    values: Sequence[object] = ()
    if isinstance(output, Mapping):
        values = list(output.values())
    elif is_dataclass(output):
        values = [getattr(output, entry.name) for entry in fields(output)]
    elif isinstance(output, tuple | list):
        values = output
        if output and first_tensor(output[0]) is not None:
            return first_tensor(output[0])
    tensors = [value for value in values if isinstance(value, Tensor)]
    return tensors[0] if len(tensors) == 1 else None


def first_input(inputs: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
    """The first tensor that a module is called with, by place or by name."""
    return next((x for x in (*inputs, *named.values()) if isinstance(x, Tensor)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """h of one layer.

    Raises:
        InputError: a layer that cannot be read, or whose output the pooling does not fit.
    """

    forward: Forward
    layer: Layer
    pool: Pool
    tokens: Tokens
    channels: Channels | None = None
    """Where the model does not say which axis of the output holds the channels."""
    prefix: int | None = None
    """Where it does not say how many class and register tokens come before the others."""

    def __post_init__(self) -> None:
        if self.layer.problem is not None:
            raise InputError(
                f"layer {self.layer.name!r} ({self.layer.kind}) of {self.forward.name} cannot be "
                f"read: {self.layer.problem}. Choose another: `identikit layers MODEL` lists them "
                "with their shapes."
            )
        _ = self.dim

    @property
    def layout(self) -> Layout | None:
        """The axes, as the model or else whoever asks says them."""
        found, shape = self.layer.layout, cast(tuple[int, ...], self.layer.shape)
        if found is None and self.channels is not None:
            found = Layout(
                channels=1 if self.channels == "first" else len(shape),
                prefix=None if self.tokens.prefix and len(shape) == 2 else 0,
            )
        if found is not None and found.prefix is None and self.prefix is not None:
            found = replace(found, prefix=self.prefix)
        return found

    @property
    def dim(self) -> int:
        """Columns of h."""
        x = torch.ones(1, 3, 1, dtype=torch.int64, device="meta")
        return self.pooled(torch.empty(self.shape(x), device="meta"), x).shape[1]

    @property
    def per_token(self) -> bool:
        """Whether the layer has a vector for each token of a sentence."""
        return None in cast(tuple[int | None, ...], self.layer.shape)

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """What the layer returns for a batch x."""
        sizes = cast(tuple[int | None, ...], self.layer.shape)
        return (len(x), *(x.shape[-1] if size is None else size for size in sizes))

    def pooled(self, y: Tensor, x: Tensor) -> Tensor:
        """One vector per sample, (n, dim), of the layer's output y for a batch x."""
        if self.per_token:
            return pooled_tokens(y, x, self.pool)
        return pooled(y, self.pool, self.layout, self.tokens)

    def __call__(self, x: Tensor) -> Tensor:
        """H of a batch (n, ...): (n, dim)."""
        return read_layers([self], x)[0]


class _StopForward(BaseException):
    """Leaves a forward pass that has nothing more to give; no `except Exception` holds it."""


def read_layers(taps: Sequence[Tap], x: Tensor) -> list[Tensor]:
    """H of several layers of one model, each (n, dim), by one forward pass that ends at the last.

    Raises:
        InputError: the model fails, goes another way than in its dry run, or does not return one
            row per sample.
    """
    forward, found = taps[0].forward, dict[int, Tensor]()
    wrong: list[InputError] = []  # kept, for the model may catch what is raised in a hook
    handles = []

    def keep(index: int, output: Tensor | None) -> None:
        try:
            found[index] = _rows(taps[index], output, x)
        except InputError as error:
            wrong.append(error)
        if wrong or len(found) == len(taps):
            raise _StopForward

    try:
        for index, tap in enumerate(taps):
            if tap.layer.module is not None:
                module = forward.network.get_submodule(tap.layer.module)
                handles.append(_hook(module, tap.layer, partial(keep, index)))
        output = forward(x)
        for index, tap in enumerate(taps):
            if tap.layer.module is None:
                keep(index, first_tensor(output))
    except _StopForward:
        pass
    except InputError:
        if not wrong and len(found) < len(taps):
            raise
    finally:
        for handle in handles:
            handle.remove()
    if wrong:
        raise wrong[0]
    for index, tap in enumerate(taps):
        if index not in found:
            raise InputError(
                f"layer {tap.layer.name!r} was not reached. {forward.name} takes another way for "
                "these inputs than for the first; choose a layer that every input goes through."
            )
    return [found[index] for index in range(len(taps))]


def _hook(module: nn.Module, layer: Layer, keep: Callable[[Tensor | None], None]) -> Any:
    """Have the last of the layer's calls kept, and none that come after what a dry run saw."""
    left = layer.calls

    def before(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            keep(first_input(inputs, named))

    def after(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            keep(first_tensor(output))

    if layer.reads_input:
        return module.register_forward_pre_hook(before, with_kwargs=True)
    return module.register_forward_hook(after)


def _rows(tap: Tap, output: Tensor | None, x: Tensor) -> Tensor:
    """H, held to it that it has one row per sample and nobody else's memory."""
    if output is None or output.ndim < 2 or tuple(output.shape) != tap.shape(x):
        raise InputError(
            f"layer {tap.layer.name!r} of {tap.forward.name} returned {described(output)} for "
            f"{len(x)} samples; {tap.shape(x)} were to be expected. A model must return one row "
            "per sample for batches of every size, of the same shape for all."
        )
    h = tap.pooled(output, x)
    return h.clone() if h.untyped_storage().data_ptr() == output.untyped_storage().data_ptr() else h


def described(output: Tensor | None) -> str:
    """The shape of an output, if it has one."""
    if output is None:
        return f"no tensor, or several of which none is named {', '.join(_OUTPUTS)}"
    return f"shape {tuple(output.shape)}"


def pooled(x: Tensor, pool: Pool, layout: Layout | None, tokens: Tokens) -> Tensor:
    """One vector per sample, (n, d), of an output as the module's docstring says.

    Raises:
        InputError: an output whose axes are not known, or that has no class token.
    """
    if not x.is_floating_point() or x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()  # so that means are rounded once, not twice
    if x.ndim == 2 or pool == "flatten":
        return x.flatten(1)
    if layout is None:
        raise InputError(
            f"{_no(x)} has axes that the model does not name: which one holds the channels? Give "
            "--channels first or last, or --pool flatten."
        )
    axes = [axis for axis in range(1, x.ndim) if axis != layout.channels]
    if x.ndim != 3:
        if pool == "cls":
            raise InputError(f"{_no(x)} has no class token. Choose --pool mean or flatten.")
        return x.mean(dim=axes)
    if layout.prefix is None:
        raise InputError(
            f"{_no(x)} has tokens of which the model does not say which are no patches (it has "
            f"{tokens.prefix} class and register tokens). Give --prefix-tokens with how many come "
            "before the others, 0 if none, or --pool flatten."
        )
    if pool == "cls" and not layout.prefix:
        raise InputError(f"{_no(x)} has no class token. Choose --pool mean or flatten.")
    if pool == "cls" or (pool == "auto" and layout.prefix and tokens.classifies):
        return x.select(axes[0], 0)
    return x.narrow(axes[0], layout.prefix, x.shape[axes[0]] - layout.prefix).mean(dim=axes[0])


def _no(x: Tensor) -> str:
    return f"an output of shape {tuple(x.shape[1:])} ({prod(x.shape[1:]):,} numbers) per sample"
