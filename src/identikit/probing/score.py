"""`score(H, Z)`: what is linearly in a representation, how sure that is, and beside what.

One random split serves every linear probe, every control and the identity baseline, and one
set of resamples every interval, so that numbers side by side differ by the features alone.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.factors import Factors, Kind
from identikit.core.linalg import least_squares, rounding, spread
from identikit.core.memory_mapped import projected, select_rows
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.features.columns import as_classes, as_labels, as_mask
from identikit.features.inputs import as_factors, as_features
from identikit.probing.control_tasks import MOST_WITHIN, control_tasks, share_within
from identikit.probing.linear import least_squares_from_moments
from identikit.probing.linear_probes import (
    EvaluationPlan,
    FeatureStatistics,
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
from identikit.probing.regression import CompressedFeatures
from identikit.probing.repeats import repeats
from identikit.probing.result import OK, FactorScore, MapScores
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.intervals import with_jackknife
from identikit.statistics.permutation import PER_FACTOR, Permutations, Units
from identikit.statistics.split import (
    Split,
    class_folds,
    group_folds,
    random_split,
    training_folds,
)
from identikit.theory.coverage import class_rows, head_row_space
from identikit.theory.recovery_ceiling import Ceiling

LEAST_SAMPLES = 8
LEAST_REFITS = 5
FEW_GROUPS = 30
"""Held-out groups below which the status says that intervals are not quite sure."""
IDENTITY = "x"
EXACT = 1e-9
"""Share of a variance that is rounding."""
S = TypeVar("S", bound=FactorScore | MapScores)


def score(
    H: Any,
    Z: Any = None,
    *,
    kinds: Mapping[str, str] | None = None,
    head: Any = None,
    head_class: Any = None,
    class_vectors: Any = None,
    x: Any = None,
    controls: Mapping[str, Any] | None = None,
    groups: Any = None,
    items: Any = None,
    train_mask: Any = None,
    ceiling: float | Ceiling | None = None,
    seed: int = 0,
    train_share: float = 0.5,
    resamples: int = 1000,
    shuffles: int | None = None,
    refits: int = 0,
) -> Recovery:
    """Read the factors Z out of the representation H, on held-out samples.

    Args:
        H: Features (n, d_h), NumPy or torch, or a `Representation` that brings its factors,
            head and observations with it.
        Z: Factors: a matrix (n, d_z), a mapping or data frame of columns, or `Factors`.
        kinds: Kind per factor, such as {"azimuth": "circular:360"}, where inference would
            guess wrong (see `identikit.features.inputs`).
        head: Rows W (labels, d_h) of the classifier trained on H: adds the part of each
            score that lies inside its row space, and outside.
        head_class: Class of each row, where several rows belong to one class.
        class_vectors: Cluster vectors (classes, d_z): adds the recovery of head rows.
        x: Observations (n, ...): the identity baseline.
        controls: Other features of the same samples by name: pixels, an untrained twin.
        groups: Labels (n); samples of a group are held out, and resampled, together.
        items: Labels (n) of what each sample shows, such as its object or word: held out, and
            resampled, together unless `groups` says otherwise. Adds scores on other samples of the
            same items, those for random values of them (control tasks), and the difference.
        train_mask: Samples to fit on (n, boolean) in place of a random split of the groups. Items
            or groups that it puts on both sides may be known by heart: p-values then compare
            samples within them alone, and what belongs to them stays undecided.
        ceiling: What theory predicts, to stand beside the scores: a `theory.ceiling(world)`, which
            knows the objective that it is the optimum of, or an R² alone.
        seed: Of the split and the resamples.
        train_share: Share of samples, or of groups, to fit on.
        resamples: Bootstrap resamples behind each interval.
        shuffles: Permutations behind each p-value; if not given as many as resamples, or for many
            factors more, so that each could still be found.
        refits: Fits that leave out one part of the training rows each, of so many (10 do): adds
            the interval over training rows too.

    Raises:
        InputError: anything that cannot be scored, with what would do.
    """
    if refits and refits < LEAST_REFITS:
        raise InputError(f"refits must be 0, or {LEAST_REFITS} or more; got {refits}.")
    if isinstance(H, Representation):
        if Z is not None:
            raise InputError("H is a Representation and brings its factors; leave Z out.")
        Z, head = H.factors, H.head if head is None else head
        head_class = H.head_class if head_class is None else head_class
        class_vectors = H.class_vectors if class_vectors is None else class_vectors
        x, H = H.x if x is None else x, H.h
    if Z is None:
        raise InputError("Z is missing: pass the factors of the samples in H.")
    h, factors = as_features(H, name="H"), as_factors(Z, kinds=kinds)
    features = {IDENTITY: x} if x is not None else {}
    if IDENTITY in (controls or {}) and x is not None:
        raise InputError("a control is named 'x', which stands for the observations; rename it.")
    features |= dict(controls or {})
    others = {name: as_features(v, name=f"control {name!r}") for name, v in features.items()}
    _require_length("Z", factors.n_samples, len(h))
    for name, other in others.items():
        _require_length(f"control {name!r}", len(other), len(h))
    if len(h) < LEAST_SAMPLES:
        raise InputError(f"H has {len(h)} samples; at least {LEAST_SAMPLES} are needed to split.")

    shown = None if items is None else as_labels(items, name="items", n=len(h))
    if shown is not None and len(torch.unique(shown)) < 2:
        raise InputError("items names one thing only; give two or more to tell them apart.")
    group = torch.arange(len(h)) if shown is None else shown
    if groups is not None:
        group = as_labels(groups, name="groups", n=len(h))
    if shuffles is None:
        shuffles = max(resamples, PER_FACTOR * len(factors))
    split = _split(group, train_mask, train_share, seed)
    if factors.incomplete():
        return _each_on_its_rows(
            h,
            factors,
            others,
            group=group,
            split=split,
            items=shown,
            options={
                "head": head,
                "head_class": head_class,
                "class_vectors": class_vectors,
                "ceiling": ceiling,
                "seed": seed,
                "resamples": resamples,
                "shuffles": shuffles,
                "refits": refits,
            },
        )
    units = _units(group if groups is not None or shown is None else None, shown, split)
    outer, *inner = units.values()
    plan = EvaluationPlan(
        split=split,
        folds=training_folds(group[split.train], seed=seed),
        bootstrap=Bootstrap(outer.label, resamples=resamples, generator=stream(seed, "bootstrap")),
        permutations=Permutations(
            outer=outer, inner=inner[0] if inner else None, shuffles=shuffles, seed=seed
        ),
    )
    grouped = plan.bootstrap.n_groups < len(split.test)
    gathered = gather(h, factors, plan=plan)
    results = read_each(gathered, factors, plan=plan)
    beside = {
        name: read_each(gather(other, factors, plan=plan), factors, plan=plan)
        for name, other in others.items()
    }
    scores = above_controls(with_p_values(results, plan=plan), results, controls=beside)
    if refits:
        scores = _over_training(scores, h, factors, group, plan, refits, seed)
    if shown is not None:
        scores = _with_control_tasks(scores, h, factors, shown, plan, seed)
    scores = tuple(_also(s, *_not_shuffled(s, units)) for s in scores)
    rows = None if head is None else as_features(head, name="head")
    head_scores = _head(rows, head_class, class_vectors, resamples, seed)
    if rows is not None:
        scores = _with_coverage(scores, h, _independent(rows, head_class), factors, plan)
    fit = least_squares_from_moments(gathered.statistics.train(0))
    return Recovery(
        factors=scores,
        latents=_latents(h, gathered, factors, group, plan),
        head=head_scores,
        controls={name: with_p_values(found, plan=plan) for name, found in beside.items()},
        ceiling=ceiling.r2_latents if isinstance(ceiling, Ceiling) else ceiling,
        objective=ceiling.objective if isinstance(ceiling, Ceiling) else None,
        n_train=len(split.train),
        n_test=len(split.test),
        dim=h.shape[1],
        rank=fit.rank,
        condition_number=fit.condition_number if fit.rank else None,
        status=_status(
            *_varies(fit.rank, h.shape[1], len(split.train)),
            *(() if grouped else repeats(h, factors)),
            *_few_groups(plan.bootstrap.n_groups, grouped=grouped),
            *_seen(units),
        ),
    )


def _each_on_its_rows(
    h: Tensor,
    factors: Factors,
    others: Mapping[str, Tensor],
    *,
    group: Tensor,
    split: Split,
    items: Tensor | None,
    options: Mapping[str, Any],
) -> Recovery:
    """Scores where some factors have no value for some samples: these are left out of those.

    The split and the scores of the other factors are what they are without such factors; p-values
    are corrected for all.
    """
    fitted = torch.zeros(len(h), dtype=torch.bool)
    fitted[split.train] = True
    whole = factors.complete()
    parts = [(torch.arange(len(h)), whole)] if whole else []
    found = []
    for rows, some in (*parts, *factors.incomplete()):
        own = {name: select_rows(v, rows) for name, v in others.items()}
        recovery = score(
            select_rows(h, rows),
            some,
            x=own.pop(IDENTITY, None),
            controls=own,
            groups=group[rows],
            items=None if items is None else items[rows],
            train_mask=fitted[rows],
            **options,
        )
        if len(rows) < len(h):
            words = f"{len(rows):,} of {len(h):,} samples have a value"
            scores = tuple(_also(s, words, first=True) for s in recovery.factors)
            recovery = replace(recovery, factors=scores)
        found.append(recovery)
    return replace(
        found[0],
        factors=_together([r.factors for r in found], factors),
        latents=_joint_latents(h, factors, group, fitted, options),
        controls={name: _together([r.controls[name] for r in found], factors) for name in others},
    )


def _joint_latents(
    h: Tensor, factors: Factors, group: Tensor, fitted: Tensor, options: Mapping[str, Any]
) -> MapScores | None:
    """The map to all factors at once, where all have a value; None where these rows are few."""
    if any(factor.kind is not Kind.CONTINUOUS for factor in factors.values()):
        return None
    rows, whole = factors.jointly()
    group, train = group[rows], fitted[rows]
    if min(len(torch.unique(group[part])) for part in (train, ~train)) < LEAST_SAMPLES:
        return None
    own = {name: options[name] for name in ("seed", "resamples")}
    joint = score(select_rows(h, rows), whole, groups=group, train_mask=train, **own).latents
    assert joint is not None
    words = f"{len(rows):,} of {len(h):,} samples have a value of every factor"
    return _also(joint, words, first=True)


def _also(score: S, *words: str, first: bool = False) -> S:
    """The score with more in its status."""
    known = () if score.status == OK else (score.status,)
    return replace(score, status=_status(*((*words, *known) if first else (*known, *words))))


def _together(parts: list[tuple[FactorScore, ...]], factors: Factors) -> tuple[FactorScore, ...]:
    """In the order of the factors, with p-values corrected for all of them."""
    by_name = {score.name: score for part in parts for score in part}
    return corrected([by_name[name] for name in factors])


def held_out_predictions(
    H: Float[Tensor, "n d_h"],
    Z: Float[Tensor, "n d_z"],
    *,
    seed: int = 0,
    train_share: float = 0.5,
) -> tuple[Float[Tensor, "n_test d_z"], Float[Tensor, "n_test d_z"]]:
    """Affine predictions and true latents of the held-out samples of `score`, for figures."""
    split = _split(torch.arange(len(H)), None, train_share, seed)
    fit = least_squares(H[split.train], Z[split.train])
    return fit.predict(H[split.test]), Z[split.test].double()


def _latents(
    h: Tensor, gathered: FeatureStatistics, factors: Factors, group: Tensor, plan: EvaluationPlan
) -> MapScores | None:
    if any(factor.kind is not Kind.CONTINUOUS for factor in factors.values()):
        return None
    return map_scores(
        gathered.features,
        h,
        torch.cat([targets(factor) for factor in factors.values()], dim=1),
        names=tuple(factors),
        folds=[plan.split],
        statistics=gathered.statistics,
        groups=group,
        bootstrap=plan.bootstrap,
        fits=gathered.fits,
    )


def _head(
    rows: Tensor | None, row_class: Any, vectors: Any, resamples: int, seed: int
) -> MapScores | None:
    """Head rows against the cluster vector of each row's class, split by class."""
    if rows is None or vectors is None:
        return None
    v = as_features(vectors, name="class_vectors")
    if row_class is None:
        if len(rows) != len(v):
            raise InputError(
                f"the head has {len(rows)} rows and class_vectors {len(v)}; pass head_class, "
                "the class of each row."
            )
        row_class = torch.arange(len(rows))
    label = as_classes(row_class, name="head_class", n=len(rows))
    if label.min() < 0 or label.max() >= len(v):
        raise InputError(
            f"head_class must number the rows of class_vectors, 0 to {len(v) - 1}; got "
            f"{int(label.min())} to {int(label.max())}."
        )
    if len(torch.unique(label)) < 2:
        raise InputError("head_class names one class only; nothing can be held out.")
    folds = class_folds(label, dim=rows.shape[1], generator=stream(seed, "classes"))
    features = CompressedFeatures.of(rows)
    return map_scores(
        features,
        rows,
        v[label],
        names=tuple(f"v{j + 1}" for j in range(v.shape[1])),
        folds=folds,
        statistics=features.statistics(v[label], splits=folds),
        groups=label,
        bootstrap=Bootstrap(
            label[torch.cat([fold.test for fold in folds])],
            resamples=resamples,
            generator=stream(seed, "bootstrap of classes"),
        ),
    )


def _independent(rows: Tensor, row_class: Any) -> Tensor:
    """One row per class where classes are known, else the rows as they are."""
    if row_class is None:
        return rows
    return class_rows(rows, as_labels(row_class, name="head_class", n=len(rows)))


def _with_coverage(
    scores: tuple[FactorScore, ...], h: Tensor, rows: Tensor, factors: Factors, plan: EvaluationPlan
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
    covered, rest = (
        read_each(gather(part, factors, plan=plan), factors, plan=plan)
        for part in (inside, outside)
    )
    return tuple(
        replace(s, row_space=c.score.estimate, complement=r.score.estimate)
        for s, c, r in zip(scores, covered, rest, strict=True)
    )


def _split(group: Tensor, train_mask: Any, train_share: float, seed: int) -> Split:
    if train_mask is None:
        return random_split(group, train_share=train_share, generator=stream(seed, "split"))
    mask = as_mask(train_mask, name="train_mask", n=len(group))
    split = Split(train=mask.nonzero().flatten(), test=(~mask).nonzero().flatten())
    if min(len(split.train), len(split.test)) < 2:
        raise InputError(
            f"train_mask leaves {len(split.train)} samples to fit and {len(split.test)} to "
            "score; each part needs at least two."
        )
    return split


def _over_training(
    scores: tuple[FactorScore, ...],
    h: Tensor,
    factors: Factors,
    group: Tensor,
    plan: EvaluationPlan,
    refits: int,
    seed: int,
) -> tuple[FactorScore, ...]:
    """Widen each interval by how scores move with the training rows: a jackknife of parts."""
    rows = plan.split.train
    parts = group_folds(group[rows], n_folds=refits, generator=stream(seed, "refits"))
    splits = [Split(train=rows[part.train], test=plan.split.test) for part in parts]
    whole = [f for f in factors.values() if not any(lack_of_values(f, s) for s in splits)]
    if not whole:
        return scores
    found: dict[str, list[float]] = {f.name: [] for f in whole}
    for split in splits:
        folds = training_folds(group[split.train], seed=seed)
        own = replace(plan, split=split, folds=folds)
        for result in read_each(gather(h, Factors(whole), plan=own), Factors(whole), plan=own):
            found[result.score.name].append(result.score.estimate.value)
    return tuple(
        replace(s, over_training=with_jackknife(s.estimate, found[s.name]))
        if s.name in found
        else s
        for s in scores
    )


def _with_control_tasks(
    scores: tuple[FactorScore, ...],
    h: Tensor,
    factors: Factors,
    items: Tensor,
    plan: EvaluationPlan,
    seed: int,
) -> tuple[FactorScore, ...]:
    """Add what is read where samples of an item are on both sides, and what of it is memory."""
    split = plan.split
    if not _on_both_sides(items, split):
        share = len(split.train) / len(h)
        split = _split(torch.arange(len(h)), None, share, seed)
        if not _on_both_sides(items, split):
            words = "no control task: most items have one sample, which nothing can learn by heart"
            return tuple(_also(score, words) for score in scores)
    both_sides = EvaluationPlan(
        split=split,
        folds=training_folds(torch.arange(len(split.train)), seed=seed),
        bootstrap=Bootstrap(
            items[split.test],
            resamples=plan.bootstrap.resamples,
            generator=stream(seed, "bootstrap of items"),
        ),
        permutations=plan.permutations,
    )
    tasks = control_tasks(h, factors, items, plan=both_sides, seed=seed)
    found = []
    for score in scores:
        task, within = tasks.get(score.name), share_within(factors[score.name], items)
        varies = f"{within:.1%} of its variance is within items"
        if task is not None:
            score = replace(
                score,
                same_items=task.same_items,
                control_task=task.control,
                selectivity=task.selectivity,
            )
            if within > EXACT:
                score = _also(score, f"{varies}, of which selectivity says nothing")
        elif within > MOST_WITHIN:
            score = _also(score, f"{varies}, which no list of items holds: no control task")
        else:
            score = _also(score, "no control task: a split by sample leaves too few of its values")
        found.append(score)
    return tuple(found)


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


def _require_length(name: str, got: int, n: int) -> None:
    if got != n:
        raise InputError(
            f"{name} and H must have the same number of rows; got {got} and {n}. "
            "Pass values of the same samples."
        )
