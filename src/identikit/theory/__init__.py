"""What must come out: `theory.ceiling(world)`, for one."""

from typing import TYPE_CHECKING

from identikit.core.lazy import first_used

if TYPE_CHECKING:
    from identikit.theory.recovery_ceiling import Ceiling, ceiling
else:
    __getattr__, __dir__ = first_used(
        __name__, {"Ceiling": "recovery_ceiling", "ceiling": "recovery_ceiling"}
    )

__all__ = ["Ceiling", "ceiling"]
