"""How a comparison is made, saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.compare.config import CompareConfig, CompareLayersConfig
from identikit.studies.compare.layers_page import compare_layers_page
from identikit.studies.compare.page import compare_page
from identikit.studies.compare.result import CompareResult, LayersCompareResult
from identikit.studies.compare.run import compare_files, compare_layer_folders


def _compute(config: CompareConfig, context: Context) -> tuple[CompareResult, Arrays]:
    return CompareResult.of(compare_files(config)), {}


def _compute_layers(
    config: CompareLayersConfig, context: Context
) -> tuple[LayersCompareResult, Arrays]:
    return LayersCompareResult(comparison=compare_layer_folders(config)), {}


COMPARE = Study(name="compare", result=CompareResult, compute=_compute, page=compare_page)
"""`identikit compare`."""
COMPARE_LAYERS = Study(
    name="compare --layers",
    result=LayersCompareResult,
    compute=_compute_layers,
    page=compare_layers_page,
)
"""`identikit compare` of several layers."""
