"""Superposition and its cells, as kinds of runs."""

from identikit.runs.study import Study
from identikit.studies.superposition import cell, table
from identikit.studies.superposition.config import CELL
from identikit.studies.superposition.page import cell_page, superposition_page
from identikit.studies.superposition.result import CellResult, SuperpositionResult

SUPERPOSITION = Study(
    name="reproduce superposition",
    result=SuperpositionResult,
    compute=table.compute,
    page=superposition_page,
)
"""The table."""
SUPERPOSITION_CELL = Study(name=CELL, result=CellResult, compute=cell.compute, page=cell_page)
"""One cell of it."""
