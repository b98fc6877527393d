"""A model that is ready to be read: network, transform, layers, head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.core.errors import InputError, unknown_name
from identikit.encoders.adapters.forward import Forward
from identikit.encoders.adapters.layers import Layer, Tap
from identikit.encoders.adapters.layout import Tokens
from identikit.encoders.adapters.text import trimmed
from identikit.encoders.adapters.weights import weights_digest
from identikit.encoders.config import Channels, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableModel:
    """x -> h, as `load_model` gives it."""

    name: str
    """As it was asked for: timm:resnet50."""
    network: nn.Module
    """In eval mode, on the CPU, without gradients."""
    forward: Forward
    """How the network is called on images (n, channels, height, width), or what else it takes."""
    transform: Callable[[Any], Tensor]
    """From a PIL image to (channels, height, width), as the model's own settings say; of a model
    of text its tokenizer (`text.Tokenized`), from sentences to a batch."""
    input_shape: tuple[int, ...]
    """Of a sample as the transform makes it: channels, height and width of an image."""
    layers: tuple[Layer, ...]
    """Where h can be read, in the order of computation; first the default."""
    head: str | None
    """Module of the final linear classifier, if the model ends in one."""
    tokens: Tokens
    """What comes before the patches in its sequences of tokens."""
    trained: bool
    """Whether its weights were learned: False where they were drawn at random."""
    causal: bool
    """Whether it predicts every token from those before it."""

    @property
    def text(self) -> bool:
        """Whether it reads sentences."""
        return self.forward.text

    @property
    def embeddings(self) -> str | None:
        """The module that token ids are embedded by, if the network names one."""
        found = getattr(self.network, "get_input_embeddings", lambda: None)()
        names = (name for name, module in self.network.named_modules() if module is found)
        return next(names, None)

    @property
    def read_by_head(self) -> str | None:
        """The layer that the final linear classifier reads."""
        return None if self.head is None else self.layers[0].name

    def chosen(self, names: Sequence[str], *, every: int = 1) -> list[str]:
        """Layers by names and patterns, in the order of computation.

        Args:
            names: Of layers; patterns, whose `*` and `?` stand for anything but a dot
                (`blocks.*`); or `all`, for every layer that can be read, one of each value: of
                those that the model itself names its hidden states, if it does.
            every: Take one of so many, the last among them.

        Raises:
            InputError: a name that is no layer's, a pattern that fits none.
        """
        ordered = sorted(self.layers, key=lambda layer: layer.index)
        known = [layer.name for layer in ordered]
        found: set[str] = set()
        for name in names:
            if name == "all" and name not in known:
                named = [x for x in ordered if x.level] or ordered
                found |= {x.name for x in named if x.same_as is None and x.problem is None}
            elif name in known:
                found.add(name)
            else:
                fits = [other for other in known if _fits(other, name)]
                if not fits:
                    raise unknown_name(f"layer of {self.name}", name, known)
                found |= set(fits)
        return [name for name in known if name in found][::-1][::every][::-1]

    def tap(
        self,
        layer: str | None = None,
        *,
        pool: Pool = "auto",
        channels: Channels | None = None,
        prefix: int | None = None,
    ) -> Tap:
        """Read h from a layer.

        Args:
            layer: A name from `layers`; by default the penultimate features.
            pool: How space or tokens become one vector, see `layers`. Of sentences `auto` is the
                last token if the model is causal, else the mean.
            channels: Which axis of the output holds them, where the model does not say.
            prefix: How many class and register tokens come before the others, where it does not.

        Raises:
            InputError: an unknown layer, or one that the pooling does not fit.
        """
        name = self.layers[0].name if layer is None else layer
        known = {found.name: found for found in self.layers}
        if name not in known:
            raise unknown_name(f"layer of {self.name}", name, known)
        if pool in (("flatten",) if self.text else ("last", "span")):
            what = "sentences, which differ in length" if self.text else "no sentences"
            fit = "last, mean, cls or span" if self.text else "mean, cls or flatten"
            raise InputError(
                f"{self.name} reads {what}, and --pool {pool} does not fit. Choose {fit}."
            )
        if self.text and pool == "auto":
            pool = "last" if self.causal else "mean"
        return Tap(
            forward=self.forward,
            layer=known[name],
            pool=pool,
            tokens=self.tokens,
            channels=channels,
            prefix=prefix,
        )

    def head_weights(self) -> dict[str, Float[Tensor, "labels ..."]]:
        """`W` (labels, d_h) and, if it has one, `b` (labels,) of the final linear classifier.

        Raises:
            InputError: the model does not end in one.
        """
        if self.head is None:
            raise InputError(f"{self.name} does not end in a linear classifier.")
        module = cast(nn.Conv2d, self.network.get_submodule(self.head))  # or nn.Linear
        found = {"W": module.weight.detach().flatten(1)}
        if module.bias is not None:
            found["b"] = module.bias.detach()
        return found

    def digest(self) -> str:
        """SHA-256 of all weights and buffers."""
        return weights_digest(self.network)

    def spread(self, x: Tensor) -> Tensor:
        """A batch in the memory layout of the network; of sentences, without needless padding."""
        if self.text:
            return trimmed(x)
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x

    def to(self, device: torch.device) -> None:
        """Move the network, in the memory layout in which convolutions of images are fast."""
        flat = all(parameter.ndim < 5 for parameter in self.network.parameters())
        layout = torch.channels_last if flat else torch.preserve_format
        self.network.to(device, memory_format=layout)  # type: ignore[call-overload]


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
