"""`identikit coil20`: photographs of 20 objects."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, perform_and_show
from identikit.studies.paper.coil20 import COIL20, Coil20Config


@dataclass(frozen=True, kw_only=True)
class Coil20:
    """Train on photographs of 20 objects and ask what is known of object and azimuth.

    Example: identikit coil20 --data coil20.mat
    """

    config: Annotated[Coil20Config, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Train, read out, save, print."""
        perform_and_show(COIL20, self.config.with_digest(), self.output)
