"""Models from the hubs, from local weights and of the user's own: x -> h at any layer."""

from identikit.encoders.adapters.batch_norm import calibrate, uncalibrated
from identikit.encoders.adapters.layers import Layer, Tap, read_layers
from identikit.encoders.adapters.load import HUBS, load_model, same_values
from identikit.encoders.adapters.model import ReadableModel
from identikit.encoders.adapters.own import named_function, own_code
from identikit.encoders.adapters.source import Transform
from identikit.encoders.adapters.text import MASK, SPAN, Sentence, Tokenized

__all__ = [
    "HUBS",
    "MASK",
    "SPAN",
    "Layer",
    "ReadableModel",
    "Sentence",
    "Tap",
    "Tokenized",
    "Transform",
    "calibrate",
    "load_model",
    "named_function",
    "own_code",
    "read_layers",
    "same_values",
    "uncalibrated",
]
