"""What `identikit analogies` can be asked for."""

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
class AnalogiesConfig(StudyConfig):
    """Which vectors are asked, and what.

    Raises:
        InputError: other than one of factors, pairs and questions.
    """

    vectors: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Features of samples, or vectors of words, as for `identikit probe`: a file, a folder, or a
    folder of layers. Words are in the array `word`, or `key`, or the one that --key names."""
    factors: Path | None = None
    """A table of the samples' factors, of which each is taken by its levels; or"""
    pairs: Path | None = None
    """a table with the columns concept, a and b: a word and its pair, such as work, worked; or"""
    questions: Path | None = None
    """questions of four words in a line, a is to b as c to d, below lines ': section'."""
    key: str | None = None
    """Column of the table of factors, and array of the vectors, that names the rows."""
    only: tuple[str, ...] = ()
    """Factors that the samples are told apart by, or concepts to ask for; all if not given."""
    kinds: tuple[str, ...] = ()
    """Kinds of factors where inference guesses wrong, as NAME=KIND."""
    output: Path | None = None
    """File with the rows of the output embedding, whose covariance makes the causal inner product
    of words; by default the vectors themselves."""
    controls: tuple[str, ...] = ()
    """Other vectors of the same rows to compare with, as NAME=PATH: untrained=twin.npz."""
    count: int = 1000
    """Parallelograms or questions of each factor or concept, at most."""
    seed: int = 0
    """Of what is asked, and of the bootstrap."""
    resamples: int = 1000
    """Bootstrap resamples behind each interval."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of all files, so that changed ones are another run; filled in by `with_digest`."""

    def __post_init__(self) -> None:
        asked = {"factors": self.factors, "pairs": self.pairs, "questions": self.questions}
        given = [f"--{name}" for name, path in asked.items() if path is not None]
        if len(given) != 1:
            raise InputError(
                "give --factors TABLE, --pairs TABLE or --questions FILE; got "
                f"{' and '.join(given) or 'none'}."
            )
        if self.output is not None and self.factors is not None:
            raise InputError("--output makes the causal inner product of words. Leave it out.")
        if self.count < 1:
            raise InputError(f"--count must be at least 1; got {self.count}.")

    @property
    def label(self) -> str:
        """The name of the first file."""
        return plain_name(self.vectors[0])

    def with_digest(self) -> "AnalogiesConfig":
        """The same config with the digest of its files.

        Raises:
            InputError: no vectors are named, or a file cannot be read.
        """
        if not self.vectors:
            raise InputError("no vectors are given. See identikit analogies --help.")
        others = [self.factors, self.pairs, self.questions, self.output]
        others += map(Path, self.control_paths().values())
        paths = [*files_of(self.vectors)]
        paths += [p for one in others if one is not None for p in files_of(one)]
        return replace(self, sha256=digest([[str(p), file_digest(p)] for p in paths]))

    def kinds_by_name(self) -> dict[str, str]:
        """The kinds as a mapping.

        Raises:
            InputError: an entry that is not NAME=KIND.
        """
        return dict(named_values(self.kinds, "kinds takes NAME=KIND, such as size=ordinal"))

    def control_paths(self) -> dict[str, str]:
        """The controls as a mapping.

        Raises:
            InputError: an entry that is not NAME=PATH.
        """
        return dict(named_values(self.controls, "controls takes NAME=PATH, such as twin=twin.npz"))
