"""All studies by the command that makes them."""

from typing import Any

from identikit.errors import unknown_name
from identikit.studies.coil20 import COIL20
from identikit.studies.probe import PROBE
from identikit.studies.simulation import DEMO, SIMULATE
from identikit.studies.study import Study

__all__ = ["COIL20", "DEMO", "PROBE", "SIMULATE", "study_of"]

STUDIES: dict[str, Study[Any]] = {study.command: study for study in (SIMULATE, PROBE, COIL20)}


def study_of(command: str) -> Study[Any]:
    """The study whose command made a run.

    Raises:
        InputError: no such study.
    """
    if command not in STUDIES:
        raise unknown_name("command of a run", command, STUDIES)
    return STUDIES[command]
