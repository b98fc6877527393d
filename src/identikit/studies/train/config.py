"""The options of `identikit train`.

Where the authors of DIET say what they use (arXiv:2302.10260 and their notebook), that is the
default: AdamW at 1e-3 with weight decay 0.05, label smoothing 0.8, batches of 256, a cosine
schedule and augmentation of their third strength.
"""

import hashlib
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from identikit.core.choice import Choice, Range, by_name, check_ranges, described
from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.runs.config import StudyConfig
from identikit.runs.options import chosen_device, named_values, require_device
from identikit.training.config import TrainingConfig

OBJECTIVES = by_name(
    Choice("diet", "every image is a label of its own (DIET)", "objectives.head:SoftmaxHead"),
    Choice("supervised", "labels are classes", "objectives.head:SoftmaxHead"),
    Choice(
        "infonce",
        "two views of an image against those of others",
        "objectives.info_nce:InfoNCE",
        {"temperature": "temperature"},
    ),
)
AUGMENTATIONS = by_name(
    Choice("none", "images as they are", "worlds.augmentations:none"),
    Choice("crop-flip", "random resized crops and mirror images", "worlds.augmentations:crop_flip"),
    Choice(
        "strong",
        "these, jittered colours, grey, blur and erased rectangles, as the authors of DIET do",
        "worlds.augmentations:strong",
    ),
)
if TYPE_CHECKING:
    ObjectiveName: TypeAlias = str
else:
    ObjectiveName = Literal[tuple(OBJECTIVES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(StudyConfig):
    """Which images, which network, which objective, and for how long.

    Raises:
        InputError: a value outside its range, or options that exclude each other.
    """

    images: Path | None = None
    """Folder of images; subfolders are searched too."""
    data: str | None = None
    """Other images instead: module:function of your own, which returns a torch Dataset of images
    (or of tuples that begin with them and go on with a class), with one text per item in its
    attribute keys, if it has one."""
    world: str | None = None
    """An image grid instead, whose factors are known: sprites or rooms, which are rendered, or a
    set on disk (`identikit data list`)."""
    file: Path | None = None
    """The original file of that set, or its folder, if `identikit data fetch` did not get it."""
    limit: Annotated[int | None, Range(2)] = None
    """Images at most, drawn at random."""
    objective: Annotated[ObjectiveName, described("What is taught", OBJECTIVES)] = "diet"
    """What the encoder is taught."""
    model: str = "conv"
    """conv, a small convolutional network; timm:NAME, torchvision:NAME or module:function, with
    random weights and without its classifier."""
    dim: Annotated[int, Range(1)] = 128
    """Dimensions of h of conv; other models have their own."""
    size: Annotated[int | None, Range(8)] = None
    """Pixels a side: the short side is resized to them, and the middle cut out. By default 64, or
    what a grid or data set has."""
    augment: Annotated[str, described("What a step sees of an image", AUGMENTATIONS)] = "strong"
    """Or module:function of your own, which is given the size and returns a function from pixels
    (c, size, size), uint8, to pixels."""
    factors: Path | None = None
    """A table of factors (CSV, Parquet, .npz) with a column of keys, which are paths relative to
    the images' folder, or the data set's: only these images are trained on, and what is linearly
    known of their factors is said at the end, and live."""
    key: str = "key"
    """That column."""
    classes: str | None = None
    """The column of classes for supervised, by default the folder that an image lies in, or the
    data set's own class."""
    only: tuple[str, ...] = ()
    """Factors to read out; all if not given."""
    kinds: tuple[str, ...] = ()
    """Kinds where inference guesses wrong, as NAME=KIND: azimuth=circular:360."""
    groups: str | None = None
    """Column whose images are held out together when factors are read out, such as the object."""
    hold_out: str | None = None
    """Column such as the object: the images of a quarter of its values are not trained on, and
    factors are read out by maps that were fitted on the others and are scored on these."""
    label_smoothing: Annotated[float | None, Range(0, 0.999)] = None
    """Share of the target that all labels have in common, by default 0.8 for diet and none for
    supervised."""
    negatives: Annotated[int | None, Range(1)] = None
    """Labels drawn at random that join a batch's own in its softmax, where all labels would be too
    many; label smoothing is then left out."""
    temperature: float = 0.1
    """Of infonce, at the start; it is learned."""
    epochs: Annotated[int, Range(1)] = 100
    """Times that each image is seen."""
    steps: Annotated[int | None, Range(1)] = None
    """Steps, in place of epochs."""
    seconds: float | None = None
    """Seconds at most; the schedule then ends with them."""
    batch_size: Annotated[int, Range(2)] = 256
    """Images per step."""
    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    """muon: Muon for square matrices, as transformers have them, AdamW for all else."""
    rate: float = 1e-3
    """Rate at the top of the schedule (of muon for all but its matrices)."""
    head_rate: float | None = None
    """Rate of the head; by default the same."""
    muon_rate: float = 2e-2
    """Rate of Muon's own matrices."""
    weight_decay: Annotated[float, Range(0)] = 0.05
    """Of all weights but Muon's."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the rates fall after the warm-up."""
    warmup: float = 0.05
    """Share of the budget over which the rates rise."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the encoder's products; weights, head and loss stay in float32."""
    channels_last: bool = False
    """Images in the memory layout that many convolutions are faster in."""
    compile: bool = False
    """Compile the encoder (torch.compile), which takes a minute and pays in long runs."""
    skip_corrupt: bool = False
    """Go on without images that cannot be read, and list them, instead of stopping."""
    follow_links: bool = False
    """Also go where links lead that leave the folder, instead of stopping at one."""
    seed: int = 0
    """Names every random stream: weights, order, augmentations."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda where there is a device."""
    deterministic: bool = False
    """Only kernels that give the same bits every time; on a CPU all do."""
    threads: Annotated[int, Range(1)] = 1
    """Processor threads; part of what the bits of a run depend on."""
    workers: Annotated[int, Range(0)] = 0
    """Processes that decode and augment images ahead; 0 does it between the steps."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of the images' names and sizes and of the table, so that changed ones are another run; filled
    in by `with_digest`."""

    def __post_init__(self) -> None:
        check_ranges(self)
        given = {"images": self.images, "data": self.data, "world": self.world}
        named = [f"--{name}" for name, value in given.items() if value is not None]
        if len(named) != 1:
            raise InputError(
                "give --images FOLDER, --data module:function or --world NAME; got "
                f"{' and '.join(named) or 'none of them'}."
            )
        if self.augment not in AUGMENTATIONS and ":" not in self.augment:
            raise InputError(
                f"augment must be {', '.join(AUGMENTATIONS)} or module:function of your own; got "
                f"{self.augment!r}."
            )
        if self.world is None and self.file is not None:
            raise InputError("--file is that of a --world; give --world NAME too, or leave it out.")
        if self.world is not None and self.factors is not None:
            raise InputError("a --world knows its factors; leave --factors out.")
        if self.factors is None and self.world is None:
            for name in ("classes", "groups", "hold_out"):
                if getattr(self, name) is not None:
                    option = name.replace("_", "-")
                    raise InputError(f"--{option} is a column of --factors TABLE; give that too.")
        if self.objective != "supervised" and self.classes is not None:
            raise InputError(f"--classes is for --objective supervised; got {self.objective}.")
        if self.objective == "infonce" and (self.batch_size % 2 or self.batch_size < 4):
            raise InputError(
                "infonce takes two views of each image, so that batch_size must be even and at "
                f"least 4; got {self.batch_size}."
            )
        softmax = self.objective != "infonce"
        if not softmax and (self.label_smoothing or self.negatives):
            raise InputError("label_smoothing and negatives are of a head, which infonce has not.")
        if self.negatives is not None and self.label_smoothing:
            raise InputError(
                "label_smoothing is a share of all labels, and negatives leaves most of them out; "
                "give one of them."
            )
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"seconds must be positive; got {self.seconds}.")
        require_device(self.device)

    @property
    def label(self) -> str:
        """Objective, images, model and seed."""
        place = self.world or self.data or (self.images or Path()).resolve().name
        words = re.findall(r"[\w.]+", f"{self.objective} {place} {self.model} s{self.seed}")
        return "-".join(words)

    def smoothing(self) -> float:
        """Label smoothing as it is used."""
        if self.label_smoothing is not None or self.negatives is not None:
            return self.label_smoothing or 0.0
        return 0.8 if self.objective == "diet" else 0.0

    def training(self, n: int) -> TrainingConfig:
        """How a fit on n images is told all that."""
        steps = self.steps or math.ceil(self.epochs * n * self.views / self.batch_size)
        optimizer: Literal["muon", "adam", "sgd"] = (
            "adam" if self.optimizer == "adamw" else self.optimizer
        )
        return TrainingConfig(
            steps=steps,
            max_seconds=self.seconds,
            batch_size=self.batch_size,
            optimizer=optimizer,
            rate=self.rate,
            head_rate=self.rate if self.head_rate is None else self.head_rate,
            muon_rate=self.muon_rate,
            muon_momentum=0.95,
            second_moment=0.999,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            warmup=self.warmup,
        )

    @property
    def views(self) -> int:
        """Rows of a batch that show one image."""
        return 2 if self.objective == "infonce" else 1

    def on(self) -> str:
        """The device: cpu or cuda."""
        return chosen_device(self.device)

    def with_digest(self) -> "TrainConfig":
        """The same config with the digest of the names and sizes of the images, and of the table.

        Raises:
            InputError: a folder or file that cannot be read.
        """
        sha = hashlib.sha256()
        if self.images is not None and self.images.is_dir():
            for path in sorted(self.images.rglob("*")):
                if path.is_file():
                    sha.update(f"{path} {path.stat().st_size}\n".encode(errors="replace"))
        if self.factors is not None:
            sha.update(file_digest(self.factors).encode())
        return replace(self, sha256=sha.hexdigest()[:16])

    def kinds_by_name(self) -> dict[str, str]:
        """The kinds as a mapping.

        Raises:
            InputError: an entry that is not NAME=KIND.
        """
        return dict(named_values(self.kinds, "kinds takes NAME=KIND, such as azimuth=circular:360"))
