"""From a study's name, a config or a saved run to the study, which is imported then."""

from typing import TYPE_CHECKING, Any

from identikit.core.errors import InputError
from identikit.core.lazy import imported
from identikit.runs.registry import ENTRIES, entry_of

if TYPE_CHECKING:
    from identikit.report.page import Page
    from identikit.runs.store import Run
    from identikit.runs.study import Study


def study_of(name: str) -> "Study[Any, Any]":
    """The study of that name, imported now.

    Raises:
        InputError: no such study.
    """
    study: Study[Any, Any] = imported(entry_of(name).study)
    return study


def study_for(config: object) -> "Study[Any, Any]":
    """The study that runs such a config, imported now.

    Raises:
        InputError: the config of no study.
    """
    for entry in ENTRIES:
        module, _, name = entry.config.partition(":")
        kind = type(config)
        if (kind.__module__, kind.__name__) == (f"identikit.{module}", name):
            return study_of(entry.name)
    known = ", ".join(sorted({entry.config.partition(":")[2] for entry in ENTRIES}))
    raise InputError(f"{type(config).__name__} is no study's config. The known ones are {known}.")


def page_of(run: "Run") -> "Page":
    """The page of a saved run.

    Raises:
        InputError: a run of no known study, of another version, or a damaged one.
    """
    return study_of(run.command).page_of(run)
