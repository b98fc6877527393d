"""What a network trained with cross-entropy must recover, did recover, and why they differ."""

from identikit.errors import InputError
from identikit.factors import Factor, Factors, Kind
from identikit.recovery import Recovery, score
from identikit.representation import Representation

__all__ = ["Factor", "Factors", "InputError", "Kind", "Recovery", "Representation", "score"]
