"""All studies by the command that makes them, and the pages of all saved runs."""

from collections.abc import Callable
from typing import Any

from identikit.errors import unknown_name
from identikit.report.page import Page
from identikit.studies.coil20 import COIL20
from identikit.studies.compare import COMPARE
from identikit.studies.dislib import DISLIB, DISLIB_CELL, dislib_page
from identikit.studies.imagenet_x import IMAGENET_X
from identikit.studies.probe import PROBE
from identikit.studies.simulation import DEMO, SIMULATE
from identikit.studies.store import Run
from identikit.studies.study import Study
from identikit.studies.sweeps.page import sweep_page

__all__ = ["COIL20", "COMPARE", "DEMO", "PROBE", "SIMULATE", "page_of", "study_of"]

STUDIES: dict[str, Study[Any]] = {
    study.command: study for study in (SIMULATE, PROBE, COMPARE, COIL20, DISLIB_CELL, IMAGENET_X)
}

PAGES: dict[str, Callable[[Run], Page]] = {
    **{command: study.page for command, study in STUDIES.items()},
    "reproduce": sweep_page,
    DISLIB: dislib_page,
}


def page_of(run: Run) -> Page:
    """The page of a saved run.

    Raises:
        InputError: a run of no known command.
    """
    if run.command not in PAGES:
        raise unknown_name("command of a run", run.command, PAGES)
    return PAGES[run.command](run)


def study_of(command: str) -> Study[Any]:
    """The study whose command made a run.

    Raises:
        InputError: no such study.
    """
    if command not in STUDIES:
        raise unknown_name("command of a run", command, STUDIES)
    return STUDIES[command]
