"""How the grid is computed and drawn, as a kind of run."""

import json
import shutil
import time

from identikit.core.files import write_json
from identikit.core.serialization import from_plain, to_plain
from identikit.runs.study import Arrays, Context, Study
from identikit.runs.table import TableProgress
from identikit.studies.scores.config import ScoresConfig
from identikit.studies.scores.measure import Cell, measured, settings
from identikit.studies.scores.page import scores_page
from identikit.studies.scores.result import ScoresResult


def _compute(config: ScoresConfig, context: Context) -> tuple[ScoresResult, Arrays]:
    """Constructions one after the other; what was made before an end is read again."""
    kept = context.draft.checkpoint / "cells.json"
    kept.parent.mkdir(exist_ok=True)
    known = json.loads(kept.read_text()) if kept.exists() else []
    cells = [from_plain(Cell, plain, writer="identikit reproduce scores") for plain in known]
    wanted = [
        (setting, seed)
        for seed in range(config.first_seed, config.first_seed + config.seeds)
        for setting in settings(config)
    ]
    started, before = time.monotonic(), len(cells)
    for setting, seed in wanted[before:]:
        cells.append(measured(setting, seed))
        write_json(kept, [to_plain(cell) for cell in cells])
        each = (time.monotonic() - started) / (len(cells) - before)
        context.tell(
            TableProgress(
                done=len(cells),
                total=len(wanted),
                seconds_left=each * (len(wanted) - len(cells)),
                words=f"{setting.structure}, {setting.encoder}",
            )
        )
    shutil.rmtree(kept.parent)
    return ScoresResult(cells=tuple(cells)), {}


SCORES = Study(name="reproduce scores", result=ScoresResult, compute=_compute, page=scores_page)
"""`identikit reproduce scores`."""
