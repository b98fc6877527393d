"""What a network trained with cross-entropy must recover, did recover, and why they differ."""

from identikit.errors import InputError
from identikit.factors import Factor, Factors, Kind
from identikit.features import load_features
from identikit.recovery import Comparison, Recovery, compare, score
from identikit.representation import Representation

__all__ = [
    "Comparison",
    "Factor",
    "Factors",
    "InputError",
    "Kind",
    "Recovery",
    "Representation",
    "compare",
    "load_features",
    "score",
]
