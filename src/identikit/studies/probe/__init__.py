"""`identikit probe`: what is linearly in anybody's features, and how sure that is."""

from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.run import PROBE, probe

__all__ = ["PROBE", "ProbeConfig", "probe"]
