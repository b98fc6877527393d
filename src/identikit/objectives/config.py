"""What an encoder can be taught, and what the linear classifier on top of it is told."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from identikit.core.choice import Choice, by_name
from identikit.core.errors import InputError


@dataclass(frozen=True, slots=True)
class ObjectiveChoice(Choice):
    """An objective; made as `objectives.curriculum.build_head` is."""

    target: Literal["instances", "classes", "latents"] = "classes"
    """What each sample is told by: its label, an instance's or a class's, or its true latents."""


OBJECTIVES = by_name(
    ObjectiveChoice(
        "diet",
        "labels are instances (DIET)",
        "objectives.curriculum:build_head",
        target="instances",
    ),
    ObjectiveChoice("supervised", "labels are classes", "objectives.curriculum:build_head"),
    ObjectiveChoice(
        "oracle",
        "told the true latents, for what could be learned at best",
        "objectives.oracle:latent_regression",
        target="latents",
    ),
)
if TYPE_CHECKING:
    ObjectiveName: TypeAlias = str
else:
    ObjectiveName = Literal[tuple(OBJECTIVES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """The linear classifier on top of an encoder and how its loss is computed."""

    unit_features: bool = False
    """Features on the unit sphere, as in cases C1 and C2 of theorem 1."""
    unit_rows: bool = False
    """Rows on the unit sphere, as in cases C1 and C3; with unit features as well the logits are
    multiplied by one learned inverse temperature."""
    negatives: int | None = 64
    """Uniform labels that join each group's softmax; None: the full softmax."""
    group: int = 128
    """Samples that share one sampled softmax."""
    late_sphere: bool = True
    """Whether a head of unit norm is free for the first 80 % of training."""
    extra_dimensions: int = 0
    """Dimensions that h has beyond its own in the first 40 % of training."""
    label_diffusion: int = 0
    """Steps that labels walk between classes that look alike, from 40 to 60 % of training, and one
    step to 70 %; 0: none. DIET's labels never do."""
    tied_rows: bool = False
    """Whether instances whose observations look alike share a row at first."""
    untie_at: float = 0.9
    """Share of training after which each label has a row of its own; 1: never."""

    @property
    def unit_norm(self) -> bool:
        """Whether features, rows or both have unit norm."""
        return self.unit_features or self.unit_rows

    def __post_init__(self) -> None:
        if self.extra_dimensions < 0:
            raise InputError(
                f"head extra_dimensions must be at least 0; got {self.extra_dimensions}."
            )
        if self.label_diffusion < 0:
            raise InputError(
                f"head label_diffusion must be at least 0; got {self.label_diffusion}."
            )
        if self.label_diffusion and self.tied_rows:
            raise InputError(
                "head label_diffusion is for the labels of classes, tied_rows for those of "
                "instances; leave one of them out."
            )
        if not 0 < self.untie_at <= 1:
            raise InputError(
                f"head untie_at is a share of training in (0, 1]; got {self.untie_at}."
            )
        if self.group < 1:
            raise InputError(f"head group must be at least 1; got {self.group}.")
        if self.negatives is not None and self.negatives < 1:
            raise InputError(
                f"head negatives must be at least 1 (or none, for the full softmax); "
                f"got {self.negatives}."
            )
