"""How vectors are asked for analogies, and the answers saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.analogies.config import AnalogiesConfig
from identikit.studies.analogies.page import analogies_page
from identikit.studies.analogies.result import AnalogiesResult
from identikit.studies.analogies.run import ask


def _compute(config: AnalogiesConfig, context: Context) -> tuple[AnalogiesResult, Arrays]:
    return AnalogiesResult(analogies=ask(config)), {}


ANALOGIES = Study(name="analogies", result=AnalogiesResult, compute=_compute, page=analogies_page)
"""`identikit analogies`."""
