"""What `identikit reproduce` can be asked for."""

from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from identikit.core.choice import Range, check_ranges
from identikit.core.config import digest, to_dict
from identikit.runs.config import StudyConfig
from identikit.studies.catalogue import sweep_named
from identikit.studies.sweeps.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig(StudyConfig):
    """Which study to run, with how many seeds."""

    name: Annotated[str, tyro.conf.Positional] = ""
    """Name of the study; see --list."""
    seeds: Annotated[int | None, Range(1)] = None
    """Use so many seeds, from FIRST_SEED on; by default the study's own, mostly five."""
    first_seed: Annotated[int, Range(0)] = 0
    """First of the seeds; settings were chosen on seeds below 100."""
    digest: Annotated[str, tyro.conf.Suppress] = ""
    """Of rows and seeds, so that a changed study is another run; filled in by `with_digest`."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def label(self) -> str:
        """The study's name."""
        return self.name

    def sweep(self) -> Sweep:
        """The study, with these seeds.

        Raises:
            InputError: no study of that name.
        """
        found, first = sweep_named(self.name), self.first_seed
        n = len(found.seeds) if self.seeds is None else self.seeds
        chosen = self.seeds is not None or first > 0
        return replace(found, seeds=tuple(range(first, first + n))) if chosen else found

    def with_digest(self) -> "SweepConfig":
        """The same config with the digest of its rows."""
        sweep = to_dict(self.sweep())
        return replace(self, digest=digest([sweep["rows"], sweep["seeds"]]))
