"""How a COIL-20 run is made, saved and drawn."""

import shutil

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.paper.coil20.config import Coil20Config
from identikit.studies.paper.coil20.page import coil20_page
from identikit.studies.paper.coil20.result import Coil20Result
from identikit.studies.paper.coil20.run import run_coil20


def _compute(config: Coil20Config, context: Context) -> tuple[Coil20Result, Arrays]:
    checkpoint = context.draft.checkpoint
    measured = run_coil20(config, on_progress=context.tell, checkpoint=checkpoint)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return measured.result(), measured.arrays()


COIL20 = Study(name="reproduce coil20", result=Coil20Result, compute=_compute, page=coil20_page)
"""`identikit reproduce coil20`."""
