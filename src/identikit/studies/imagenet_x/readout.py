"""Binary targets from features: logistic regression in repeated balanced splits, seven scores.

    min_{w, b}  mean_n log(1 + exp(-s_n (w u_n + b))) + lambda/2 |w|²,   u = (h - mean) / sd,

mean and sd those of the training part, s_n = +1 or -1. lambda is the one with the least log-loss
on folds of the training part. In units of all images u = x sd_all / sd, so the same problem is one
in x with the penalty lambda (sd / sd_all)² on each weight: all repetitions, folds and penalties of
a target are solved at once (`recovery.logistic`). Intervals resample images: an image takes
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

from identikit.estimate import Estimate
from identikit.linalg import centred, rounding
from identikit.randomness import stream
from identikit.recovery import logistic, measures
from identikit.recovery.bootstrap import Bootstrap, Statistic
from identikit.recovery.logistic import Tasks
from identikit.studies.imagenet_x.splits import (
    BalancedSplit,
    balanced_splits,
    corrected_half_width,
    corrected_p,
    plain_p,
)

SCORES = ("accuracy", "correlation", "precision", "recall", "F1", "ROC AUC", "PR AUC")
PENALTIES = (1e2, 1e1, 1.0, 1e-1, 1e-2, 1e-3, 1e-4)
ROUGH = 1e-4
"""Tolerance of the fits that only choose the penalty."""
ENOUGH = 100
"""Test images from which a target is not flagged."""
BLOCK = 256
"""Features that are standardised at a time."""
_DEAD = 1e6
"""Penalty on a feature that does not vary in the training part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """How a read-out is made. Each switch brings back one flaw of the published code."""

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
class ReadOut:
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

    @property
    def enough(self) -> bool:
        """Whether a test part has the images that a number needs."""
        return self.n_test >= ENOUGH


def read_out(
    h: Float[Tensor, "n d"],
    targets: Mapping[str, Bool[Tensor, " n"]],
    *,
    procedure: Procedure,
    on_target: Callable[[str], None] | None = None,
) -> dict[str, ReadOut]:
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
    found = {}
    for name, present in targets.items():
        found[name] = _Target.of(x, present, name, procedure).read_out()
        if on_target is not None:
            on_target(name)
    return found


def _standardised(h: Tensor, procedure: Procedure) -> Tensor:
    """In units of all images, without features that do not vary; float32."""
    if procedure.positive_mean_only:
        h = h[:, h.double().mean(dim=0) > 0]
    noise = 4 * rounding(h)
    kept = []
    for block, least in zip(torch.split(h, BLOCK, dim=1), torch.split(noise, BLOCK), strict=True):
        centre = centred(block)
        size = centre.square().mean(dim=0).sqrt()
        alive = size > least
        kept.append((centre[:, alive] / size[alive]).float())
    return torch.cat(kept, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One target on the rows that any of its splits uses."""

    x: Float[Tensor, "m p"]
    label: Bool[Tensor, " m"]
    splits: list[BalancedSplit]
    name: str
    procedure: Procedure

    @classmethod
    def of(cls, x: Tensor, present: Tensor, name: str, procedure: Procedure) -> "_Target":
        splits = procedure.splits(name, present)
        rows = torch.unique(torch.cat([torch.cat([s.train, s.test]) for s in splits]))
        place = torch.zeros(len(x), dtype=torch.long)
        place[rows] = torch.arange(len(rows))
        return cls(
            x=x[rows],
            label=present[rows],
            splits=[BalancedSplit(train=place[s.train], test=place[s.test]) for s in splits],
            name=name,
            procedure=procedure,
        )

    def read_out(self) -> ReadOut:
        training = self._training()
        units = self._units(training)
        n_train, n_test = len(self.splits[0].train), len(self.splits[0].test)
        if self.procedure.penalty == "one":
            strength = torch.full((len(self.splits),), 1 / n_train)
        else:
            strength = self._chosen(units)
        fitted = logistic.fit(
            self.x,
            self._tasks(training),
            task=torch.arange(len(self.splits)),
            penalty=strength[:, None] * units,
        )
        logit = fitted.logits(self.x)[:, :, 1]
        each, over_images = scored(
            [logit[r, s.test] for r, s in enumerate(self.splits)],
            self.label,
            [s.test for s in self.splits],
            procedure=self.procedure,
            name=self.name,
        )
        estimates, stretched = _stretched(over_images, each, ratio=n_test / n_train)
        return ReadOut(
            scores=tuple(map(tuple, each.tolist())),
            estimates=estimates,
            stretched=stretched,
            p_value=corrected_p(each[:, 0], chance=0.5, ratio=n_test / n_train),
            p_plain=plain_p(each[:, 0], chance=0.5),
            n_train=n_train,
            n_test=n_test,
            penalties=tuple(strength.tolist()),
            converged=bool(fitted.converged.all()),
        )

    def _training(self) -> Float[Tensor, "repetitions m"]:
        """1 for the rows of each split's training part."""
        members = torch.zeros(len(self.splits), len(self.x))
        for own, split in zip(members, self.splits, strict=True):
            own[split.train] = 1
        return members

    def _tasks(self, weight: Tensor) -> Tasks:
        count = len(weight)
        label = self.label.long().expand(count, -1)
        return Tasks(label=label, weight=weight, classes=torch.full((count,), 2))

    def _units(self, training: Tensor) -> Float[Tensor, "repetitions p"]:
        """Penalty on each weight: the variance of its feature in the training part."""
        if self.procedure.standardise_on == "all":
            return torch.ones(len(self.splits), self.x.shape[1])
        weight = training / training.sum(dim=1, keepdim=True)
        variance = weight @ self.x.square() - (weight @ self.x).square()
        return torch.where(variance > 1e-6, variance, _DEAD)

    def _chosen(self, units: Tensor) -> Float[Tensor, " repetitions"]:
        """The penalty of each repetition with the least log-loss on folds of its training part."""
        folds, grid = self.procedure.folds, torch.tensor(PENALTIES)
        fold = torch.full((len(self.splits), len(self.x)), -1)
        for own, split in zip(fold, self.splits, strict=True):
            for half in split.train.chunk(2):
                own[half] = torch.arange(len(half)) % folds
        each = torch.arange(folds)[:, None]
        judged = (fold[:, None] == each).flatten(0, 1)
        fitted_on = ((fold[:, None] >= 0) & (fold[:, None] != each)).flatten(0, 1)
        task = torch.arange(len(judged)).repeat_interleave(len(grid))
        penalty = grid.repeat(len(judged))[:, None] * units[task // folds]
        tasks = self._tasks(fitted_on.float())
        total = []
        for block in torch.split(
            torch.arange(len(task)), max(1, logistic.BUDGET // (2 * len(self.x)))
        ):
            own = task[block]
            found = logistic.fit(self.x, tasks, task=own, penalty=penalty[block], tolerance=ROUGH)
            total.append(
                logistic.losses(found.logits(self.x), tasks.label[own], judged[own].float())
            )
        loss = torch.cat(total).view(len(self.splits), folds, len(grid)).sum(dim=1)
        return grid[loss.argmin(dim=1)]


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
    return each, tuple(bootstrap.estimates(mean))


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
            _ratio(hit * rest - false * missed, margins.sqrt()),
            _ratio(hit, hit + false),
            _ratio(hit, hit + missed),
            _ratio(2 * hit, 2 * hit + false + missed),
        ]
        return torch.cat([torch.stack(columns, 1), auc(weights), precise(weights)], 1)

    return statistic


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """The quotient, and 0 where b is 0."""
    return torch.where(b > 0, a / b.where(b > 0, 1.0), 0.0)
