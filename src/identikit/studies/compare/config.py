"""What `identikit compare` can be asked for."""

from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import tyro

from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.features.layer_list import layer_folders
from identikit.features.paths import files_of, plain_name
from identikit.runs.config import StudyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig(StudyConfig):
    """Which two sets of features to compare, and how."""

    a: Annotated[Path, tyro.conf.Positional]
    """Features of model A: a file, shards of one, or a folder that `identikit extract` made; with
    `key` where rows have names, and `W` where the head is known. A folder of layers, such as
    `identikit extract --layers` makes, is compared layer by layer."""
    b: Annotated[Path, tyro.conf.Positional]
    """Features of model B on the same samples; rows are matched by their keys where both have
    them, by their order else."""
    head_a: Path | None = None
    """File of A's head (labels, dimensions), where it is not with the features."""
    head_b: Path | None = None
    """File of B's head."""
    groups: str | None = None
    """Column of A whose samples of one value are held out and resampled together."""
    seed: int = 0
    """Of the split, the bootstrap and the shuffles."""
    train_share: float = 0.5
    """Share of the samples that maps are fitted on."""
    shuffles: int | None = None
    """Of the rows of B, for the chance levels: 5 by default, and of layers 200."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of all files, so that changed files are another run; filled in by `with_digest`."""

    @property
    def label(self) -> str:
        """The names of both files or folders."""
        return f"{plain_name(self.a)}-{plain_name(self.b)}"

    def with_digest(self) -> "CompareConfig":
        """The same config with the files' digest.

        Raises:
            InputError: a file cannot be read.
        """
        heads = [head for head in (self.head_a, self.head_b) if head is not None]
        files = [*files_of(self.a), *files_of(self.b), *heads]
        digests = "".join(file_digest(file) for file in files)
        return replace(self, sha256=sha256(digests.encode()).hexdigest())

    def of_layers(self) -> "CompareLayersConfig | None":
        """The same of several layers, if either of the two is that.

        Raises:
            InputError: an option that is about one set of features.
        """
        if all(layer_folders(place) is None for place in (self.a, self.b)):
            return None
        return CompareLayersConfig(
            **{field.name: getattr(self, field.name) for field in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareLayersConfig(CompareConfig):
    """Which layers to compare, each with each, and how.

    Raises:
        InputError: an option that is about one set of features.
    """

    def __post_init__(self) -> None:
        if self.head_a is not None or self.head_b is not None:
            raise InputError(
                "a head is about one set of features, and these are several layers. Compare the "
                "two layers that heads read by themselves."
            )
