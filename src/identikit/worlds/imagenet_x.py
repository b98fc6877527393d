"""ImageNet-X: 16 factors y_j in {0, 1} that people saw vary in ImageNet's validation images.

Source: Idrissi et al., *ImageNet-X* (ICLR 2023). The annotations come with the package
`imagenet-x` (its files are read and checked, none of its code is imported) under CC BY-NC 4.0:
for non-commercial use. Two versions of the same answers, (n, 16) each:

multi  every factor that annotators named: 1 to 11 an image
top    the one factor that stood out most, so a 0 can mean "there, but another more so"

Images that annotators compared the others with (prototypes) are left out, as the package does.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pyarrow.csv
import pyarrow.json
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from identikit.core.errors import InputError, missing_package
from identikit.core.factors import Factor, Factors, Kind
from identikit.core.files import file_digest
from identikit.worlds.constants import Annotation

LICENCE = "CC BY-NC 4.0"
FACTORS = (
    "pose",
    "background",
    "pattern",
    "color",
    "smaller",
    "shape",
    "partial_view",
    "subcategory",
    "texture",
    "larger",
    "darker",
    "object_blocking",
    "person_blocking",
    "style",
    "brighter",
    "multiple_objects",
)
ANIMALS = 398
"""The classes below are animals (tench to puffer), the others are not (from abacus on)."""
CLASS, ANIMAL = "class", "animal"

_VERSION = "0.0.7"
_PROTOTYPES = "prototypical_paths.csv"
_FILES: dict[str, str] = {
    "imagenet_x_val_multi_factor.jsonl": (
        "85b5a1fd60e627dd26b963530e31eea5906f25465e66e77f7295d726b23281e7"
    ),
    "imagenet_x_val_top_factor.jsonl": (
        "083253dfe7c3491c76c4745d00d2c1c6eb19615f3935cfc80c6b914dcd4bd177"
    ),
    _PROTOTYPES: "3f693c9e056560d9d7bd2242909ae549325e78b763aedb59e5f0c9afdb8a9ea3",
}
"""SHA-256 of what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNetX:
    """Annotated validation images, as they are loaded in the order of their numbers."""

    number: Int[Tensor, " n"]
    """Of the image: 293 is ILSVRC2012_val_00000293.JPEG."""
    object_class: Int[Tensor, " n"]
    """0..999."""
    present: Bool[Tensor, "n 16"]
    """Which factors were named, in the order of `FACTORS`."""

    def __len__(self) -> int:
        return len(self.number)

    def only(self, numbers: Int[Tensor, " m"]) -> "ImageNetX":
        """The images with these numbers."""
        return self.rows(torch.isin(self.number, numbers).nonzero().flatten())

    def rows(self, chosen: Int[Tensor, " m"]) -> "ImageNetX":
        """The images in these rows, in their order."""
        return ImageNetX(
            number=self.number[chosen],
            object_class=self.object_class[chosen],
            present=self.present[chosen],
        )

    def targets(self) -> dict[str, Bool[Tensor, " n"]]:
        """What is to be read out: the paper's 17 targets, and one that means something.

        `class` is the paper's: the class's number is above the mean number. Numbers follow the
        alphabet of WordNet's files, so no property of an image is behind it; `animal` is.
        """
        number = self.object_class.double()
        return {
            CLASS: number > number.mean(),
            **{name: self.present[:, j] for j, name in enumerate(FACTORS)},
            ANIMAL: self.object_class < ANIMALS,
        }

    def factors(self) -> Factors:
        """The targets that vary among these images, as binary factors."""
        return Factors(
            [
                Factor(name=name, kind=Kind.BINARY, values=value.double())
                for name, value in self.targets().items()
                if value.any() and not value.all()
            ]
        )


def load_imagenet_x(annotation: Annotation = "multi") -> ImageNetX:
    """The annotations of the installed package's files.

    Raises:
        InputError: the package is not installed, of another version, or its files are not those
            that were published.
    """
    files = _files()
    columns = ["file_name", "class", *FACTORS]
    table = pyarrow.json.read_json(files[f"imagenet_x_val_{annotation}_factor.jsonl"])
    table = table.select(columns)
    prototypes = pyarrow.csv.read_csv(files[_PROTOTYPES])["file_name"].to_pylist()
    left_out = torch.tensor([number_of(name) for name in prototypes])
    number = torch.tensor([number_of(name) for name in table["file_name"].to_pylist()])
    order = number.argsort()
    order = order[~torch.isin(number[order], left_out)]
    present = torch.stack([torch.from_numpy(table[name].to_numpy()) for name in FACTORS], dim=1)
    object_class = torch.from_numpy(table["class"].to_numpy().copy())
    return ImageNetX(
        number=number[order], object_class=object_class[order], present=present[order] == 1
    )


def number_of(file_name: str) -> int:
    """The number in ILSVRC2012_val_00000293.JPEG."""
    return int(file_name.removeprefix("ILSVRC2012_val_").partition(".")[0])


def file_name_of(number: int) -> str:
    """The name that ImageNet gives to a validation image."""
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def _files() -> dict[str, Path]:
    """Where the package's files lie, once their content is known to be the published one."""
    try:
        package = distribution("imagenet-x")
    except PackageNotFoundError:
        raise missing_package("annotations of ImageNet-X", extra="imagenet-x") from None
    if package.version != _VERSION:
        raise InputError(
            f"imagenet-x {package.version} is installed; the annotations are read from version "
            f'{_VERSION}. Run: pip install "identikit[imagenet-x]"'
        )
    found: dict[str, Path] = {}
    for name, digest in _FILES.items():
        path = Path(str(package.locate_file(f"imagenet_x/annotations/{name}")))
        if not path.is_file() or file_digest(path) != digest:
            raise InputError(
                f"{path} is missing or not as published (its SHA-256 differs). Run: "
                f"pip install --force-reinstall imagenet-x=={_VERSION}"
            )
        found[name] = path
    return found
