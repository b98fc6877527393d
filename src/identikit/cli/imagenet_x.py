"""`identikit reproduce imagenet-x`: networks of photographs, and what people saw vary in those."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from identikit.cli.options import Output, perform_and_show
from identikit.studies.paper.imagenet_x import IMAGENET_X, ImageNetXConfig


@dataclass(frozen=True, kw_only=True)
class ReproduceImageNetX:
    """Taught ImageNet's classes, what do networks know of how its images vary? (Figure 3).

    Example: identikit reproduce imagenet-x --images imagenet/val

    The images are yours to bring; the annotations come with the package imagenet-x, for
    non-commercial use. Features are kept, and what was read out is found: a run that was stopped
    or killed goes on when the same command is given again.
    """

    config: Annotated[ImageNetXConfig, tyro.conf.arg(name="")]
    output: Annotated[Output, tyro.conf.arg(name="")] = field(default_factory=Output)

    def run(self) -> None:
        """Encode, read out, save, print."""
        perform_and_show(IMAGENET_X, self.config.with_digest(), self.output)
