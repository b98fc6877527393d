"""Every sweep, one file each; a new file is found by itself."""

import pkgutil
from functools import cache
from importlib import import_module

from identikit.core.errors import unknown_name
from identikit.studies.sweeps.sweep import Sweep


@cache
def sweeps() -> dict[str, Sweep]:
    """All sweeps by name."""
    modules = [import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return {module.SWEEP.name: module.SWEEP for module in modules if hasattr(module, "SWEEP")}


def sweep_named(name: str) -> Sweep:
    """The sweep of that name.

    Raises:
        InputError: no such sweep.
    """
    if name not in sweeps():
        raise unknown_name("study", name, sweeps())
    return sweeps()[name]
