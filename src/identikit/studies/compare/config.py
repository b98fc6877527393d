"""What `identikit compare` can be asked for."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import tyro

from identikit.core.files import file_digest
from identikit.features.paths import files_of, plain_name
from identikit.runs.config import StudyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig(StudyConfig):
    """Which two sets of features to compare, and how."""

    a: Annotated[Path, tyro.conf.Positional]
    """Features of model A: a file, shards of one, or a folder that `identikit extract` made; with
    `key` where rows have names, and `W` where the head is known."""
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
    shuffles: int = 5
    """Of the rows of B, for the chance levels."""
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
