"""The genealogy and its cells, as kinds of runs."""

from identikit.runs.study import Study
from identikit.studies.genealogy import cell, table
from identikit.studies.genealogy.config import CELL
from identikit.studies.genealogy.page import cell_page, genealogy_page
from identikit.studies.genealogy.result import CellResult, GenealogyResult

GENEALOGY = Study(
    name="reproduce genealogy", result=GenealogyResult, compute=table.compute, page=genealogy_page
)
"""The matrix."""
GENEALOGY_CELL = Study(name=CELL, result=CellResult, compute=cell.compute, page=cell_page)
"""One cell of it."""
