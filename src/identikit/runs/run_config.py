"""A study's run from Python, by its config alone."""

from pathlib import Path
from typing import Any

from identikit.runs.config import StudyConfig
from identikit.runs.lookup import study_for
from identikit.runs.store import DEFAULT_ROOT, clear_locks
from identikit.runs.study import Done, Tell, quiet, run_study


def run(
    config: StudyConfig,
    *,
    root: str | Path = DEFAULT_ROOT,
    on_progress: Tell = quiet,
    restart: bool = False,
) -> Done[Any]:
    """The finished run of a config, made now unless it is found: what the command line does.

    Args:
        config: Decides every number, and which study it is.
        root: Folder of all runs.
        on_progress: Told how it stands, by the study's own kind of progress.
        restart: Throw away what was left of it when it was stopped, checkpoints above all.

    Raises:
        InputError: the config of no study, or files that it names and that cannot be used.
    """
    study, config = study_for(config), config.with_digest()
    clear_locks(Path(root))
    return run_study(study, config, root=Path(root), tell=on_progress, wait=True, restart=restart)
