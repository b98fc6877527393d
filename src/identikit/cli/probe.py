"""`identikit probe`: anybody's features."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, perform_and_show
from identikit.studies.probe import PROBE, ProbeConfig


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Ask what is linearly in anybody's features, and which part of it theory covers.

    Example: identikit probe features.npy --factors table.csv --kinds azimuth=circular:360

    Features may be .npy, .npz, Parquet or safetensors, one file, several, or a folder that
    identikit extract made; factors lie in the same files or in a table, joined by --key.
    """

    config: Annotated[ProbeConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Read out, save, print."""
        perform_and_show(PROBE, self.config.with_digest(), self.output)
