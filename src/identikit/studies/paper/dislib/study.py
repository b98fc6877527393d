"""The table of DisLib and its cells, as kinds of runs."""

from identikit.runs.study import Study
from identikit.studies.paper.dislib import cell, table
from identikit.studies.paper.dislib.config import CELL
from identikit.studies.paper.dislib.page import cell_page, dislib_page
from identikit.studies.paper.dislib.result import CellResult, DisLibResult

DISLIB = Study(
    name="reproduce dislib", result=DisLibResult, compute=table.compute, page=dislib_page
)
"""The table."""
DISLIB_CELL = Study(name=CELL, result=CellResult, compute=cell.compute, page=cell_page)
"""One cell of it."""
