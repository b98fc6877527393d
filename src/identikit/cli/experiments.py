"""The experiments on images: `identikit reproduce NAME`, each with options of its own."""

from typing import Any

from identikit.cli.dislib import DisLib
from identikit.cli.imagenet_x import ReproduceImageNetX

EXPERIMENTS: dict[str, type[Any]] = {"dislib": DisLib, "imagenet-x": ReproduceImageNetX}
"""By name; the first line of the docstring says what is asked."""
