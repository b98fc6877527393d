"""The table and its trainings on photographs, as kinds of runs."""

from identikit.runs.study import Study
from identikit.studies.diet_pixels import cell, table
from identikit.studies.diet_pixels.config import CELL
from identikit.studies.diet_pixels.page import diet_pixels_page, photographs_page
from identikit.studies.diet_pixels.result import DietPixelsResult, PhotographsResult

DIET_PIXELS = Study(
    name="reproduce diet-pixels",
    result=DietPixelsResult,
    compute=table.compute,
    page=diet_pixels_page,
)
"""The table."""
DIET_PIXELS_CELL = Study(
    name=CELL, result=PhotographsResult, compute=cell.compute, page=photographs_page
)
"""One training on photographs."""
