"""Small models of text for tests, with weights at random and a tokenizer of few words."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["the", "a", "dog", "cat", "dogs", "cats", "sleep", "sleeps", "slept", "not", "did"]
WORDS += ["near", "old", "tree", ".", ",", "we", "saw", "it"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
SIZE = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZE |= {"intermediate_size": 16, "vocab_size": len(WORDS) + len(SPECIAL)}
LONGEST = 20


def tokenizer(*, framed: bool = False, **options: Any) -> Any:
    """One token a word; framed by [CLS] and [SEP] if asked for."""
    vocabulary = {word: k for k, word in enumerate([*SPECIAL, *WORDS])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    if framed:
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **named | options)


def seeded(make: Any, config: Any) -> nn.Module:
    """A network with weights of one seed that differ from zero by enough to tell tokens apart."""
    config.initializer_range = 0.5
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return cast(nn.Module, make(config))


def bert() -> tuple[nn.Module, Any]:
    config = transformers.BertConfig(**SIZE, max_position_embeddings=LONGEST)
    return seeded(transformers.BertModel, config), tokenizer(framed=True)


def gpt2() -> tuple[nn.Module, Any]:
    """Its output embedding is tied to the input's; its tokenizer pads on the left."""
    config = transformers.GPT2Config(
        vocab_size=SIZE["vocab_size"],
        n_embd=12,
        n_layer=2,
        n_head=2,
        n_positions=LONGEST,
        bos_token_id=2,
        eos_token_id=3,
    )
    return seeded(transformers.GPT2LMHeadModel, config), tokenizer(padding_side="left")


def llama() -> tuple[nn.Module, Any]:
    """Its output embedding is its own; its tokenizer has no token for padding."""
    config = transformers.LlamaConfig(
        **SIZE, max_position_embeddings=LONGEST, tie_word_embeddings=False
    )
    return seeded(transformers.LlamaForCausalLM, config), tokenizer(pad_token=None)


def opt() -> tuple[nn.Module, Any]:
    """Its blocks are wider than its embeddings; the sum of these with positions has no module."""
    config = transformers.OPTConfig(
        vocab_size=SIZE["vocab_size"],
        hidden_size=24,
        word_embed_proj_dim=12,
        ffn_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LONGEST,
        do_layer_norm_before=False,
    )
    return seeded(transformers.OPTForCausalLM, config), tokenizer()


def t5() -> tuple[nn.Module, Any]:
    """An encoder and a decoder; positions are relative."""
    config = transformers.T5Config(
        vocab_size=SIZE["vocab_size"], d_model=12, d_kv=6, d_ff=16, num_layers=2, num_heads=2
    )
    return seeded(transformers.T5ForConditionalGeneration, config), tokenizer(framed=True)


def bart() -> tuple[nn.Module, Any]:
    """An encoder and a decoder with places of their own."""
    sides = {"layers": 2, "attention_heads": 2, "ffn_dim": 16}
    config = transformers.BartConfig(
        vocab_size=SIZE["vocab_size"],
        d_model=12,
        max_position_embeddings=LONGEST,
        **{
            f"{side}_{name}": value
            for side in ("encoder", "decoder")
            for name, value in sides.items()
        },
    )
    return seeded(transformers.BartForConditionalGeneration, config), tokenizer(framed=True)


def classifier() -> tuple[nn.Module, Any]:
    config = transformers.DistilBertConfig(
        vocab_size=SIZE["vocab_size"], dim=12, n_layers=1, n_heads=2, hidden_dim=16, num_labels=3
    )
    network = seeded(transformers.DistilBertForSequenceClassification, config)
    return network, tokenizer(framed=True)


class SeesPadding(nn.Module):
    """Adds the mean over all places to every token, padding among them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(SIZE["vocab_size"], 6), nn.Linear(6, 6)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        y: Tensor = self.embed(input_ids)
        mixed: Tensor = self.mix(y + y.mean(1, keepdim=True))
        return mixed


def sees_padding() -> tuple[nn.Module, Any]:
    return SeesPadding(), tokenizer()


def without_batch() -> tuple[nn.Module, Any]:
    class Flat(SeesPadding):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            flat: Tensor = self.mix(self.embed(input_ids).flatten(0, 1))
            return flat.reshape(*input_ids.shape, -1)

    return Flat(), tokenizer()
