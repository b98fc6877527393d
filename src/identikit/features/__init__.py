"""Features and factors from what users have: arrays, frames and files."""

from identikit.features.inputs import as_factors, as_features
from identikit.features.load import Loaded, load_features, load_npz

__all__ = ["Loaded", "as_factors", "as_features", "load_features", "load_npz"]
