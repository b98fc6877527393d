"""How a COIL-20 run is made, saved and drawn."""

from identikit.runs.store import Draft
from identikit.runs.study import Outcome, Study, Watch
from identikit.studies.paper.coil20.config import Coil20Config
from identikit.studies.paper.coil20.page import coil20_page
from identikit.studies.paper.coil20.run import run_coil20


def _compute(config: Coil20Config, draft: Draft, on_progress: Watch | None) -> Outcome:
    result = run_coil20(config, on_progress=on_progress)
    return result.to_dict(), result.arrays()


COIL20: Study[Coil20Config] = Study(
    command="coil20", compute=_compute, page=coil20_page, label=lambda config: ""
)
