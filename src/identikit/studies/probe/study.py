"""How features are probed, and the probe saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.probe.config import ProbeConfig, ProbeLayersConfig
from identikit.studies.probe.layers_page import layers_page
from identikit.studies.probe.layers_result import LayersProbeResult
from identikit.studies.probe.layers_run import probe_layers
from identikit.studies.probe.page import probe_page
from identikit.studies.probe.result import ProbeStudyResult
from identikit.studies.probe.run import probe


def _compute(config: ProbeConfig, context: Context) -> tuple[ProbeStudyResult, Arrays]:
    return probe(config), {}


def _compute_layers(
    config: ProbeLayersConfig, context: Context
) -> tuple[LayersProbeResult, Arrays]:
    return probe_layers(config), {}


PROBE = Study(name="probe", result=ProbeStudyResult, compute=_compute, page=probe_page)
"""`identikit probe`."""
PROBE_LAYERS = Study(
    name="probe --layers", result=LayersProbeResult, compute=_compute_layers, page=layers_page
)
"""`identikit probe` of several layers."""
