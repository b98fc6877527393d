"""What `identikit unmix` can be asked for."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from identikit.core.config import digest
from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.features.paths import files_of, plain_name
from identikit.runs.config import StudyConfig
from identikit.runs.options import named_values


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmixConfig(StudyConfig):
    """Which features to unmix, and how."""

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Features h (n, d_h), as for `identikit probe`: a file, several that follow one another, or a
    folder that `identikit extract` made."""
    factors: Path | None = None
    """A table with a row per sample and a column per factor, to compare the components with."""
    key: str | None = None
    """Column of the table that names the samples, as for `identikit probe`."""
    only: tuple[str, ...] = ()
    """Factors to compare with; all if not given."""
    kinds: tuple[str, ...] = ()
    """Kinds where inference guesses wrong, as NAME=KIND: count=continuous."""
    components: int | None = None
    """How many; by default as many principal axes as hold 99 % of the variance, but no fewer than
    there are factors, and 64 at most."""
    codes: int | None = None
    """Sparse codes by so many atoms instead of independent components; there may be more of them
    than dimensions."""
    head: Path | None = None
    """File with the rows W (labels, d_h) of the classifier that was trained on h: only what it
    reads is unmixed."""
    groups: str | None = None
    """Column whose samples are held out and resampled together."""
    images: Path | None = None
    """Folder of images that the samples are named by, to be shown on the cards of components."""
    starts: int = 5
    """Of ICA; the best one is kept."""
    resamples: int = 20
    """Of the rows, behind how surely a component comes out again."""
    seed: int = 0
    """Of the split, the starts and the resamples."""
    train_share: float = 0.5
    """Share of the samples that components are found from."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of all files, so that changed ones are another run; filled in by `with_digest`."""

    @property
    def label(self) -> str:
        """The name of the first file."""
        return plain_name(self.features[0])

    def with_digest(self) -> "UnmixConfig":
        """The same config with the digest of its files.

        Raises:
            InputError: no features are named, or a file cannot be read.
        """
        if not self.features:
            raise InputError("no features are given. See identikit unmix --help.")
        others = [path for path in (self.factors, self.head) if path is not None]
        paths = [*files_of(self.features), *(p for one in others for p in files_of(one))]
        return replace(self, sha256=digest([[str(p), file_digest(p)] for p in paths]))

    def kinds_by_name(self) -> dict[str, str]:
        """The kinds as a mapping.

        Raises:
            InputError: an entry that is not NAME=KIND.
        """
        return dict(named_values(self.kinds, "kinds takes NAME=KIND, such as count=continuous"))
