"""`hf:NAME`, a model of the Hugging Face hub or a local folder that `save_pretrained` wrote."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError, optional_module
from identikit.encoders.adapters.reach import reaching
from identikit.encoders.adapters.source import Built


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """A classifier, if its configuration names one, else a bare encoder of images.

    Images are prepared by the model's own image processor.
    """

    name: str

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`."""
        transformers = optional_module("transformers", what="hub hf", extra="huggingface")
        hub = None if Path(self.name).is_dir() else "huggingface.co"
        with reaching(f"hf:{self.name}", hub=hub):
            config = transformers.AutoConfig.from_pretrained(self.name)
            if classes is not None:
                config.num_labels = classes
            names = config.architectures or ()
            classifies = any(name.endswith("ForImageClassification") for name in names)
            kind = (
                transformers.AutoModelForImageClassification
                if classifies
                else transformers.AutoModel
            )
            if pretrained:
                network, report = kind.from_pretrained(self.name, output_loading_info=True)
                self._refuse_random(network, sorted(report["missing_keys"]))
            else:
                network = kind.from_config(config)
            processor = transformers.AutoImageProcessor.from_pretrained(self.name)
        # of a model of images and texts, its image features
        call: Any = getattr(network, "get_image_features", network)
        more = _unmasked(network)
        return Built(
            network=network,
            transform=Processed(processor),
            forward=lambda x: call(pixel_values=x, **more(x)),
            classifies=classifies,
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
