"""`score(H, Z)`: what is linearly in a representation, how sure that is, and beside what."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.linalg import least_squares
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.features.columns import as_classes, as_labels, as_mask
from identikit.features.inputs import as_factors, as_features
from identikit.probing.maps import map_scores
from identikit.probing.recovery import Recovery
from identikit.probing.regression import CompressedFeatures
from identikit.probing.result import MapScores
from identikit.probing.task import ProbingTask
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.permutation import PER_FACTOR
from identikit.statistics.split import class_folds, random_split
from identikit.theory.coverage import class_rows
from identikit.theory.recovery_ceiling import Ceiling

LEAST_REFITS = 5
IDENTITY = "x"


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
    require_refits(refits)
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
    require_length("Z", factors.n_samples, len(h))
    for name, other in others.items():
        require_length(f"control {name!r}", len(other), len(h))
    if shuffles is None:
        shuffles = max(resamples, PER_FACTOR * len(factors))
    task = ProbingTask.of(
        factors,
        groups=None if groups is None else as_labels(groups, name="groups", n=len(h)),
        items=None if items is None else as_labels(items, name="items", n=len(h)),
        train_mask=None if train_mask is None else as_mask(train_mask, name="train_mask", n=len(h)),
        seed=seed,
        train_share=train_share,
        resamples=resamples,
        shuffles=shuffles,
    )
    rows = None if head is None else as_features(head, name="head")
    readings = task.read(h)
    head_scores = _head(rows, head_class, class_vectors, resamples, seed)
    recovery = task.recovery(
        h,
        readings,
        beside={name: task.read(other).results for name, other in others.items()},
        head=None if rows is None else _independent(rows, head_class),
        refits=refits,
    )
    return replace(
        recovery,
        latents=task.latents(h, readings),
        head=head_scores,
        ceiling=ceiling.r2_latents if isinstance(ceiling, Ceiling) else ceiling,
        objective=ceiling.objective if isinstance(ceiling, Ceiling) else None,
    )


def held_out_predictions(
    H: Float[Tensor, "n d_h"],
    Z: Float[Tensor, "n d_z"],
    *,
    seed: int = 0,
    train_share: float = 0.5,
) -> tuple[Float[Tensor, "n_test d_z"], Float[Tensor, "n_test d_z"]]:
    """Affine predictions and true latents of the held-out samples of `score`, for figures."""
    samples = torch.arange(len(H))
    split = random_split(samples, train_share=train_share, generator=stream(seed, "split"))
    fit = least_squares(H[split.train], Z[split.train])
    return fit.predict(H[split.test]), Z[split.test].double()


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


def require_refits(refits: int) -> None:
    """Refuse fits that are too few to tell how scores move.

    Raises:
        InputError: too few.
    """
    if refits and refits < LEAST_REFITS:
        raise InputError(f"refits must be 0, or {LEAST_REFITS} or more; got {refits}.")


def require_length(name: str, got: int, n: int, *, of: str = "H") -> None:
    """Refuse what has another number of rows.

    Raises:
        InputError: another number.
    """
    if got != n:
        raise InputError(
            f"{name} and {of} must have the same number of rows; got {got} and {n}. "
            "Pass values of the same samples."
        )
