"""`timm:NAME`, such as vit_base_patch16_224 or, for certain weights, resnet50.a1_in1k."""

from dataclasses import dataclass
from typing import Any

from identikit.core.errors import InputError, optional_module, unknown_name
from identikit.encoders.adapters.reach import reaching
from identikit.encoders.adapters.source import Built


@dataclass(frozen=True, slots=True)
class Timm:
    """A model of timm; images are prepared as its data configuration says.

    Raises:
        InputError: a name or a tag that timm does not know.
    """

    name: str

    def __post_init__(self) -> None:
        timm = _timm()
        base, _, tag = self.name.partition(".")
        if not timm.is_model(base):
            raise unknown_name("timm model", base, timm.list_models())
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{base}.*")]
        if tag and tag not in tags:
            raise unknown_name(f"weights of timm:{base}", tag, tags)

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`."""
        timm = _timm()
        options = {} if classes is None else {"num_classes": classes}
        if pretrained:
            if not timm.is_model_pretrained(self.name):
                raise InputError(
                    f"timm has no pretrained weights of {self.name}. Give weights of your own "
                    "with --checkpoint FILE, or take random ones with --untrained."
                )
            with reaching(f"timm:{self.name}", hub="huggingface.co"):
                network = timm.create_model(self.name, pretrained=True, **options)
        else:
            network = timm.create_model(self.name, pretrained=False, **options)
        config = timm.data.resolve_model_data_config(network)
        transform = timm.data.create_transform(**config, is_training=False)
        return Built(network=network, transform=transform, forward=network)


def _timm() -> Any:
    return optional_module("timm", what="hub timm", extra="vision")
