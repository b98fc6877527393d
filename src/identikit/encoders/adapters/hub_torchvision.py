"""`torchvision:NAME`, such as resnet50 or, for certain weights, resnet50.IMAGENET1K_V1."""

from dataclasses import dataclass
from typing import Any

from identikit.core.errors import optional_module, unknown_name
from identikit.encoders.adapters.reach import reaching
from identikit.encoders.adapters.source import Built


@dataclass(frozen=True, slots=True)
class Torchvision:
    """A classifier of torchvision; images are prepared as the preset of its weights says.

    Raises:
        InputError: a name or weights that torchvision does not know.
    """

    name: str

    def __post_init__(self) -> None:
        models = _models()
        base, _, tag = self.name.partition(".")
        known = models.list_models(module=models)
        if base not in known:
            raise unknown_name("torchvision model", base, known)
        tags = [weights.name for weights in models.get_model_weights(base)]
        if tag and tag not in tags:
            raise unknown_name(f"weights of torchvision:{base}", tag, tags)

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`."""
        models = _models()
        base, _, tag = self.name.partition(".")
        kinds = models.get_model_weights(base)
        weights = kinds[tag] if tag else kinds.DEFAULT
        options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
        if pretrained:
            with reaching(f"torchvision:{self.name}", hub="download.pytorch.org"):
                network = models.get_model(base, weights=weights, **options)
        else:
            if base in ("googlenet", "inception_v3"):
                options["init_weights"] = True  # as they do, less a warning
            network = models.get_model(base, weights=None, **options)
        return Built(network=network, transform=weights.transforms(), forward=network)


def _models() -> Any:
    return optional_module("torchvision.models", what="hub torchvision", extra="vision")
