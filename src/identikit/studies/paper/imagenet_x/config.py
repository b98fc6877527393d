"""Everything an ImageNet-X run depends on, in one frozen config."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from identikit.core.choice import Range, check_ranges
from identikit.core.errors import InputError
from identikit.runs.config import StudyConfig
from identikit.worlds.constants import Annotation

if TYPE_CHECKING:
    from identikit.worlds.imagenet_images import ValidationImages


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNetXConfig(StudyConfig):
    """Which images and networks, and how factors are read out.

    Raises:
        InputError: a value outside its range, named.
    """

    images: Path
    """Folder of ImageNet's validation images (ILSVRC2012_val_00000001.JPEG and so on, as they
    are or in a folder per class); they do not come with identikit."""
    follow_links: bool = False
    """Also go where links lead that leave that folder, instead of stopping at one."""
    partial: bool = False
    """Go on where annotated images are missing; the page says what share is there."""
    skip_corrupt: bool = False
    """Go on without images that cannot be read, and list them."""
    models: tuple[str, ...] = ("torchvision:resnet50", "torchvision:vit_b_16")
    """Networks, as timm:NAME, torchvision:NAME, hf:NAME or module:function; each trained, where
    not --untrained, and with random weights."""
    checkpoint: tuple[str, ...] = ()
    """Local weights in place of the hub's, as MODEL=FILE: torchvision:resnet50=resnet50.pth."""
    untrained: bool = False
    """Networks with random weights only, which need no download."""
    annotation: Annotation = "multi"
    """multi: all factors that people named; top: only the one that stood out most, as in the
    paper (by which its procedure is shown in any case)."""
    pixels: Annotated[int, Range(1)] = 32
    """Side to which images are shrunk as a control."""
    projection: Annotated[int, Range(1)] = 2048
    """Dimensions of the random projection of these pixels."""
    repetitions: Annotated[int, Range(2)] = 10
    """Splits of the images of each target."""
    test_share: float = 0.3
    """Share of the images of either level that a split holds out."""
    folds: Annotated[int, Range(2)] = 3
    """Parts of a split's training part that choose its penalty."""
    resamples: Annotated[int, Range(100)] = 1000
    """Bootstrap resamples of the images behind each 95 % interval."""
    seed: int = 0
    """Names all random streams: weights, projection, splits, resamples."""
    batch_size: int | None = None
    """Images at a time, by default 128 on a CUDA device and 32 on a CPU."""
    workers: int | None = None
    """Processes that load images, by default by the device and the processor's cores."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto: cuda where there is a device. Probes run on the processor."""
    listing: Annotated[str, tyro.conf.Suppress] = ""
    """Digest of the images' names and sizes, so that another set is another run; filled in by
    `with_digest`."""

    def __post_init__(self) -> None:
        if not self.models or len(set(self.models)) < len(self.models):
            raise InputError(f"models must be one or more different names; got {self.models}.")
        check_ranges(self)
        if not 0 < self.test_share < 1:
            raise InputError(
                f"test_share must lie between 0 and 1, both excluded; got {self.test_share}."
            )
        if self.untrained and self.checkpoint:
            raise InputError("--untrained and --checkpoint contradict each other. Give one.")
        _ = self.checkpoints()

    def checkpoints(self) -> dict[str, Path]:
        """Local weights by model.

        Raises:
            InputError: an entry that is not MODEL=FILE, or of no model of the run.
        """
        found = {}
        for entry in self.checkpoint:
            model, sign, file = entry.partition("=")
            if not (sign and file) or model not in self.models:
                raise InputError(
                    f"--checkpoint takes MODEL=FILE with a model of --models "
                    f"({', '.join(self.models)}); got {entry!r}."
                )
            found[model] = Path(file)
        return found

    @property
    def label(self) -> str:
        """Whether it is of untrained networks."""
        return "untrained" if self.untrained else ""

    def with_digest(self) -> "ImageNetXConfig":
        """The same config with the digest of its images.

        Raises:
            InputError: see `annotated_images`.
        """
        listing = hashlib.sha256()
        for path in self.annotated_images().paths.values():
            listing.update(f"{path.name} {path.stat().st_size}\n".encode())
        return replace(self, listing=listing.hexdigest())

    def annotated_images(self) -> "ValidationImages":
        """The annotated images that are there.

        Raises:
            InputError: a wrong folder, or images that are missing where not `partial`.
        """
        # not above: options are read without the libraries that these bring
        from identikit.worlds.imagenet_images import find_validation_images
        from identikit.worlds.imagenet_x import load_imagenet_x

        wanted = load_imagenet_x(self.annotation).number
        return find_validation_images(
            self.images, wanted, partial=self.partial, follow_links=self.follow_links
        )
