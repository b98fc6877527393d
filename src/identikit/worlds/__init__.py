"""Where observations with known factors come from: `worlds.VonMises(dim=5)`, for one."""

from typing import TYPE_CHECKING

from identikit.core.lazy import first_used

if TYPE_CHECKING:
    from identikit.worlds.named import (
        Gaussian,
        GeneralizedNormal,
        Laplace,
        Normal,
        TruncatedLaplace,
        VonMises,
    )
    from identikit.worlds.world import ClusterWorld, WorldSample
else:
    __getattr__, __dir__ = first_used(
        __name__,
        {
            "ClusterWorld": "world",
            "Gaussian": "named",
            "GeneralizedNormal": "named",
            "Laplace": "named",
            "Normal": "named",
            "TruncatedLaplace": "named",
            "VonMises": "named",
            "WorldSample": "world",
        },
    )

__all__ = [
    "ClusterWorld",
    "Gaussian",
    "GeneralizedNormal",
    "Laplace",
    "Normal",
    "TruncatedLaplace",
    "VonMises",
    "WorldSample",
]
