"""Where a model can be read: its layers, as a dry forward pass finds them."""

from dataclasses import dataclass

from identikit.core.errors import InputError
from identikit.encoders.adapters import HUBS, Layer, ReadableModel, load_model
from identikit.encoders.config import Pool
from identikit.studies.extract.config import LayersConfig
from identikit.studies.extract.samples import dry_samples, find_items


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A layer and what would be read from it."""

    layer: Layer
    dim: int | None
    """Dimensions of h; None where the layer cannot be read with this pooling."""


def list_layers(config: LayersConfig) -> list[Readable]:
    """All layers in the order of computation, first the default; nothing but names is downloaded.

    Raises:
        InputError: an unknown model.
    """
    own = config.model.partition(":")[0] not in HUBS  # whose weights are its own affair
    inputs = None if config.data is None else dry_samples(find_items(config.data))
    model = load_model(config.model, pretrained=own, seed=0, inputs=inputs)
    return [Readable(layer=layer, dim=_dim(model, layer, config.pool)) for layer in model.layers]


def _dim(model: ReadableModel, layer: Layer, pool: Pool) -> int | None:
    try:
        return model.tap(layer.name, pool=pool).dim
    except InputError:
        return None
