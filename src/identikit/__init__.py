"""What a network trained with cross-entropy must recover, did recover, and why they differ."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from identikit.core.errors import InputError
    from identikit.core.factors import Factor, Factors, Kind
    from identikit.core.representation import Representation
    from identikit.features.load import load_features
    from identikit.probing.recovery import Recovery
    from identikit.probing.score import score
    from identikit.similarity.compare import compare
    from identikit.similarity.comparison import Comparison

_HOMES = {
    "Comparison": "similarity.comparison",
    "Factor": "core.factors",
    "Factors": "core.factors",
    "InputError": "core.errors",
    "Kind": "core.factors",
    "Recovery": "probing.recovery",
    "Representation": "core.representation",
    "compare": "similarity.compare",
    "load_features": "features.load",
    "score": "probing.score",
}
"""Where each public name lives; it is imported when first used."""

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'identikit' has no attribute {name!r}")
    return getattr(import_module(f"identikit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
