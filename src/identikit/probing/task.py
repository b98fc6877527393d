"""A probing task: which factors are read out of features, and how that is tested.

One random split serves every linear probe, every control and the identity baseline, and one
set of resamples and of shuffles every interval and p-value, so that numbers side by side differ by
the features alone: those of a model, of a control or of another layer. Samples without a value of a
factor are left out of that factor and of no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors, Kind
from identikit.core.linalg import rounding, spread
from identikit.core.memory_mapped import projected, select_rows
from identikit.core.randomness import stream
from identikit.probing.control_tasks import MOST_WITHIN, control_tasks, share_within
from identikit.probing.linear import least_squares_from_moments
from identikit.probing.linear_probes import (
    EvaluationPlan,
    FeatureStatistics,
    ProbeResult,
    above_controls,
    corrected,
    gather,
    lack_of_values,
    read_each,
    targets,
    with_p_values,
)
from identikit.probing.maps import map_scores
from identikit.probing.recovery import Recovery
from identikit.probing.repeats import repeats
from identikit.probing.result import OK, FactorScore, MapScores
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.intervals import with_jackknife
from identikit.statistics.permutation import Permutations, Units
from identikit.statistics.split import Split, group_folds, random_split, training_folds
from identikit.theory.coverage import head_row_space

LEAST_SAMPLES = 8
LEAST_GROUPS = 4
FEW_GROUPS = 30
"""Held-out groups below which the status says that intervals are not quite sure."""
EXACT = 1e-9
"""Share of a variance that is rounding."""

S = TypeVar("S", bound=FactorScore | MapScores)
Results = tuple[list[ProbeResult], ...]
"""What each part of a task found in some features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What a task found in some features, with the statistics that more can be made of."""

    gathered: tuple[FeatureStatistics, ...]
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingTask:
    """Factors of n samples, with the samples that fit and those that score."""

    factors: Factors
    group: Int[Tensor, " n"]
    fitted: Bool[Tensor, " n"]
    parts: "tuple[_Part, ...]"
    """Of factors that the same samples have a value of."""

    @classmethod
    def of(
        cls,
        factors: Factors,
        *,
        groups: Int[Tensor, " n"] | None,
        items: Int[Tensor, " n"] | None,
        train_mask: Bool[Tensor, " n"] | None,
        seed: int,
        train_share: float,
        resamples: int,
        shuffles: int,
        many: bool = False,
    ) -> "ProbingTask":
        """Split the samples and draw resamples.

        Args:
            factors: What to read out.
            groups: As for `score`, as numbers.
            items: The same.
            train_mask: The same.
            seed: The same.
            train_share: The same.
            resamples: The same.
            shuffles: The same.
            many: Whether many sets of features are to be read: the same scores up to rounding,
                sooner.

        Raises:
            InputError: too few samples, groups or items.
        """
        n = factors.n_samples
        _require_enough(n, items)
        group = torch.arange(n) if items is None else items
        group = group if groups is None else groups
        if train_mask is None:
            _require_groups("items" if groups is None else "groups", group)
        split = _split(group, train_mask, train_share, seed)
        fitted = torch.zeros(n, dtype=torch.bool)
        fitted[split.train] = True

        def part(
            some: Factors, rows: Tensor, groups: Tensor | None, split: Split | None = None
        ) -> "_Part":
            shown = None if items is None else items[rows]
            _require_enough(len(rows), shown)
            return _Part.of(
                some,
                rows=rows,
                groups=groups,
                items=shown,
                split=split or _split(group[rows], fitted[rows], train_share, seed),
                seed=seed,
                resamples=resamples,
                shuffles=shuffles,
                many=many,
            )

        everyone, whole = torch.arange(n), factors.complete()
        incomplete = factors.incomplete()
        if not incomplete:
            given = group if groups is not None or items is None else None
            parts = [part(factors, everyone, given, split)]
        else:
            parts = [part(whole, everyone, group, split)] if whole else []
            parts += [part(some, rows, group[rows]) for rows, some in incomplete]
        return cls(factors=factors, group=group, fitted=fitted, parts=tuple(parts))

    def read(self, h: Float[Tensor, "n d_h"]) -> Readings:
        """Every factor, out of some features.

        Raises:
            InputError: a factor that does not vary in one of the two parts of the samples.
        """
        found = [part.read(part.select(h)) for part in self.parts]
        return Readings(gathered=tuple(g for g, _ in found), results=tuple(r for _, r in found))

    def recovery(
        self,
        h: Float[Tensor, "n d_h"],
        readings: Readings,
        *,
        beside: Mapping[str, Results],
        head: Float[Tensor, "labels _"] | None = None,
        refits: int = 0,
    ) -> Recovery:
        """What was found in h beside the same of controls, tested.

        Args:
            h: The features.
            readings: What `read` found in them.
            beside: What it found in controls.
            head: Rows of the classifier on h, one per class.
            refits: As for `score`.

        Raises:
            InputError: a head that does not fit h.
        """
        found = []
        for j, part in enumerate(self.parts):
            recovery = part.recovery(
                part.select(h),
                readings.gathered[j],
                readings.results[j],
                beside={name: results[j] for name, results in beside.items()},
                head=head,
                refits=refits,
            )
            if len(part.rows) < len(h):
                words = f"{len(part.rows):,} of {len(h):,} samples have a value"
                scores = tuple(also(s, words, first=True) for s in recovery.factors)
                recovery = replace(recovery, factors=scores)
            found.append(recovery)
        return replace(
            found[0],
            factors=self._together([r.factors for r in found]),
            controls={name: self._together([r.controls[name] for r in found]) for name in beside},
        )

    def latents(self, h: Float[Tensor, "n d_h"], readings: Readings) -> MapScores | None:
        """The map from h to all factors at once; None where one is no number, or rows are few.

        Where factors lack values it is fitted to the samples that have a value of every factor.

        Args:
            h: The features.
            readings: What `read` found in them.
        """
        if any(factor.kind is not Kind.CONTINUOUS for factor in self.factors.values()):
            return None
        if not self.factors.incomplete():
            return self.parts[0].latents(h, readings.gathered[0])
        rows, whole = self.factors.jointly()
        group, train = self.group[rows], self.fitted[rows]
        if min(len(torch.unique(group[part])) for part in (train, ~train)) < LEAST_SAMPLES:
            return None
        first = self.parts[0]
        part = _Part.of(
            whole,
            rows=rows,
            groups=group,
            items=None,
            split=_split(group, train, 0.5, first.seed),
            seed=first.seed,
            resamples=first.plan.bootstrap.resamples,
            shuffles=0,
            many=False,
        )
        some = part.select(h)
        joint = part.latents(some, gather(some, whole, plan=part.plan))
        words = f"{len(rows):,} of {len(h):,} samples have a value of every factor"
        return also(joint, words, first=True)

    def _together(self, parts: list[tuple[FactorScore, ...]]) -> tuple[FactorScore, ...]:
        """In the order of the factors, with p-values corrected for all of them."""
        by_name = {score.name: score for part in parts for score in part}
        return corrected([by_name[name] for name in self.factors])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Factors that some samples, or all, have a value of each."""

    rows: Int[Tensor, " n"]
    factors: Factors
    group: Int[Tensor, " n"]
    items: Int[Tensor, " n"] | None
    units: Mapping[str, Units]
    plan: EvaluationPlan
    seed: int

    @classmethod
    def of(
        cls,
        factors: Factors,
        *,
        rows: Tensor,
        groups: Tensor | None,
        items: Tensor | None,
        split: Split,
        seed: int,
        resamples: int,
        shuffles: int,
        many: bool,
    ) -> "_Part":
        units = _units(groups, items, split)
        group = next(label for label in (groups, items) if label is not None)
        outer, *inner = units.values()
        plan = EvaluationPlan(
            split=split,
            folds=training_folds(group[split.train], seed=seed),
            bootstrap=Bootstrap(
                outer.label, resamples=resamples, generator=stream(seed, "bootstrap")
            ),
            permutations=Permutations(
                outer=outer, inner=inner[0] if inner else None, shuffles=shuffles, seed=seed
            ),
            many=many,
        )
        return cls(
            rows=rows, factors=factors, group=group, items=items, units=units, plan=plan, seed=seed
        )

    def select(self, h: Tensor) -> Tensor:
        return h if len(self.rows) == len(h) else select_rows(h, self.rows)

    def read(self, h: Tensor) -> tuple[FeatureStatistics, list[ProbeResult]]:
        gathered = gather(h, self.factors, plan=self.plan)
        return gathered, read_each(gathered, self.factors, plan=self.plan)

    def recovery(
        self,
        h: Tensor,
        gathered: FeatureStatistics,
        results: list[ProbeResult],
        *,
        beside: Mapping[str, list[ProbeResult]],
        head: Tensor | None,
        refits: int,
    ) -> Recovery:
        plan, split = self.plan, self.plan.split
        grouped = plan.bootstrap.n_groups < len(split.test)
        scores = above_controls(with_p_values(results, plan=plan), results, controls=beside)
        if refits:
            scores = self._over_training(scores, h, refits)
        if self.items is not None:
            scores = self._with_control_tasks(scores, h, self.items)
        scores = tuple(also(s, *_not_shuffled(s, self.units)) for s in scores)
        if head is not None:
            scores = self._with_coverage(scores, h, head)
        train = gathered.statistics.train(0)
        fit = gathered.fits[0] if gathered.fits else least_squares_from_moments(train)
        dim = h.shape[1]
        return Recovery(
            factors=scores,
            controls={
                name: tuple(result.score for result in found)
                if plan.many  # nothing is claimed of them, and shuffles are many
                else with_p_values(found, plan=plan)
                for name, found in beside.items()
            },
            n_train=len(split.train),
            n_test=len(split.test),
            dim=dim,
            rank=fit.rank,
            condition_number=fit.condition_number if fit.rank else None,
            status=_status(
                *_varies(fit.rank, dim, len(split.train)),
                *(() if grouped else repeats(h, self.factors)),
                *_few_groups(plan.bootstrap.n_groups, grouped=grouped),
                *_seen(self.units),
            ),
        )

    def latents(self, h: Tensor, gathered: FeatureStatistics) -> MapScores:
        return map_scores(
            gathered.features,
            h,
            torch.cat([targets(factor) for factor in self.factors.values()], dim=1),
            names=tuple(self.factors),
            folds=[self.plan.split],
            statistics=gathered.statistics,
            groups=self.group,
            bootstrap=self.plan.bootstrap,
            fits=gathered.fits,
        )

    def _with_coverage(
        self, scores: tuple[FactorScore, ...], h: Tensor, rows: Tensor
    ) -> tuple[FactorScore, ...]:
        """Add the score of h inside the head's row space, and outside where that is not empty."""
        if rows.shape[1] != h.shape[1]:
            raise InputError(
                f"the head must have one column per dimension of H ({h.shape[1]}); "
                f"got shape {tuple(rows.shape)}. Pass W as (labels, d_h)."
            )
        coverage = head_row_space(rows)
        if coverage.rank == h.shape[1]:  # the part is the whole, turned
            return tuple(replace(s, row_space=s.estimate) for s in scores)
        dtype = torch.float64 if h.dtype == torch.float64 else torch.float32
        bases = (coverage.basis, coverage.complement_basis)
        inside, outside = (projected(h, basis, dtype=dtype) for basis in bases)
        # what rounding h left outside is no information, however well a regression can scale it
        noise = 4 * rounding(h).square().sum().sqrt()
        outside[:, spread(outside) <= noise] = 0
        (_, covered), (_, rest) = self.read(inside), self.read(outside)
        return tuple(
            replace(s, row_space=c.score.estimate, complement=r.score.estimate)
            for s, c, r in zip(scores, covered, rest, strict=True)
        )

    def _over_training(
        self, scores: tuple[FactorScore, ...], h: Tensor, refits: int
    ) -> tuple[FactorScore, ...]:
        """Widen each interval by how scores move with the training rows: a jackknife of parts."""
        rows, test = self.plan.split.train, self.plan.split.test
        generator = stream(self.seed, "refits")
        parts = group_folds(self.group[rows], n_folds=refits, generator=generator)
        splits = [Split(train=rows[part.train], test=test) for part in parts]
        factors = self.factors.values()
        whole = [f for f in factors if not any(lack_of_values(f, s) for s in splits)]
        if not whole:
            return scores
        found: dict[str, list[float]] = {f.name: [] for f in whole}
        for split in splits:
            folds = training_folds(self.group[split.train], seed=self.seed)
            own = replace(self.plan, split=split, folds=folds)
            for result in read_each(gather(h, Factors(whole), plan=own), Factors(whole), plan=own):
                found[result.score.name].append(result.score.estimate.value)
        return tuple(
            replace(s, over_training=with_jackknife(s.estimate, found[s.name]))
            if s.name in found
            else s
            for s in scores
        )

    def _with_control_tasks(
        self, scores: tuple[FactorScore, ...], h: Tensor, items: Tensor
    ) -> tuple[FactorScore, ...]:
        """Add what is read where samples of an item are on both sides, and what is memory of it."""
        split, seed = self.plan.split, self.seed
        if not _on_both_sides(items, split):
            share = len(split.train) / len(h)
            split = _split(torch.arange(len(h)), None, share, seed)
            if not _on_both_sides(items, split):
                words = "no control task: most items have one sample, which nothing can learn by "
                return tuple(also(score, f"{words}heart") for score in scores)
        both_sides = replace(
            self.plan,
            split=split,
            folds=training_folds(torch.arange(len(split.train)), seed=seed),
            bootstrap=Bootstrap(
                items[split.test],
                resamples=self.plan.bootstrap.resamples,
                generator=stream(seed, "bootstrap of items"),
            ),
        )
        tasks = control_tasks(h, self.factors, items, plan=both_sides, seed=seed)
        found = []
        for score in scores:
            task, within = tasks.get(score.name), share_within(self.factors[score.name], items)
            varies = f"{within:.1%} of its variance is within items"
            if task is not None:
                score = replace(
                    score,
                    same_items=task.same_items,
                    control_task=task.control,
                    selectivity=task.selectivity,
                )
                if within > EXACT:
                    score = also(score, f"{varies}, of which selectivity says nothing")
            elif within > MOST_WITHIN:
                score = also(score, f"{varies}, which no list of items holds: no control task")
            else:
                words = "no control task: a split by sample leaves too few of its values"
                score = also(score, words)
            found.append(score)
        return tuple(found)


def also(score: S, *words: str, first: bool = False) -> S:
    """The score with more in its status."""
    known = () if score.status == OK else (score.status,)
    return replace(score, status=_status(*((*words, *known) if first else (*known, *words))))


def _require_enough(n: int, items: Tensor | None) -> None:
    if n < LEAST_SAMPLES:
        raise InputError(f"H has {n} samples; at least {LEAST_SAMPLES} are needed to split.")
    if items is not None and len(torch.unique(items)) < 2:
        raise InputError("items names one thing only; give two or more to tell them apart.")


def _require_groups(name: str, group: Tensor) -> None:
    count = len(torch.unique(group))
    if count < LEAST_GROUPS:
        raise InputError(
            f"{name} has {count} different labels, each of which is held out whole: it takes "
            f"{LEAST_GROUPS} or more, two to fit and two to score. Give samples of others, or hold "
            "something finer out (`identikit probe --groups key`: each sample by itself)."
        )


def _split(group: Tensor, train_mask: Tensor | None, train_share: float, seed: int) -> Split:
    if train_mask is None:
        return random_split(group, train_share=train_share, generator=stream(seed, "split"))
    split = Split(train=train_mask.nonzero().flatten(), test=(~train_mask).nonzero().flatten())
    if min(len(split.train), len(split.test)) < 2:
        raise InputError(
            f"train_mask leaves {len(split.train)} samples to fit and {len(split.test)} to "
            "score; each part needs at least two."
        )
    return split


def _on_both_sides(items: Tensor, split: Split) -> bool:
    return bool(torch.isin(items[split.test], items[split.train]).double().mean() >= 0.5)


def _status(*notes: str) -> str:
    return "; ".join(notes) or OK


def _units(groups: Tensor | None, items: Tensor | None, split: Split) -> dict[str, Units]:
    """What holds held-out samples together, the fewest first."""
    labels = {"groups": groups, "items": items}
    given = {name: label for name, label in labels.items() if label is not None}
    order = sorted(given, key=lambda name: len(torch.unique(given[name])))
    return {name: Units.of(given[name], split) for name in order}


REMEDY = {
    "groups": "leave train_mask out to hold whole groups out",
    "items": "leave groups and train_mask out to hold whole items out",
}


def _seen(units: Mapping[str, Units]) -> tuple[str, ...]:
    """Items, or groups, that are on both sides of the split, in words."""
    return tuple(
        f"{int(own.seen.sum()):,} of {len(own.seen):,} held-out samples belong to {name} of which "
        "other samples fitted the map: what these have in common may be known by heart, which no "
        f"interval tells; {REMEDY[name]}"
        for name, own in units.items()
        if own.seen.any()
    )


def _not_shuffled(score: FactorScore, units: Mapping[str, Units]) -> tuple[str, ...]:
    """Why nothing about a factor may be shuffled, where that is so, and what would decide."""
    if score.least_p_value != 1:
        return ()
    for name, own in units.items():
        if own.seen.any():
            return (f"it may be known by heart, {name[:-1]} by {name[:-1]}: {REMEDY[name]}",)
    return ("it goes along with items and groups that cross: give one of them alone",)


def _few_groups(n_groups: int, *, grouped: bool) -> tuple[str, ...]:
    if not grouped or n_groups >= FEW_GROUPS:
        return ()
    return (f"few groups: with {n_groups} held out intervals are wide, and not quite sure",)


def _varies(rank: int, dim: int, n_train: int) -> tuple[str, ...]:
    if rank == min(dim, n_train - 1):
        return ()
    return (
        f"h varies in {rank} of its {dim} dimensions: the others are constant, combinations of "
        "these, or below the precision of the numbers",
    )
