"""What several tests of sweeps compare with."""

from pathlib import Path

import pytest
from tests.runs.jobs import LONG, SHORT

from identikit.runs.study import run_study
from identikit.studies.simulation.study import SIMULATE


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the runs that a sweep makes if nothing happens to it."""
    root = tmp_path_factory.mktemp("undisturbed")
    for job in (LONG, SHORT):
        run_study(SIMULATE, job.config, root=root)
    return root
