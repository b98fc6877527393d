"""What `identikit probe` can be asked for."""

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import tyro

from identikit.core.config import digest
from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.features.layer_list import layer_paths
from identikit.features.paths import files_of, plain_name
from identikit.runs.config import StudyConfig
from identikit.runs.options import named_values


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig(StudyConfig):
    """Which features to probe, and how."""

    features: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """A .npy, .npz, Parquet or safetensors file with h (n, d_h); several that follow one another;
    or a folder of them, such as `identikit extract` makes. Other arrays of n values in them are
    factors, but for the observations `x` and the head `W` (labels, d_h). A folder of layers, such
    as `identikit extract --layers` makes, or several folders are read layer by layer."""
    factors: Path | None = None
    """A table with a row per sample and a column per factor: CSV, Parquet, .npz, .npy or
    safetensors."""
    key: str | None = None
    """Column of the table that names the samples, as the features' own array of that name, or
    `key`, or `keys`, does; without it the rows are in the samples' order."""
    only: tuple[str, ...] = ()
    """Factors to read out; all if not given."""
    kinds: tuple[str, ...] = ()
    """Kinds where inference guesses wrong, as NAME=KIND: azimuth=circular:360."""
    head: Path | None = None
    """File with the rows W (labels, d_h) of the classifier that was trained on h (.npy, .npz,
    safetensors): splits every score by what it covers."""
    controls: tuple[str, ...] = ()
    """Other features of the same samples to compare with, as NAME=PATH: untrained=twin.npy.
    x=PATH are the observations, which bring a random projection of them too."""
    items: str | None = None
    """Column that says what a sample shows (object, word): adds scores for random values of these
    items, and what is left above them."""
    groups: str | None = None
    """Column whose samples are held out together, by default the groups of features that were
    extracted from a table of sentences with a column group (key: each sample by itself)."""
    partial: bool = False
    """Go on with the samples that features and table both have."""
    skip_corrupt: bool = False
    """Go on without shards that cannot be read; the page says which."""
    classic: bool = False
    """Add the classic scores of disentanglement: DCI, MIG, SAP and others."""
    seed: int = 0
    """Of the split and the bootstrap."""
    train_share: float = 0.5
    """Share of the samples that the linear probes are fitted on."""
    resamples: int = 1000
    """Bootstrap resamples behind each interval."""
    refits: int = 0
    """Fits that leave out one part of the training rows each, of so many (10 do): adds the interval
    over training rows too."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of all files, so that changed ones are another run; filled in by `with_digest`."""

    @property
    def label(self) -> str:
        """The name of the first file, as far as it is plain."""
        return "-".join(re.findall(r"[\w.]+", plain_name(self.features[0])))

    def with_digest(self) -> "ProbeConfig":
        """The same config with the digest of its files.

        Raises:
            InputError: no features are named, or a file cannot be read.
        """
        if not self.features:
            raise InputError("no features are given. See identikit probe --help.")
        others = [path for path in (self.factors, self.head) if path is not None]
        others += map(Path, self.control_paths().values())
        paths = [*files_of(self.features), *(p for one in others for p in files_of(one))]
        return replace(self, sha256=digest([[str(p), file_digest(p)] for p in paths]))

    def of_layers(self, *, each: bool) -> "ProbeLayersConfig | None":
        """The same of several layers, if the features are that.

        Args:
            each: Whether every path is a layer, files too.

        Raises:
            InputError: an option that is about one set of features.
        """
        if layer_paths(self.features, each=each) is None:
            return None
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return ProbeLayersConfig(**given)

    def kinds_by_name(self) -> dict[str, str]:
        """The kinds as a mapping.

        Raises:
            InputError: an entry that is not NAME=KIND.
        """
        rule = "kinds takes NAME=KIND, such as azimuth=circular:360"
        return dict(named_values(self.kinds, rule))

    def control_paths(self) -> dict[str, str]:
        """The controls as a mapping.

        Raises:
            InputError: an entry that is not NAME=PATH.
        """
        rule = "controls takes NAME=PATH, such as untrained=twin.npy"
        return dict(named_values(self.controls, rule))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLayersConfig(ProbeConfig):
    """Which layers to probe, each of the features by itself, and how.

    Raises:
        InputError: an option that is about one set of features.
    """

    def __post_init__(self) -> None:
        for name, given in {"head": self.head is not None, "classic": self.classic}.items():
            if given:
                raise InputError(
                    f"--{name} is about one set of features, and these are several layers. Probe "
                    "the layer that it is about by itself."
                )
