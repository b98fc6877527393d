"""DisLib: classifiers of one factor of an image grid, and what is linearly in them of the others.

Section 4.2 and Table 4 of arXiv:2410.21869, by its protocol and by ours side by side.
"""

from typing import Any

from identikit.runs.study import Study
from identikit.studies.paper.dislib.cell import compute
from identikit.studies.paper.dislib.config import CELL, DISLIB, CellConfig, DisLibConfig
from identikit.studies.paper.dislib.page import cell_page, dislib_page

__all__ = ["DISLIB", "DISLIB_CELL", "CellConfig", "DisLibConfig", "dislib_page"]


def _label(config: CellConfig) -> str:
    return f"{config.world}-{config.encoder}-{config.task}-r{config.repetition}"


DISLIB_CELL: Study[Any] = Study(command=CELL, compute=compute, page=cell_page, label=_label)
"""One cell of the table."""
