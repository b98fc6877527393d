"""Vision models from the hubs, from local weights and of the user's own: x -> h at any layer."""

from identikit.encoders.adapters.layers import Layer, Pool, Tap
from identikit.encoders.adapters.layout import Channels
from identikit.encoders.adapters.load import HUBS, load_model
from identikit.encoders.adapters.model import VisionModel

__all__ = ["HUBS", "Channels", "Layer", "Pool", "Tap", "VisionModel", "load_model"]
