"""Sentences as a network reads them, and one vector per sentence of a layer's output.

A batch x (n, 3, t) holds integers: token ids, the attention mask m, and which tokens lie in the
span. Padding is on the right, whatever side a tokenizer prefers: tokens then have the positions
that they have in the sentence by itself, and a causal model never sees what comes after them. Of a
layer's output y (n, t, d):

    last    y at the last token                 mean    sum_t m_t y_t / sum_t m_t
    cls     y at the first token                span    the same over the tokens of the span
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from identikit.core.errors import InputError
from identikit.encoders.adapters.source import Built
from identikit.encoders.config import Pool

IDS, MASK, SPAN = range(3)
_CAUSAL = ("ForCausalLM", "LMHeadModel")


class Sentence(NamedTuple):
    """A text, and the first and last but one of the characters that are asked about."""

    text: str
    span: tuple[int, int] | None = None


EXAMPLES = (
    Sentence("No.", (0, 2)),
    Sentence("The dogs barked.", (4, 8)),
    Sentence("An old cat did not sleep under the table.", (7, 10)),
)
"""For a dry run where there are no others."""


@dataclass(frozen=True, slots=True)
class Tokenized:
    """Batches of token ids as a tokenizer makes them, padded on the right."""

    tokenizer: Any
    longest: int | None
    """Tokens that the model takes, as far as tokenizer and model say."""
    truncate: bool = False
    """Whether what is longer is cut."""

    def __call__(self, sentences: Sequence[Sentence]) -> Int[Tensor, "n 3 t"]:
        """A batch.

        Raises:
            InputError: a sentence without a token, or a tokenizer that does not say where its
                tokens lie.
        """
        spans = any(sentence.span is not None for sentence in sentences)
        if spans and not getattr(self.tokenizer, "is_fast", False):
            raise InputError(
                f"{type(self.tokenizer).__name__} does not say which characters its tokens stand "
                "for, which spans need. Give a model with a fast tokenizer, or no spans."
            )
        limit = {"truncation": True, "max_length": self.longest} if self.truncate else {}
        found = self.tokenizer(
            [sentence.text for sentence in sentences],
            return_offsets_mapping=spans,
            verbose=False,  # says of long ones that they are
            **limit,
        )
        rows = []
        for k, sentence in enumerate(sentences):
            ids = torch.tensor(found["input_ids"][k], dtype=torch.int64)
            if not len(ids):
                raise InputError(f"the tokenizer makes no token of {sentence.text!r}. Drop it.")
            offsets = found["offset_mapping"][k] if sentence.span else [(0, 0)] * len(ids)
            first, end = sentence.span or (0, 0)
            inside = [max(a, first) < min(b, end) for a, b in offsets]
            rows.append(torch.stack([ids, torch.ones_like(ids), torch.tensor(inside).long()], 1))
        x = pad_sequence(rows, batch_first=True).movedim(2, 1)
        padding = getattr(self.tokenizer, "pad_token_id", None) or 0
        x[:, IDS].masked_fill_(x[:, MASK] == 0, padding)
        return x.contiguous()


def trimmed(x: Int[Tensor, "n 3 t"]) -> Int[Tensor, "n 3 _"]:
    """Rows of a batch without the padding that only others needed."""
    return x[:, :, : int(x[:, MASK].sum(1).max())]


def pooled_tokens(
    y: Float[Tensor, "n t d"], x: Int[Tensor, "n 3 t"], pool: Pool
) -> Float[Tensor, "n d"]:
    """One vector per sentence of a batch, as the module's docstring says."""
    y = y.float() if y.dtype in (torch.float16, torch.bfloat16) else y  # rounded once, not twice
    if pool == "cls":
        return y[:, 0]
    mask = x[:, SPAN if pool == "span" else MASK]
    if pool == "last":
        return y[torch.arange(len(y), device=y.device), mask.sum(1) - 1]
    kept = torch.where(mask[:, :, None] > 0, y, 0.0)  # whatever a model makes of padding
    return kept.sum(1) / mask.sum(1, keepdim=True)


def is_tokenizer(value: object) -> bool:
    """Whether something is a tokenizer, as transformers makes them."""
    return callable(value) and hasattr(value, "convert_ids_to_tokens")


def built(network: nn.Module, tokenizer: Any) -> Built:
    """A network that is called with ids and mask, or the encoder of one that writes text from text.

    Args:
        network: A network.
        tokenizer: Its tokenizer.
    """
    config: Any = getattr(network, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        network = cast(Any, network).get_encoder()
    lengths = [
        getattr(tokenizer, "model_max_length", None),
        getattr(config, "max_position_embeddings", None),
    ]
    known = [length for length in lengths if length is not None and length < 2**31]
    if config is not None:
        config.use_cache = False
    call: Any = network

    def forward(x: Tensor) -> object:
        found = call(input_ids=x[:, IDS], attention_mask=x[:, MASK])
        if isinstance(found, dict) and "pooler_output" in found:
            found["pooler_output"] = None  # the tokens are what the model returns
        return found

    return Built(
        network=network,
        transform=Tokenized(tokenizer, longest=min(known, default=None)),
        forward=forward,
        text=True,
        causal=type(network).__name__.endswith(_CAUSAL),
    )
