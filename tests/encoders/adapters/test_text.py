"""Models of text: each sentence by itself, as transformers reads it, is the reference."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tests.encoders.adapters import text_models
from torch import Tensor

from identikit.core.errors import InputError
from identikit.encoders.adapters import ReadableModel, Sentence, Tokenized, load_model
from identikit.encoders.config import Pool

LONGEST = text_models.LONGEST
HERE = "tests.encoders.adapters.text_models"
SENTENCES = [
    Sentence("the dog sleeps .", (4, 7)),
    Sentence("cats", (0, 4)),
    Sentence("the old cats did not sleep near the old tree .", (8, 20)),
]
SPANS = {
    "bert": [[2], [1], [3, 4, 5]],
    "gpt2": [[1], [0], [2, 3, 4]],
    "llama": [[1], [0], [2, 3, 4]],
    "opt": [[1], [0], [2, 3, 4]],
    "t5": [[2], [1], [3, 4, 5]],
    "bart": [[2], [1], [3, 4, 5]],
}
"""Places of the spans' tokens."""
LEVELS = {
    "bert": ["embeddings", "encoder.layer.0", "output"],
    "gpt2": ["transformer.drop", "transformer.h.0", "lm_head:input"],
    "llama": ["model.embed_tokens", "model.layers.0", "lm_head:input"],
    "opt": ["model.decoder.layers.0", "lm_head:input"],
    "t5": ["embed_tokens", "block.0", "output"],
    "bart": ["layernorm_embedding", "layers.0", "output"],
}
"""All hidden states that come out of a module, which OPT's first does not."""


def loaded(name: str) -> ReadableModel:
    return load_model(f"{HERE}:{name}", pretrained=True, seed=0)


def reference(name: str) -> list[list[Tensor]]:
    """Hidden states (t, d) of each sentence by itself, of an encoder if there is one."""
    network, tokenizer = cast(Any, getattr(text_models, name)())
    if network.config.is_encoder_decoder:
        network = network.get_encoder()
    states = []
    with torch.no_grad():
        for sentence in SENTENCES:
            inputs = tokenizer(sentence.text, return_tensors="pt")
            ids = inputs["input_ids"]
            states.append(network.eval()(ids, output_hidden_states=True).hidden_states)
    return [[state[0] for state in one][-len(LEVELS[name]) :] for one in states]


@pytest.mark.parametrize("name", list(LEVELS))
def test_levels_of_a_batch_are_the_hidden_states_of_each_sentence_by_itself(name: str) -> None:
    model, wanted = loaded(name), reference(name)
    assert model.chosen(["all"]) == LEVELS[name]
    assert model.chosen(["all"], every=2) == LEVELS[name][::-2][::-1]
    batch = model.transform(SENTENCES)
    spans = SPANS[name]
    pools: dict[Pool, Any] = {
        "last": lambda y, k: y[-1],
        "mean": lambda y, k: y.mean(0),
        "cls": lambda y, k: y[0],
        "span": lambda y, k: y[spans[k]].mean(0),
    }
    for level, layer in enumerate(LEVELS[name]):
        for pool, of in pools.items():
            tap = model.tap(layer, pool=pool)
            rows = torch.stack([of(states[level], k) for k, states in enumerate(wanted)])
            torch.testing.assert_close(tap(batch), rows, rtol=1e-4, atol=1e-5)
            alone = torch.cat([tap(model.transform([one])) for one in SENTENCES])
            torch.testing.assert_close(tap(batch), alone, rtol=1e-4, atol=1e-5)
            assert tap.dim == rows.shape[1]


@pytest.mark.parametrize("name", ["gpt2", "llama", "opt"])
def test_the_head_makes_the_logits_of_the_next_token_from_what_is_read(name: str) -> None:
    model = loaded(name)
    network, tokenizer = cast(Any, getattr(text_models, name)())
    head = model.head_weights()
    assert list(head) == ["W"]
    h = model.tap()(model.transform(SENTENCES))
    for row, sentence in zip(h, SENTENCES, strict=True):
        ids = tokenizer(sentence.text, return_tensors="pt")["input_ids"]
        logits = network.eval()(ids).logits[0, -1]
        torch.testing.assert_close(row @ head["W"].T, logits, rtol=1e-4, atol=1e-5)
    tied = torch.equal(head["W"], cast(Any, model.network).get_input_embeddings().weight)
    assert tied == (name != "llama")


def test_an_encoder_has_no_head_and_a_classifier_of_sentences_has_its_own() -> None:
    assert {loaded(name).head for name in ("bert", "t5", "bart")} == {None}
    model = loaded("classifier")
    assert (model.head, model.layers[0].name, model.tap().dim) == (
        *("classifier", "classifier:input"),
        12,
    )
    assert model.head_weights()["W"].shape == (3, 12)


def test_auto_is_the_last_token_of_causal_models_and_the_mean_of_others() -> None:
    assert [loaded(name).tap().pool for name in ("bert", "gpt2", "llama")] == [
        *("mean", "last", "last")
    ]


def test_a_tokenizer_pads_on_the_right_whatever_it_prefers() -> None:
    left = Tokenized(text_models.tokenizer(padding_side="left"), longest=None)
    x = left(SENTENCES)
    assert x[:, 1].tolist() == [[1] * count + [0] * (11 - count) for count in (4, 1, 11)]
    assert x[1, 0].tolist() == [text_models.WORDS.index("cats") + 4] + [0] * 10
    assert x[2, 2].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_model_that_sees_padding_is_told_and_not_read() -> None:
    model = loaded("sees_padding")
    with pytest.raises(InputError, match="padding that the model sees"):
        model.tap("output")
    assert model.tap("embed", pool="mean").dim == 6


def test_layers_without_a_row_per_sentence_are_told() -> None:
    model = loaded("without_batch")
    with pytest.raises(InputError, match="one row per sample"):
        model.tap("mix")
    with pytest.raises(InputError, match=r"unknown layer.*Did you mean 'embed'"):
        model.tap("embedd")
    with pytest.raises(InputError, match="differ in length, and --pool flatten does not fit"):
        model.tap(pool="flatten")


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_saved_folders_are_read_and_named_by_their_classes(name: str, tmp_path: Path) -> None:
    network, tokenizer = cast(Any, getattr(text_models, name)())
    network.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="reads text and has no tokenizer that can be loaded"):
        load_model(f"hf:{tmp_path}", pretrained=True, seed=0)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(f"hf:{tmp_path}", pretrained=True, seed=0)
    mine = loaded(name)
    batch = mine.transform(SENTENCES)
    assert torch.equal(model.transform(SENTENCES), batch)
    assert torch.equal(model.tap()(batch), mine.tap()(batch))
    assert (model.causal, model.head) == (mine.causal, mine.head)
    assert cast(Tokenized, model.transform).longest == (None if name == "t5" else LONGEST)
    twin = load_model(f"hf:{tmp_path}", pretrained=False, seed=0)
    assert not torch.allclose(twin.tap()(batch), mine.tap()(batch))


def test_a_sentence_without_a_token_is_told() -> None:
    with pytest.raises(InputError, match="no token of '  '"):
        Tokenized(text_models.tokenizer(), longest=None)([Sentence("  ")])
