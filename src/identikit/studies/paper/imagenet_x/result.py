"""What an ImageNet-X run found, as it goes to disk and comes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from identikit.core.estimate import Estimate
from identikit.core.serialization import from_plain
from identikit.statistics.permutation import holm
from identikit.studies.paper.imagenet_x.published import PublishedReadOut
from identikit.studies.paper.imagenet_x.readout import ReadOut

Role = Literal[
    "trained", "head row space", "complement", "untrained", "pixels", "projection", "class"
]
FALSE_ALARMS = 0.05


@dataclass(frozen=True, kw_only=True)
class Represented:
    """All targets out of one set of features."""

    name: str
    """As tables and figures call it."""
    role: Role
    """covered and rest are the parts of a trained network's h inside and outside what its head
    reads; class is the true class and nothing else, as indicators."""
    model: str = ""
    """The network that it is of."""
    dim: int
    corrected: Mapping[str, ReadOut]
    published: Mapping[str, PublishedReadOut]
    """By the paper's procedure; empty for what the paper does not have."""


@dataclass(frozen=True, kw_only=True)
class ImageNetXResult:
    """A whole run."""

    images: int
    """Read and annotated."""
    annotated: int
    """How many there would be."""
    damaged: tuple[str, ...]
    """Files that could not be read and were left out."""
    positives: Mapping[str, int]
    """Images that show each target."""
    left_out: tuple[str, ...]
    """Targets that too few of the images show, or lack."""
    represented: tuple[Represented, ...]

    @property
    def share(self) -> float:
        """Of the annotated images, how many were read."""
        return self.images / self.annotated

    @property
    def targets(self) -> tuple[str, ...]:
        """In the order of the paper's table."""
        return tuple(name for name in self.positives if name not in self.left_out)

    def of(self, role: Role, model: str = "") -> Represented | None:
        """The representation with this role, of this network if one is named."""
        for each in self.represented:
            if each.role == role and each.model in ("", model or each.model):
                return each
        return None

    def all_of(self, *roles: Role) -> tuple[Represented, ...]:
        """The representations with these roles."""
        return tuple(each for each in self.represented if each.role in roles)

    @cached_property
    def corrected(self) -> Mapping[tuple[str, str], float]:
        """P-value of (representation, target), by Holm over all of them together."""
        keys = [(each.name, target) for each in self.represented for target in each.corrected]
        p = [
            each.corrected[target].p_value for each in self.represented for target in each.corrected
        ]
        return dict(zip(keys, holm(p), strict=True))

    def found(self, each: Represented, target: str) -> bool:
        """Whether a target is read out above chance, from images enough to say so."""
        enough = each.corrected[target].enough
        return enough and self.corrected[each.name, target] < FALSE_ALARMS

    @cached_property
    def bonferroni(self) -> float:
        """What a p-value of the paper's procedure must be below."""
        return FALSE_ALARMS / max(1, sum(len(each.published) for each in self.represented))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"status": "completed", **asdict(self)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ImageNetXResult":
        """The inverse of `to_dict`; other entries are passed over."""
        return from_plain(cls, plain, writer="ImageNetXResult.to_dict")


def accuracy(each: Represented | None, target: str) -> Estimate | None:
    """Of the corrected read-out, where there is one."""
    return None if each is None or target not in each.corrected else each.corrected[target].accuracy
