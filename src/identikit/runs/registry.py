"""All studies by the command that makes them; each is imported when it is first used."""

from importlib import import_module
from typing import Any

from identikit.core.errors import unknown_name
from identikit.report.page import Page
from identikit.runs.store import Run
from identikit.runs.study import Study

STUDIES = {
    "simulate": "studies.simulation:SIMULATE",
    "probe": "studies.probe:PROBE",
    "compare": "studies.compare:COMPARE",
    "coil20": "studies.paper.coil20:COIL20",
    "dislib-cell": "studies.paper.dislib:DISLIB_CELL",
    "reproduce dislib": "studies.paper.dislib:DISLIB",
    "reproduce imagenet-x": "studies.paper.imagenet_x:IMAGENET_X",
    "reproduce": "studies.sweeps:SWEEP",
}
"""Where each study stands: module and name."""


def page_of(run: Run) -> Page:
    """The page of a saved run.

    Raises:
        InputError: a run of no known command.
    """
    return study_of(run.command).page_of(run)


def study_of(command: str) -> Study[Any, Any]:
    """The study whose command made a run.

    Raises:
        InputError: no such study.
    """
    if command not in STUDIES:
        raise unknown_name("command of a run", command, STUDIES)
    study: Study[Any, Any] = _imported(STUDIES[command])
    return study


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"identikit.{module}"), name)
