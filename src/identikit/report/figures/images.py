"""Images: photographs with captions."""

from collections.abc import Sequence
from io import BytesIO

import matplotlib.image
import numpy as np
from jaxtyping import Shaped

from identikit.report.style import (
    Figure,
    Picture,
    canvas,
    data_address,
    verbatim,
)


def image_grid(images: Shaped[np.ndarray, "n h w *rgb"], *, captions: Sequence[str]) -> Figure:
    """Photographs with captions.

    Args:
        images: grey (n, h, w) or colour (n, h, w, 3); integers in 0..255 or floats in 0..1.
        captions: one per image.
    """
    pixels = images if images.dtype == np.uint8 else (images.clip(0, 1) * 255).astype(np.uint8)
    pictures = tuple(
        Picture(source=data_address(_png(p), "image/png"), caption=c)
        for p, c in zip(pixels, captions, strict=True)
    )
    across = min(len(pictures), 6)
    down = -(-len(pictures) // across)
    with canvas(width=6.4, height=1.25 * down) as figure:
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        for panel, image, caption in zip(panels, pixels, captions, strict=False):
            panel.imshow(image, cmap="gray", vmin=0, vmax=255)
            panel.set_title(verbatim(caption), fontsize=7, loc="center")
    return Figure(
        name="images",
        title="Samples",
        caption="",
        alt=f"{len(pictures)} photographs.",
        static=figure,
        pictures=pictures,
    )


def picture(image: Shaped[np.ndarray, "h w 3"], *, caption: str) -> Picture:
    """A photograph as JPEG, for many small ones."""
    return Picture(source=data_address(_encoded(image, "jpeg"), "image/jpeg"), caption=caption)


def _png(image: Shaped[np.ndarray, "h w *rgb"]) -> bytes:
    return _encoded(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2), "png")


def _encoded(image: Shaped[np.ndarray, "h w 3"], file_format: str) -> bytes:
    buffer = BytesIO()
    matplotlib.image.imsave(buffer, image, format=file_format)
    return buffer.getvalue()
