"""COIL-20: x = photograph of object o at azimuth a, 20 objects x 72 azimuths, 5 degrees apart.

Source: Nene, Nayar, Murase, *Columbia Object Image Library (COIL-20)*, CUCS-005-96, 1996,
reduced to 32 x 32 grey pixels. The file stays with its owner and is read from a path: a
MATLAB file with `X` (1440 x 1024 uint8, each row an image in column-major order) and `Y`
(1440 x 1, object 1..20), ordered by object, then by azimuth.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factor, Factors, Kind
from identikit.worlds.constants import AZIMUTHS, OBJECTS, SIDE, STEP_DEG
from identikit.worlds.matlab import read_variables

_LARGEST_FILE = 64 * 2**20  # bytes; the set itself is a megabyte
_WANTED = "the COIL-20 file with X (1440 x 1024 uint8) and Y (1440 x 1, objects 1..20)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coil20:
    """All 1,440 photographs with their two factors; row = 72 object + azimuth index."""

    images: Float[Tensor, "1440 32 32"]
    """Grey values from 0 (black) to 1."""
    object: Int[Tensor, " 1440"]
    """0..19."""
    azimuth_deg: Float[Tensor, " 1440"]
    """5..360 in steps of 5, each object from its own front; float64."""

    def circle(self) -> Float[Tensor, "1440 2"]:
        """The azimuth as a linear probe sees it: its cosine and sine, float64."""
        angle = self.azimuth_deg.deg2rad()
        return torch.stack([angle.cos(), angle.sin()], dim=1)

    def factors(self) -> Factors:
        """Object (categorical) and azimuth (circular, degrees)."""
        return Factors(
            [
                Factor(name="object", kind=Kind.CATEGORICAL, values=self.object),
                Factor(name="azimuth", kind=Kind.CIRCULAR, values=self.azimuth_deg, period=360.0),
            ]
        )


def load_coil20(path: Path) -> Coil20:
    """Read the photographs from a MATLAB file; nothing in it is executed.

    Raises:
        InputError: a file that is missing, damaged, of another kind, or not COIL-20 as
            described above.
    """
    variables = _read(path)
    pixels, labels = variables["X"], variables["Y"]
    n = OBJECTS * AZIMUTHS
    if pixels.shape != (n, SIDE**2) or pixels.dtype != np.uint8:
        raise InputError(
            f"X in {path} has shape {pixels.shape} and type {pixels.dtype}. Give {_WANTED}."
        )
    order = np.arange(n) // AZIMUTHS
    if labels.size != n or not np.array_equal(labels.ravel(), order + 1):
        raise InputError(
            f"Y in {path} (shape {labels.shape}) does not count 72 images of each object, "
            "1 to 20, in order; without that order the azimuths are not known. "
            f"Give {_WANTED}."
        )
    images = torch.from_numpy(pixels).reshape(n, SIDE, SIDE).transpose(1, 2).contiguous()
    return Coil20(
        images=images.float() / 255,
        object=torch.from_numpy(order),
        azimuth_deg=(torch.arange(n) % AZIMUTHS + 1).double() * STEP_DEG,
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """X and Y as they stand in the file, or why it cannot be read."""
    if not path.is_file():
        raise InputError(f"{path} is not a file. Give the path of {_WANTED}.")
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise InputError(f"{path} is {size:,} bytes, far more than COIL-20. Give {_WANTED}.")
    try:
        return read_variables(path.read_bytes(), ("X", "Y"), most=_LARGEST_FILE)
    except NotImplementedError as error:
        raise InputError(
            f"{path} is a MATLAB 7.3 file (HDF5), which is not read. Save it with -v7, or "
            f"give {_WANTED}."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Give {_WANTED}.") from error
    except ValueError as error:
        raise InputError(f"{path} ({size:,} bytes): {error}. Give {_WANTED}.") from error
