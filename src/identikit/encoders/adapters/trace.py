"""The dry run: which layers a forward pass goes through, and whether they are functions of x.

The same few samples are passed twice together and once apart, sentences then with no more padding
than each part needs. A layer whose output for a sample (of a sentence, for its tokens) differs
between the passes is listed with the difference and never read; a forward pass that changes weights
or buffers is refused.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.parameter import is_lazy

from identikit.core.errors import InputError
from identikit.encoders.adapters.forward import Forward
from identikit.encoders.adapters.layers import (
    INPUT,
    OUTPUT,
    Layer,
    described,
    first_input,
    first_tensor,
)
from identikit.encoders.adapters.layout import Axes, Layout, Tokens
from identikit.encoders.adapters.text import MASK, trimmed
from identikit.encoders.adapters.weights import tensor_digests

_TOLERANCE = 1e-4
"""Of the root mean square of an output; rounding stays some ten times below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What a dry run found."""

    layers: tuple[Layer, ...]
    """In the order of computation; first what the classifier reads, or what the model returns."""
    head: str | None
    """The module of the final linear classifier."""
    tokens: Tokens


@dataclass(slots=True, kw_only=True)
class _Seen:
    """One forward pass."""

    rows: int
    layers: dict[str | None, Layer] = field(default_factory=dict)
    """By module; None is the model."""
    prints: dict[str | None, Tensor] = field(default_factory=dict)
    """A few numbers (n, 2) of the output of each sample that hardly agree by chance."""
    states: Sequence[Tensor] = ()
    """The same of what the model itself names its hidden states."""


@dataclass(slots=True, kw_only=True)
class _Linear:
    """A linear layer's last call."""

    module: nn.Module
    before: Tensor
    after: Tensor


def trace(forward: Forward, x: Tensor) -> Traced:
    """All layers of a forward pass over different samples x (n, ...), and the final classifier.

    That is the last linear layer (or 1 x 1 convolution) W, b for whose input h the model returns
    W h + b in value.

    Raises:
        InputError: the model fails, does not return a tensor with a row per sample, or changes
            its weights.
    """
    if any(is_lazy(p) for p in forward.network.parameters()):
        with torch.no_grad():
            forward(x)
    network = forward.network
    weights = tensor_digests(network, saved=True)
    tokens = Tokens.of(forward.network)
    axes = Axes(tokens=tokens, image=(x.shape[2], x.shape[3]) if x.ndim == 4 else None)
    linears: dict[str, _Linear] = {}
    whole, final = _pass(forward, x, axes, linears)
    if whole.layers[None].shape is None:
        raise InputError(
            f"the model must return a tensor with one row per sample; for {len(x)} samples of "
            f"shape {tuple(x.shape[1:])} {forward.name} returned {described(final)}."
        )
    weights |= tensor_digests(network, saved=False)  # caches are filled by the first pass
    again, _ = _pass(forward, x)
    parts = [trimmed(part) if forward.text else part for part in (x[:1], x[1:])]
    apart = [_pass(forward, part)[0] for part in parts]
    _refuse_changed(forward, weights)
    modules: dict[str | None, nn.Module] = {None: network, **dict(network.named_modules())}
    found = {
        name: replace(
            layer,
            name=layer.name if name is not None else _free(OUTPUT, modules),
            layout=_layout(forward, axes, modules[name], layer.shape),
            level=_among(whole.prints.get(name), whole.states),
            problem=_problem(name, whole, again, apart, text=forward.text),
        )
        for name, layer in whole.layers.items()
    }
    head = next((k for k, last in reversed(linears.items()) if _returns(last, final)), None)
    places = [(layer, whole.prints.get(key)) for key, layer in found.items() if key is not None]
    if head is not None:
        last = linears[head]
        mark = _print(last.before, x[:, MASK] if forward.text else None)
        shape = _shape(last.before, x, text=forward.text)
        read = replace(
            found[head],
            name=head + INPUT,
            kind="input",
            shape=shape,
            reads_input=True,
            layout=_layout(forward, axes, last.module, shape),
            level=_among(mark, whole.states),
        )
        read = replace(read, name=_free(read.name, modules))
        place = next(i for i, (layer, _) in enumerate(places) if layer.module == head)
        places.insert(place, (read, mark))
    places.append((found[None], whole.prints[None]))
    layers = _numbered(places)
    first = [layer for layer in layers if layer.reads_input] + layers[-1:]
    others = [layer for layer in layers[:-1] if not layer.reads_input]
    return Traced(layers=(*first, *others), head=head, tokens=tokens)


def _numbered(places: Sequence[tuple[Layer, Tensor | None]]) -> list[Layer]:
    """Layers with their places in the order of computation and those that are the same."""
    groups: dict[object, list[Layer]] = {}
    for layer, mark in places:
        if mark is not None and mark.any() and layer.problem is None:  # zeros say nothing
            groups.setdefault((layer.shape, *mark.flatten().tolist()), []).append(layer)
    same: dict[str, str] = {}
    for group in groups.values():
        shortest = min(group, key=lambda x: (not x.reads_input, x.name.count("."), len(x.name)))
        same.update((layer.name, shortest.name) for layer in group if layer is not shortest)
    return [
        replace(layer, index=index, same_as=same.get(layer.name))
        for index, (layer, _) in enumerate(places)
    ]


def _refuse_changed(forward: Forward, before: Mapping[str, str]) -> None:
    """Hold a forward pass to it that it leaves the weights as they were."""
    after: dict[str, str] = {}
    for saved in (True, False):
        after |= tensor_digests(forward.network, saved=saved)
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    if changed:
        raise InputError(
            f"a forward pass of {forward.name} changes {len(changed)} of its weights and buffers "
            f"({', '.join(sorted(changed)[:3])}), so features would depend on what went before "
            "them. Have it leave them alone in eval mode."
        )


def _free(name: str, taken: Collection[str | None]) -> str:
    """A name that no module has."""
    return name if name not in taken else f"{name}:model"


def _pass(
    forward: Forward,
    x: Tensor,
    axes: Axes | None = None,
    linears: dict[str, _Linear] | None = None,
) -> tuple[_Seen, Tensor | None]:
    """One forward pass: what every module returned, and the model."""
    seen = _Seen(rows=len(x))
    mask = x[:, MASK] if forward.text else None
    counts = (len(x), x[:, 0].numel()) if forward.text else (len(x),)  # of samples, of tokens

    def see(name: str | None, module: nn.Module, output: Tensor | None) -> None:
        calls = seen.layers[name].calls + 1 if name in seen.layers else 1
        shape = _shape(output, x, text=forward.text)
        seen.layers[name] = Layer(
            name=name or OUTPUT, kind=type(module).__name__, shape=shape, calls=calls, module=name
        )
        if output is not None and shape is not None:
            seen.prints[name] = _print(output, mask)

    def hook(name: str) -> Callable[..., None]:
        def after(m: nn.Module, inputs: tuple[Any, ...], named: Any, out: object) -> None:
            before, output = first_input(inputs, named), first_tensor(out)
            see(name, m, output)
            if axes is not None:
                axes.hear(m, before, output)
            if linears is not None and before is not None and output is not None:
                linears.pop(name, None)
                if _is_linear(m) and output.numel() in [len(m.weight) * k for k in counts]:
                    linears[name] = _Linear(module=m, before=before.clone(), after=output)

        return after

    handles = [
        module.register_forward_hook(hook(name), with_kwargs=True)
        for name, module in forward.network.named_modules()
        if name and not isinstance(module, torch.jit.ScriptModule)  # which takes no hooks
    ]
    try:
        with torch.no_grad():
            returned = forward(x)
    finally:
        for handle in handles:
            handle.remove()
    final = first_tensor(returned)
    see(None, forward.network, final)
    if forward.text:
        seen.states = [_print(y, mask) for y in getattr(returned, "hidden_states", None) or ()]
    return seen, final


def _print(output: Tensor, mask: Tensor | None) -> Tensor:
    """The root mean square of each row and its product with one fixed wave: (n, 2).

    Of sentences (mask (n, t)) without what is there for padding.
    """
    rows = output.flatten(1).double().nan_to_num()
    counts = torch.full_like(rows[:, 0], max(1, rows.shape[1]))
    if mask is not None and output.ndim > 2 and output.shape[1] == mask.shape[1]:
        wide = rows.shape[1] // mask.shape[1]
        rows, counts = rows * mask.repeat_interleave(wide, 1), mask.sum(1).double() * wide
    sizes = torch.linalg.vector_norm(rows, dim=1)
    made: Tensor = torch.stack([sizes, rows @ _wave(rows.shape[1])], dim=1)
    return made / counts[:, None].sqrt()


@lru_cache(maxsize=4)
def _wave(length: int) -> Tensor:
    return torch.arange(length, dtype=torch.float64).mul_(0.7311).cos_()


def _among(mark: Tensor | None, states: Sequence[Tensor]) -> bool:
    return mark is not None and any(torch.equal(mark, state) for state in states)


def _problem(
    name: str | None, whole: _Seen, again: _Seen, apart: Sequence[_Seen], *, text: bool
) -> str | None:
    """Why a layer cannot be read."""
    layer = whole.layers[name]
    if layer.shape is None:
        return "it does not return one dense, real tensor with one row per sample"
    if text and len(layer.shape) > 1 and not _per_token(layer.shape):
        return "it returns neither a vector per sentence nor one per token"
    others = [other.layers.get(name) for other in (again, *apart)]
    for other, rows in zip(others, (again.rows, *(part.rows for part in apart)), strict=True):
        if other is None or other.calls != layer.calls:
            return "the model does not go through it in the same way for every batch"
        if other.shape != layer.shape:
            return (
                f"for a batch of {rows} it does not return the shape {(rows, *layer.shape)} that "
                "larger batches lead to expect (a squeeze, perhaps)"
            )
    size = float(whole.prints[name][:, 0].square().mean().sqrt())
    for what, prints in (
        ("two passes over the same batch", again.prints[name]),
        ("a batch together and the same batch split", torch.cat([p.prints[name] for p in apart])),
    ):
        differ = float((whole.prints[name] - prints).abs().max())
        if differ > _TOLERANCE * size:
            return (
                f"its output is no function of the sample: between {what} it differs by "
                f"{differ / size:.2g} of its root mean square (dropout, masks"
                f"{', padding that the model sees' if text else ''} or batch statistics in eval "
                "mode, perhaps)"
            )
    return None


@torch.no_grad()
def _returns(last: _Linear, final: Tensor | None) -> bool:
    """Whether what the model returns is W h + b in value.

    Where that is the same for all samples (a classifier that starts at zero) the values say
    nothing, and it must be the very tensor.
    """
    if final is None or final.numel() != last.after.numel():
        return False
    module: Any = last.module
    whole = last.before.flatten(0, -2) if isinstance(module, nn.Linear) else last.before.flatten(1)
    h = whole.to(module.weight.dtype)
    logits = linear(h, module.weight.flatten(1), module.bias)
    values = final.reshape(logits.shape).to(logits.dtype)
    if not torch.allclose(values, logits, rtol=_TOLERANCE, atol=_TOLERANCE * float(logits.std())):
        return False
    varies = bool((logits != logits[:1]).any())
    return varies or final.data_ptr() == last.after.data_ptr()


def _is_linear(module: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    if isinstance(module, nn.Conv2d):
        return set(module.kernel_size) == {1} and module.groups == 1
    return isinstance(module, nn.Linear)


def _shape(output: Tensor | None, x: Tensor, *, text: bool) -> tuple[int | None, ...] | None:
    if output is None or output.layout != torch.strided or output.is_complex():
        return None
    whole = tuple(output.shape)
    if len(whole) < 2 or whole[0] != len(x):
        return None
    tokens = text and len(whole) > 2 and whole[1] == x.shape[2]
    return (None, *whole[2:]) if tokens else whole[1:]


def _per_token(shape: Sequence[int | None]) -> bool:
    """Whether an output has one vector for each token of a sentence."""
    return len(shape) == 2 and shape[0] is None


def _layout(
    forward: Forward, axes: Axes, module: nn.Module, shape: tuple[int | None, ...] | None
) -> Layout | None:
    """The axes of an output, as far as is known."""
    if shape is None:
        return None
    if forward.text:
        return Layout(channels=2) if _per_token(shape) else None
    return axes.layout(module, cast(tuple[int, ...], shape))
