"""From the pixels of an image file to 8-bit RGB, upright, as people see it.

16-bit pixels are divided by 257, the one scale on which black stays black, white stays white and an
image of few values stays dark; Pillow's own conversion would clip them at 255. 32-bit and floating
pixels have no white of their own and are refused. Transparency is left out, and of several frames
all but the first.
"""

from typing import Any

import numpy as np

from identikit.core.errors import InputError, optional_module

_TO_8_BITS = 257
"""65,535 / 255."""


def to_rgb(image: Any) -> Any:
    """A PIL image in RGB, turned as its EXIF orientation says.

    Raises:
        InputError: pixels without a range that could be brought to 8 bits.
    """
    operations = optional_module("PIL.ImageOps", what="reading of images", extra="vision")
    upright = operations.exif_transpose(image)
    sixteen = upright.mode.startswith("I;16")
    if upright.mode == "I" and image.format in ("PNG", "PPM"):  # which have 16 bits at most
        sixteen = True
    if sixteen:
        values = np.asarray(upright).astype(np.int64)
        pillow = optional_module("PIL.Image", what="reading of images", extra="vision")
        upright = pillow.fromarray(((values + _TO_8_BITS // 2) // _TO_8_BITS).astype(np.uint8))
    elif upright.mode in ("I", "F"):
        kind = "floating" if upright.mode == "F" else "32-bit"
        raise InputError(
            f"its {kind} pixels have no range of their own, so what is white in it is not known; "
            "convert it to 8 or 16 bits"
        )
    return upright.convert("RGB")
