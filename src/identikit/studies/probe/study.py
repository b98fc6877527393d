"""How features are probed, and the probe saved and drawn."""

from identikit.runs.study import Arrays, Context, Study
from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.page import probe_page
from identikit.studies.probe.result import ProbeStudyResult
from identikit.studies.probe.run import probe


def _compute(config: ProbeConfig, context: Context) -> tuple[ProbeStudyResult, Arrays]:
    return probe(config), {}


PROBE = Study(name="probe", result=ProbeStudyResult, compute=_compute, page=probe_page)
"""`identikit probe`."""
