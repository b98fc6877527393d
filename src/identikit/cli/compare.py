"""`identikit compare`: two models, no annotations."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, perform_and_show
from identikit.studies.compare import COMPARE, CompareConfig


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Ask how alike two models are on the same samples, and on which part they must be.

    Example: identikit compare one.npz other.npz
    """

    config: Annotated[CompareConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Compare, save, print."""
        perform_and_show(COMPARE, self.config.with_digest(), self.output)
