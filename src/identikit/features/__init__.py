"""Features and factors from what users have: arrays, frames and files."""

from identikit.features.inputs import as_factors, as_features
from identikit.features.npz import load_npz

__all__ = ["as_factors", "as_features", "load_npz"]
