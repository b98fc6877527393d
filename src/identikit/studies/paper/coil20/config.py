"""Everything a COIL-20 run depends on, in one frozen config."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from identikit.core.choice import Range, check_ranges
from identikit.core.errors import InputError
from identikit.core.files import file_digest
from identikit.runs.config import StudyConfig
from identikit.training.config import TrainingConfig
from identikit.worlds.constants import SIDE, STEP_DEG

Objective = Literal["supervised", "diet", "diet-turned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coil20Config(StudyConfig):
    """One run of the study.

    Raises:
        InputError: a value outside its range, named.
    """

    data: str
    """Path of the COIL-20 file (coil20.mat, with X and Y); it does not come with identikit."""
    objectives: tuple[Objective, ...] = ("supervised", "diet", "diet-turned")
    """What encoders are trained on. supervised: the object. diet: every image is a label of
    its own, its draws are shifted and brightened copies. diet-turned: its draws are also
    images of the same object from nearby azimuths."""
    arc_degrees: int = 30
    """Length of a held-out arc of azimuths. With 5 (and no margin) single azimuths are held
    out whose neighbours are seen, which asks for interpolation over 5 degrees, no more."""
    margin_degrees: int = 5
    """Azimuths this close to a held-out arc are not seen either."""
    folds: int = 4
    """Parts of the azimuths; each is held out once, by encoders of its own."""
    seeds: Annotated[int, Range(1)] = 2
    """Encoders per objective and part, each with initial weights and batches of its own."""
    seed: int = 0
    """Names all random streams of the run."""
    dim: Annotated[int, Range(1)] = 64
    """Dimensions of the representation, and of the random projection of the pixels."""
    width: Annotated[int, Range(1)] = 8
    """Channels of the first of three convolutions; each further one has twice as many."""
    steps: Annotated[int, Range(1)] = 150
    """Training steps of a supervised encoder."""
    diet_steps: Annotated[int, Range(1)] = 300
    """Training steps of a DIET encoder."""
    batch_size: Annotated[int, Range(1)] = 64
    """Images per step."""
    rate: float = 6e-3
    """Adam's rate for the encoder, at the top of the schedule."""
    head_rate: float = 2e-2
    """Adam's rate for the head, at the top of the schedule."""
    shift: int = 2
    """Draws are moved by up to this many pixels each way."""
    brightness: float = 0.2
    """Draws are brightened or darkened by up to this share."""
    turn_kappa: float = 8.0
    """Concentration of the turns of diet-turned: an image t away in azimuth is drawn with
    probability proportional to exp(kappa cos t)."""
    resamples: int = 1000
    """Bootstrap resamples behind each 95 % interval."""
    threads: Annotated[int, Range(1)] = 1
    """Processor threads; these networks are so small that more are slower."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of the file, so that a changed file is another run; filled in by `with_digest`."""

    def with_digest(self) -> "Coil20Config":
        """The same config with the file's digest.

        Raises:
            InputError: the file cannot be read.
        """
        return replace(self, sha256=file_digest(Path(self.data)))

    def __post_init__(self) -> None:
        check_ranges(self, of="coil20 ")
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise InputError(
                f"coil20 objectives must be one or more different names; got {self.objectives}."
            )
        for name in ("shift", "brightness", "turn_kappa", "seed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"coil20 {name} must not be negative; got {getattr(self, name)}.")
        if self.shift >= SIDE // 2 or self.brightness >= 1:
            raise InputError(
                f"coil20 shift must be below {SIDE // 2} pixels and brightness below 1, or "
                f"nothing is left to see; got {self.shift} and {self.brightness}."
            )
        if self.resamples < 100:
            raise InputError(
                f"coil20 resamples must be at least 100 for a 95 % interval; got {self.resamples}."
            )
        self._check_parts()
        for objective in self.objectives:
            self.training(objective)  # its rates and steps are checked before anything is read

    def _check_parts(self) -> None:
        if self.folds < 3:
            raise InputError(
                "coil20 folds must be at least 3 (one is held out, two choose penalties); "
                f"got {self.folds}."
            )
        arc, margin = self.arc_degrees, self.margin_degrees
        if arc < STEP_DEG or arc % STEP_DEG or 360 % (arc * self.folds):
            raise InputError(
                f"coil20 arc_degrees must be a multiple of {STEP_DEG} that fits the circle a "
                f"whole number of times for each of {self.folds} folds; got {arc}. "
                "With 4 folds that is 5, 10, 15, 30, 45 or 90."
            )
        most = min(arc, (self.folds - 2) * arc / 2)  # else two margins leave nothing between
        if margin % STEP_DEG or not 0 <= margin < most:
            raise InputError(
                f"coil20 margin_degrees must be a multiple of {STEP_DEG}, at least 0 and below "
                f"{most:g} for arcs of {arc} degrees in {self.folds} folds, or nothing is left "
                f"to fit on; got {margin}."
            )

    def training(self, objective: Objective) -> TrainingConfig:
        """Budget and rates of one encoder."""
        return TrainingConfig(
            steps=self.steps if objective == "supervised" else self.diet_steps,
            batch_size=self.batch_size,
            optimizer="adam",
            rate=self.rate,
            head_rate=self.head_rate,
            warmup=0.1,
        )
