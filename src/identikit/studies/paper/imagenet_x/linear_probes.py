"""Binary targets from features: logistic regression in repeated balanced splits, seven scores.

    min_{w, b}  mean_n log(1 + exp(-s_n (w u_n + b))) + lambda/2 |w|²,   u = (h - mean) / sd,

mean and sd those of the training part, s_n = +1 or -1. lambda is the one with the least log-loss
on folds of the training part. In units of all images u = x sd_all / sd, so the same problem is one
in x with the penalty lambda (sd / sd_all)² on each weight: the folds and penalties of a repetition
are solved together (`probing.logistic`). Intervals resample images: an image takes
its answers in all repetitions along. That leaves out that other images would also have been
fitted to, so an interval is stretched to that of the corrected resampled t-test where this is
wider. h is (n, d).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.linalg import column_means, rounding, spread
from identikit.core.memory_mapped import blocks
from identikit.core.randomness import stream
from identikit.probing import logistic
from identikit.probing.logistic import Correlations, LogisticFits, Tasks
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.intervals import CORRELATION, SHARE
from identikit.studies.paper.imagenet_x.config import ImageNetXConfig
from identikit.studies.paper.imagenet_x.splits import (
    BalancedSplit,
    balanced_splits,
    corrected_half_width,
    corrected_p,
    plain_p,
)

SCORES = ("accuracy", "correlation", "precision", "recall", "F1", "ROC AUC", "PR AUC")
PENALTIES = (1e2, 1e1, 1.0, 1e-1, 1e-2, 1e-3, 1e-4)
ENOUGH = 100
"""Test images from which a target is not flagged."""
ROWS = 256
"""That are squared at a time."""
TINY = torch.finfo(torch.float64).tiny
_DEAD = 1e6
"""Penalty on a feature that does not vary in the training part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """How a linear probe is made. Each switch brings back one flaw of the published code."""

    repetitions: int = 10
    test_share: float = 0.3
    folds: int = 3
    """Parts of the training part that choose the penalty."""
    resamples: int = 1000
    seed: int = 0
    positive_mean_only: bool = False
    """Features whose mean over all images is not above 0 are dropped, as if they were dead."""
    standardise_on: Literal["training", "all"] = "training"
    """Where mean and sd come from."""
    penalty: Literal["tuned", "one"] = "tuned"
    """one: |w|²/2 on the summed loss for every width and number of images (C = 1)."""

    @classmethod
    def of_run(cls, config: ImageNetXConfig) -> "Procedure":
        """That of a run, without flaws."""
        return cls(
            repetitions=config.repetitions,
            test_share=config.test_share,
            folds=config.folds,
            resamples=config.resamples,
            seed=config.seed,
        )

    def splits(self, name: str, present: Bool[Tensor, " n"]) -> list[BalancedSplit]:
        """Those of a target, by its name: the same for all representations and both procedures.

        Raises:
            InputError: a target that too few images show, or lack.
        """
        return balanced_splits(
            present,
            repetitions=self.repetitions,
            test_share=self.test_share,
            generator=stream(self.seed, f"imagenet-x/splits/{name}"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProbe:
    """One target out of one set of features."""

    scores: tuple[tuple[float, ...], ...]
    """Of each repetition, the seven of `SCORES`."""
    estimates: tuple[Estimate, ...]
    """Mean over the repetitions with its 95 % interval over images, for each of `SCORES`."""
    stretched: tuple[float, ...]
    """By how much each interval is wider than resampled test images alone make it, at least 1."""
    p_value: float
    """That accuracy is above one half, repetitions corrected for sharing images."""
    p_plain: float
    """The same from a two-sided t-test that takes repetitions for independent."""
    n_train: int
    n_test: int
    """Images in a test part; half of them show the target."""
    penalties: tuple[float, ...]
    """Chosen in each repetition."""
    converged: bool

    @property
    def accuracy(self) -> Estimate:
        """The score of the figure."""
        return self.estimates[0]

    def lead_over(self, other: "TargetProbe") -> Estimate:
        """Accuracy less another's on the same splits, paired, corrected for shared images."""
        each = torch.tensor([[a[0] - b[0]] for a, b in zip(self.scores, other.scores, strict=True)])
        half = corrected_half_width(each, ratio=self.n_test / self.n_train).item()
        mean = each.mean().item()
        return Estimate(mean, mean - half, mean + half)

    @property
    def enough(self) -> bool:
        """Whether a test part has the images that a number needs."""
        return self.n_test >= ENOUGH


def probe_targets(
    h: Float[Tensor, "n d"],
    targets: Mapping[str, Bool[Tensor, " n"]],
    *,
    procedure: Procedure,
    on_target: Callable[[str], None] | None = None,
) -> dict[str, TargetProbe]:
    """Read every target out of h.

    Args:
        h: Features.
        targets: What to read out; their splits depend on seed and name, not on h.
        procedure: How.
        on_target: Told of each target that is done.

    Raises:
        InputError: a target that too few images show, or lack.
    """
    x = _standardised(h, procedure)
    correlations = Correlations.of(x)
    found = {}
    for name, present in targets.items():
        found[name] = _probe_target(
            x, present, name, procedure=procedure, correlations=correlations
        )
        if on_target is not None:
            on_target(name)
    return found


def _standardised(h: Tensor, procedure: Procedure) -> Tensor:
    """In units of all images, without features that do not vary; float32."""
    mean, size = column_means(h), spread(h)
    kept = size > 4 * rounding(h)
    if procedure.positive_mean_only:
        kept &= mean > 0
    x = h.new_empty(len(h), int(kept.sum()), dtype=torch.float32)
    start = 0
    for block in blocks(h):
        x[start : start + len(block)] = ((block - mean) / size)[:, kept]
        start += len(block)
    return x


def _probe_target(
    x: Tensor, present: Tensor, name: str, *, procedure: Procedure, correlations: Correlations
) -> TargetProbe:
    splits = procedure.splits(name, present)
    ratio = len(splits[0].test) / len(splits[0].train)
    fits = [_fit(x[split.train], present[split.train], procedure, correlations) for split in splits]
    each, over_images = scored(
        [fit.logits(x[s.test])[0, :, 1] for (fit, _), s in zip(fits, splits, strict=True)],
        present,
        [split.test for split in splits],
        procedure=procedure,
        name=name,
    )
    estimates, stretched = _stretched(over_images, each, ratio=ratio)
    return TargetProbe(
        scores=tuple(map(tuple, each.tolist())),
        estimates=estimates,
        stretched=stretched,
        p_value=corrected_p(each[:, 0], chance=0.5, ratio=ratio),
        p_plain=plain_p(each[:, 0], chance=0.5),
        n_train=len(splits[0].train),
        n_test=len(splits[0].test),
        penalties=tuple(penalty for _, penalty in fits),
        converged=all(bool(fit.converged) for fit, _ in fits),
    )


def _fit(
    x: Tensor, present: Tensor, procedure: Procedure, correlations: Correlations
) -> tuple[LogisticFits, float]:
    """The classifier of a training part, present half first, and its penalty."""
    units = _units(x, procedure)
    penalty = 1 / len(x)
    if procedure.penalty == "tuned":
        penalty = _chosen(x, present, units, folds=procedure.folds, correlations=correlations)
    fitted = logistic.fit_logistic(
        x,
        _tasks(present, torch.ones(1, len(x))),
        task=torch.zeros(1, dtype=torch.long),
        penalty=penalty * units[None],
        correlations=correlations,
    )
    return fitted, penalty


def _tasks(present: Tensor, weight: Tensor) -> Tasks:
    label = present.long().expand(len(weight), -1)
    return Tasks(label=label, weight=weight, classes=torch.full((len(weight),), 2))


def _units(x: Tensor, procedure: Procedure) -> Float[Tensor, " p"]:
    """Penalty on each weight: the variance of its feature in the training part."""
    if procedure.standardise_on == "all":
        return x.new_ones(x.shape[1])
    squares = sum(block.square().sum(dim=0) for block in torch.split(x, ROWS)) / len(x)
    variance = squares - x.mean(dim=0).square()
    return torch.where(variance > 1e-6, variance, _DEAD)


def _chosen(
    x: Tensor, present: Tensor, units: Tensor, *, folds: int, correlations: Correlations
) -> float:
    """The penalty with the least log-loss on folds of the training part, present half first."""
    fold = torch.cat([torch.arange(len(half)) % folds for half in present.chunk(2)])
    judged = (fold == torch.arange(folds)[:, None]).to(x)
    losses = logistic.held_out_losses(
        x,
        _tasks(present, 1 - judged),
        judged,
        grid=x.new_tensor(PENALTIES)[:, None] * units,
        correlations=correlations,
    )
    return PENALTIES[int(losses.sum(dim=0).argmin())]


def _stretched(
    estimates: tuple[Estimate, ...], scores: Tensor, *, ratio: float
) -> tuple[tuple[Estimate, ...], tuple[float, ...]]:
    """Intervals no narrower than those of the corrected test, and by how much they are wider."""
    found, factors = [], []
    half_widths = corrected_half_width(scores, ratio=ratio).tolist()
    for name, own, least in zip(SCORES, estimates, half_widths, strict=True):
        half = (own.high - own.low) / 2
        factor = max(1.0, least / half) if half > 0 else 1.0
        lowest = -1.0 if name == "correlation" else 0.0
        found.append(
            Estimate(
                own.value,
                max(lowest, own.value - factor * (own.value - own.low)),
                min(1.0, own.value + factor * (own.high - own.value)),
            )
        )
        factors.append(factor)
    return tuple(found), tuple(factors)


def scored(
    logits: list[Tensor],
    label: Bool[Tensor, " m"],
    tests: list[Tensor],
    *,
    procedure: Procedure,
    name: str,
) -> tuple[Float[Tensor, "repetitions 7"], tuple[Estimate, ...]]:
    """Scores of each repetition, and their means with intervals over images.

    Args:
        logits: Of each repetition's test rows.
        label: The target, of all rows.
        tests: Test rows of each repetition.
        procedure: Resamples and their seed.
        name: Of the target.
    """
    rows, where = torch.unique(torch.cat(tests), return_inverse=True)
    places = torch.split(where, [len(test) for test in tests])
    statistics = [
        seven_scores(logit, label[test]) for logit, test in zip(logits, tests, strict=True)
    ]
    bootstrap = Bootstrap(
        torch.arange(len(rows)),
        resamples=procedure.resamples,
        generator=stream(procedure.seed, f"imagenet-x/bootstrap/{name}"),
    )

    def mean(weights: Tensor) -> Tensor:
        each = [s(weights[:, own]) for s, own in zip(statistics, places, strict=True)]
        return torch.stack(each).mean(dim=0)

    everyone = torch.ones(1, len(rows), dtype=torch.float64)
    each = torch.cat([s(everyone[:, own]) for s, own in zip(statistics, places, strict=True)])
    return each, tuple(bootstrap.estimates(Statistic(mean, statistics[0].within)))


def seven_scores(logit: Float[Tensor, " n"], label: Bool[Tensor, " n"]) -> Statistic:
    """`SCORES` as functions of weights on the points, (b, n) -> (b, 7).

    A classifier that names one level only has correlation 0 and precision 0, not NaN.
    """
    named = logit > 0
    kinds = torch.stack([named & label, named & ~label, ~named & label, ~named & ~label], dim=1)
    cells = kinds.double()
    auc = measures.auc(logit, label.long())
    precise = measures.average_precision(logit, label.long())

    def statistic(weights: Tensor) -> Tensor:
        hit, false, missed, rest = (weights @ cells).unbind(dim=1)
        margins = (hit + false) * (hit + missed) * (rest + false) * (rest + missed)
        columns = [
            (hit + rest) / (hit + false + missed + rest),
            _ratio(hit * rest - false * missed, margins.clamp(min=TINY).sqrt()),
            _ratio(hit, hit + false),
            _ratio(hit, hit + missed),
            _ratio(2 * hit, 2 * hit + false + missed),
        ]
        return torch.cat([torch.stack(columns, 1), auc(weights), precise(weights)], 1)

    within = tuple(
        range_ for name in SCORES for range_ in (CORRELATION if name == "correlation" else SHARE)
    )
    return Statistic(statistic, within)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """The quotient, and 0 where b is 0."""
    return torch.where(b > 0, a / b.where(b > 0, 1.0), 0.0)
