"""What an ImageNet-X run found, as it goes to disk and comes back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from identikit.core.estimate import Estimate
from identikit.core.finding import (
    Control,
    Finding,
    Headline,
    Tone,
    Verdict,
    beside_controls,
    factor_headline,
    judge_factor,
)
from identikit.report.shown import Said
from identikit.statistics.permutation import holm
from identikit.studies.paper.imagenet_x.linear_probes import TargetProbe
from identikit.studies.paper.imagenet_x.published import PublishedTargetProbe
from identikit.worlds.imagenet_x import ANIMAL, CLASS

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
    """head row space and complement are the parts of a trained network's h inside and outside
    what its head reads; class is the true class and nothing else, as indicators."""
    model: str = ""
    """The network that it is of."""
    dim: int
    corrected: Mapping[str, TargetProbe]
    published: Mapping[str, PublishedTargetProbe]
    """By the paper's procedure; empty for what the paper does not have."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ImageNetXResult(Said):
    """A whole run."""

    status: Literal["completed"] = "completed"
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

    @cached_property
    def bonferroni(self) -> float:
        """What a p-value of the paper's procedure must be below."""
        return FALSE_ALARMS / max(1, sum(len(each.published) for each in self.represented))

    @property
    def networks(self) -> tuple[Represented, ...]:
        """What the run is about: the trained networks, or where there are none the untrained."""
        return self.all_of("trained") or self.all_of("untrained")

    @property
    def first(self) -> Represented:
        """The first of them, by which targets are ordered."""
        return self.networks[0]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A finding for each network and target, beside the network's own twin and the pixels."""
        return tuple(finding for each in self.networks for finding in self._findings(each))

    @property
    def headline(self) -> Headline:
        """How many targets each network learned, and of which part of the set that speaks."""
        whole = factor_headline(self.findings)
        sentence = " ".join(
            f"{each.name}: {factor_headline(self._findings(each, named=False)).sentence}"
            for each in self.networks
        )
        if self.share == 1 and not self.damaged:
            return replace(whole, sentence=sentence)
        words = f" On {100 * self.share:.3g} % of the annotated images."
        tone: Tone = "warning" if whole.tone == "good" else whole.tone
        return replace(whole, sentence=sentence + words, tone=tone)

    def _findings(self, network: Represented, *, named: bool = True) -> list[Finding]:
        """Those of a network; `named`: each says which."""
        return [
            self._finding(network, target, suffix=f". {network.name}" if named else "")
            for target in self.targets
            if target in network.corrected
        ]

    def _finding(self, network: Represented, target: str, *, suffix: str) -> Finding:
        own = network.corrected[target]
        beside = [
            each
            for each in self.all_of("untrained", "pixels", "projection")
            if each is not network and each.model in ("", network.model)
        ]
        controls = tuple(self._control(own, each, target) for each in beside)
        verdict = (
            judge_factor(
                own.accuracy,
                chance=0.5,
                controls=controls,
                p=self.corrected[network.name, target],
            )
            if own.enough
            else Verdict.UNDECIDED
        )
        return Finding(
            quantity=words_for(target) + suffix,
            measure="accuracy",
            recovered=own.accuracy,
            chance=0.5,
            controls=controls,
            explained=" ".join(self._explained(network, target, verdict, controls)),
            verdict=verdict,
        )

    @staticmethod
    def _control(own: TargetProbe, each: Represented, target: str) -> Control:
        other = each.corrected[target]
        return Control(name=each.name, recovered=other.accuracy, lead=own.lead_over(other))

    def _explained(
        self, network: Represented, target: str, verdict: Verdict, controls: Sequence[Control]
    ) -> Iterable[str]:
        own = network.corrected[target]
        if verdict is Verdict.UNDECIDED:
            yield f"Only {own.n_test} test images: no conclusion."
        elif verdict is Verdict.NOT_SHOWN:
            yield "Not told from chance."
        else:
            if controls:
                yield f"Beside the controls: {beside_controls(own.accuracy, controls)}."
            yield self._against_class(network, own.accuracy, target)
        there = [
            f"{words} {value}"
            for words, part in (
                ("inside what the head reads", self.of("head row space", network.model)),
                ("outside", self.of("complement", network.model)),
            )
            if (value := accuracy(part, target)) is not None
        ]
        if there:
            yield f"Of h {', '.join(there)}."

    def _against_class(self, network: Represented, found: Estimate, target: str) -> str:
        alone = accuracy(self.of("class"), target)
        if network.role != "trained" or alone is None:
            return "Theory says nothing of networks that were not trained."
        if found.low > alone.high:
            return (
                f"More than the class gives away ({alone}): what is above is not guaranteed, but "
                "inductive bias."
            )
        if found.high < alone.low:
            return f"Less than the class would give away ({alone})."
        return f"As much as the class gives away ({alone})."


def accuracy(each: Represented | None, target: str) -> Estimate | None:
    """Of the corrected linear probe, where there is one."""
    return None if each is None or target not in each.corrected else each.corrected[target].accuracy


def words_for(target: str) -> str:
    """A target as tables call it."""
    return {CLASS: "class (number above mean)", ANIMAL: "animal (class)"}.get(
        target, target.replace("_", " ")
    )
