"""`hf:NAME`, a model of the Hugging Face hub or a local folder that `save_pretrained` wrote.

Or a folder with one GGUF file of a causal language model, whose weights are read in float32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError, in_words, optional_module
from identikit.encoders.adapters.reach import reaching
from identikit.encoders.adapters.source import Built
from identikit.encoders.adapters.text import built

_HEADS = {
    "ForImageClassification": "AutoModelForImageClassification",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
}
"""Classes of transformers that end in a linear layer over labels or tokens, by their names."""

SPACE = "\u2581"
"""SentencePiece's."""


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """A classifier or causal language model, if its configuration names one, else a bare encoder.

    Images are prepared by the model's own image processor, sentences by its own tokenizer.
    """

    name: str

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`."""
        transformers = optional_module("transformers", what="hub hf", extra="huggingface")
        hub = None if Path(self.name).is_dir() else "huggingface.co"
        with reaching(f"hf:{self.name}", hub=hub):
            where = self._file()
            config = transformers.AutoConfig.from_pretrained(self.name, **where)
            if classes is not None:
                config.num_labels = classes
            names = config.architectures or (["ForCausalLM"] if where else [])
            ends = [kind for end, kind in _HEADS.items() if any(n.endswith(end) for n in names)]
            kind = getattr(transformers, ends[0] if ends else "AutoModel")
            if pretrained:
                network, report = kind.from_pretrained(self.name, output_loading_info=True, **where)
                self._refuse_random(network, sorted(report["missing_keys"]))
            else:
                network = kind.from_config(config)
            if network.main_input_name == "input_ids" and not hasattr(
                network, "get_image_features"
            ):
                return built(network, self._tokenizer(transformers, where))
            processor = transformers.AutoImageProcessor.from_pretrained(self.name)
        # of a model of images and texts, its image features
        call: Any = getattr(network, "get_image_features", network)
        more = _unmasked(network)
        return Built(
            network=network,
            transform=Processed(processor),
            forward=lambda x: call(pixel_values=x, **more(x)),
            classifies=bool(ends),
        )

    def _file(self) -> dict[str, str]:
        """The GGUF file of a folder that has one and no other weights."""
        folder = Path(self.name)
        found = sorted(folder.glob("*.gguf")) if not (folder / "config.json").exists() else []
        return {"gguf_file": found[0].name} if len(found) == 1 else {}

    def _tokenizer(self, transformers: Any, where: dict[str, str]) -> Any:
        try:
            found = transformers.AutoTokenizer.from_pretrained(self.name, **where)
            why = "the one that is made without its files knows no words"
            special = {*found.all_special_ids}
            words = (word for word, number in found.get_vocab().items() if number not in special)
            if any(word != SPACE for word in words):
                return found
        except (OSError, ValueError, ImportError) as error:
            why = in_words(error)
        raise InputError(
            f"hf:{self.name} reads text and has no tokenizer that can be loaded ({why}). Put its "
            "tokenizer's files beside it (save_pretrained), or give module:function that returns "
            "model and tokenizer."
        )

    def _refuse_random(self, network: nn.Module, missing: list[str]) -> None:
        """Take away a pooler that was not trained; no other weights may be missing."""
        if missing and all(name.startswith("pooler.") for name in missing):
            network.pooler = None  # type: ignore[assignment]
        elif missing:
            raise InputError(
                f"hf:{self.name} lacks {len(missing)} weights, which would be random: "
                f"{', '.join(missing[:5])}. Give another model, or --untrained for random weights."
            )


def _unmasked(network: nn.Module) -> Callable[[Tensor], dict[str, Tensor]]:
    """What has a masked autoencoder see all patches in their order, not a random quarter of them.

    Its patches are sorted by noise, and the first 1 - mask_ratio of them kept.
    """
    config: Any = network.config
    if config.model_type != "vit_mae":
        return lambda x: {}
    config.mask_ratio = 0.0

    def noise(x: Tensor) -> dict[str, Tensor]:
        patches = (x.shape[2] // config.patch_size) * (x.shape[3] // config.patch_size)
        return {"noise": torch.arange(patches, device=x.device).expand(len(x), -1)}

    return noise


@dataclass(frozen=True, slots=True)
class Processed:
    """The pixel values that an image processor makes of a PIL image."""

    processor: Any

    def __call__(self, image: Any) -> Tensor:
        """(channels, height, width)."""
        values: Tensor = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        return values

    def __repr__(self) -> str:
        return str(self.processor)
