"""Models from the hubs, from local weights and of the user's own: x -> h at any layer."""

from identikit.encoders.adapters.batch_norm import calibrate, uncalibrated
from identikit.encoders.adapters.hub_run import write_trained
from identikit.encoders.adapters.hubs import HUBS
from identikit.encoders.adapters.image_encoder import ImageEncoder, ImageNetwork
from identikit.encoders.adapters.layers import Layer, Tap, read_layers
from identikit.encoders.adapters.load import load_model, same_values
from identikit.encoders.adapters.model import ReadableModel
from identikit.encoders.adapters.own import named_function, own_code
from identikit.encoders.adapters.short_side import ShortSide
from identikit.encoders.adapters.source import Transform
from identikit.encoders.adapters.text import MASK, SPAN, Sentence, Tokenized

__all__ = [
    "HUBS",
    "MASK",
    "SPAN",
    "ImageEncoder",
    "ImageNetwork",
    "Layer",
    "ReadableModel",
    "Sentence",
    "ShortSide",
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
    "write_trained",
]
