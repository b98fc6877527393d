"""Images to features: any layer of any vision model over a folder of images, sharded on disk."""

from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.layers import LayersConfig, Readable, list_layers
from identikit.studies.extract.run import Extracted, extract

__all__ = ["ExtractConfig", "Extracted", "LayersConfig", "Readable", "extract", "list_layers"]
