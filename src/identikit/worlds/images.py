"""One image file as RGB pixels (see `rgb`): the only place where image files are opened.

Pillow is told which formats to try. All are pixels that it decodes by itself; others are not tried,
whatever a file is called: for PostScript Pillow starts Ghostscript, which runs what is in the file.
"""

import warnings
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

from identikit.core.errors import InputError, optional_module
from identikit.core.files import open_regular
from identikit.worlds.rgb import to_rgb

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF", "GIF")
"""As Pillow names them; a file's name does not matter."""
MOST_PIXELS = 2**27
"""Of an image, 384 MiB in RGB: the size is looked at before any pixel is decoded."""


class UnreadableImageError(InputError):
    """A file that is no image of these formats, is damaged, cut short or too large."""


def open_image(path: Path) -> Any:
    """The PIL image in RGB, decoded and upright.

    Raises:
        UnreadableImageError: it cannot be; the message does not name the file.
    """
    try:
        with open_regular(path) as file:
            return read_image(file)
    except (OSError, InputError) as error:
        raise UnreadableImageError(str(error)) from None


def read_image(file: IO[bytes] | BufferedIOBase) -> Any:
    """The same of an open file.

    Raises:
        UnreadableImageError: it cannot be decoded.
    """
    images = pillow()
    try:
        with warnings.catch_warnings():
            # half of what Pillow refuses; the limit here is our own
            warnings.simplefilter("ignore", images.DecompressionBombWarning)
            with images.open(file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise UnreadableImageError(_too_large(width, height))
                return to_rgb(image)
    except images.UnidentifiedImageError:
        formats = ", ".join(FORMATS)
        raise UnreadableImageError(f"it is no image of these formats: {formats}") from None
    except InputError as error:
        raise UnreadableImageError(str(error)) from None
    except Exception as error:  # its parsers raise whatever they stumble over
        raise UnreadableImageError(str(error) or type(error).__name__) from error


def _too_large(width: int, height: int) -> str:
    return (
        f"it has {width:,} x {height:,} pixels and may be a decompression bomb; at most "
        f"{MOST_PIXELS:,} are decoded"
    )


def pillow() -> Any:
    """Pillow's module of images.

    Raises:
        InputError: it is not installed.
    """
    return optional_module("PIL.Image", what="reading of images", extra="vision")
