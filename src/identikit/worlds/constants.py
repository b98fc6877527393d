"""What options must know of data sets before a library is imported that reads them."""

from typing import Literal

OBJECTS = 20
"""Of COIL-20."""
AZIMUTHS = 72
"""Of each of its objects."""
STEP_DEG = 360 // AZIMUTHS
SIDE = 32
"""Pixels along each side of its images, as they are read here."""

Annotation = Literal["multi", "top"]
"""Which answers of ImageNet-X: every factor that people named, or the one that stood out most."""
