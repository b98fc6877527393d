"""How a comparison is made, saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.compare.config import CompareConfig
from identikit.studies.compare.page import compare_page
from identikit.studies.compare.result import CompareResult
from identikit.studies.compare.run import compare_files


def _compute(config: CompareConfig, context: Context) -> tuple[CompareResult, Arrays]:
    return CompareResult.of(compare_files(config)), {}


COMPARE = Study(name="compare", result=CompareResult, compute=_compute, page=compare_page)
"""`identikit compare`."""
