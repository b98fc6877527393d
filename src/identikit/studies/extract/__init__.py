"""Samples to features: any layers of any model over images or other data, sharded on disk."""

from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.layers import LayersConfig, Readable, list_layers
from identikit.studies.extract.run import Extracted, ExtractedLayer, Needs, extract

__all__ = [
    "ExtractConfig",
    "Extracted",
    "ExtractedLayer",
    "LayersConfig",
    "Needs",
    "Readable",
    "extract",
    "list_layers",
]
