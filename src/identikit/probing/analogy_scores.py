"""`analogies(H, ...)`: is a change of one factor, or from a word to its pair, one step of vectors?

Of factors: parallelograms among the samples along one factor, all others different (`analogies`).
Of words: pairs by concept, or questions a : b = c : d by section (`offsets`). h is (n, d).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.features.inputs import as_factors, as_features
from identikit.probing.analogies import find_analogies, step_agreement
from identikit.probing.analogy_result import Analogies, AnalogyScore
from identikit.probing.offsets import (
    agreement,
    causal,
    mean_cosine,
    projections,
    retrieved,
    share_of,
    unit,
)
from identikit.statistics.bootstrap import Bootstrap, Statistic

LEAST_PAIRS, LEAST_FOUND = 3, 8
Words = Mapping[str, Sequence[tuple[str, ...]]]
"""Pairs, or questions of four words, by concept."""


def analogies(
    H: Any,
    Z: Any = None,
    *,
    kinds: Mapping[str, str] | None = None,
    words: Sequence[str] | None = None,
    pairs: Words | None = None,
    questions: Words | None = None,
    output: Any = None,
    controls: Mapping[str, Any] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    count: int = 1000,
) -> Analogies:
    """Ask whether differences agree, and whether offsets find the fourth corner.

    Args:
        H: Vectors (n, d) of samples or of words; or a mapping of them by layer, in the order of
            computation, each asked for once.
        Z: Factors of the samples, as for `score`; each is taken by its levels.
        kinds: The same.
        words: Instead of factors: what each row of H is a vector of.
        pairs: With words: pairs (a, b) by concept.
        questions: Or questions (a, b, c, d) by section, a : b = c : d.
        output: Rows of the output embedding, whose covariance makes the causal inner product; by
            default all rows of H, where these are more than dimensions. Of words alone.
        controls: Other vectors of the same rows, as for `score_layers`.
        seed: Of questions, parallelograms and resamples.
        resamples: Behind each interval.
        count: Parallelograms, or questions, of each factor or concept at most.

    Raises:
        InputError: arguments that cannot be used, with what would do.
    """
    given = {"Z": Z, "pairs": pairs, "questions": questions}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1 or (words is None) != (Z is not None):
        raise InputError(
            "give factors Z, or words with pairs, or words with questions; got "
            f"{' and '.join(named + (['words'] if words is not None else [])) or 'none'}."
        )
    layers = H if isinstance(H, Mapping) else {"": H}
    if not layers:
        raise InputError("H is an empty mapping; give vectors of one layer or more.")
    draw = {"seed": seed, "resamples": resamples, "count": count}
    if Z is not None:
        tasks = _of_factors(as_factors(Z, kinds=kinds), **draw)
    else:
        assert words is not None
        tasks = _of_words(words, pairs or questions or {}, asked=questions is not None, **draw)
    rows = None if output is None else as_features(output, name="output")
    scores: list[AnalogyScore] = []
    for layer in layers:
        h = _vectors(layers[layer], f"layer {layer!r}" if layer else "H", tasks[0].n)
        beside = _beside(controls or {}, layer, tasks[0].n)
        scores += [task.score(h, beside, layer) for task in tasks]
        if Z is None and (product := _causal(h, rows)) is not None:
            scores += [task.score(product, {}, layer, product="causal") for task in tasks]
    return Analogies(scores=tuple(scores), grid=Z is not None)


def _vectors(values: Any, name: str, n: int) -> Tensor:
    h = as_features(values, name=name)
    if len(h) != n:
        raise InputError(
            f"{name} has {len(h)} rows for {n} samples or words. Pass vectors of the same ones."
        )
    return h


def _beside(controls: Mapping[str, Any], layer: str, n: int) -> dict[str, Tensor]:
    """The controls of a layer."""
    found = {}
    for name, values in controls.items():
        own = values.get(layer) if isinstance(values, Mapping) else values
        if own is not None:
            found[name] = _vectors(own, f"control {name!r}", n)
    return found


def _causal(h: Tensor, rows: Tensor | None) -> Tensor | None:
    """The vectors for the causal inner product; None where too few rows say what that is."""
    if rows is None:
        return causal(h, h) if len(h) > h.shape[1] else None
    if rows.shape[1] != h.shape[1] or len(rows) <= h.shape[1]:
        raise InputError(
            f"output must have a column for each of {h.shape[1]} dimensions, and more rows than "
            f"that; got shape {tuple(rows.shape)}. Pass the output embedding of this model."
        )
    return causal(h, rows)


class _Task:
    """One factor's parallelograms, or one concept's pairs and questions."""

    def __init__(
        self,
        name: str,
        *,
        n: int,
        steps: Tensor,
        statistic: Callable[[Tensor], Statistic],
        questions: Tensor,
        label: Tensor,
        missing: int,
        seed: int,
        resamples: int,
    ) -> None:
        """Draw resamples.

        Args:
            name: Of the factor or concept.
            n: Rows of the vectors.
            steps: What is resampled: rows of pairs, or of parallelograms.
            statistic: From vectors to their additivity over the steps.
            questions: Rows a, b, c, d.
            label: What each row is.
            missing: Left out for want of vectors.
            seed: Of the resamples.
            resamples: How many.
        """
        self.name, self.n, self.steps, self.statistic = name, n, steps, statistic
        self.questions, self.label, self.missing, self.seed = questions, label, missing, seed
        self.targets = torch.unique(questions[2:], dim=1).shape[1]
        self.bootstrap = Bootstrap(
            torch.arange(steps.shape[1]),
            resamples=resamples,
            generator=stream(seed, "analogies"),
        )

    def score(
        self, h: Tensor, controls: Mapping[str, Tensor], layer: str, *, product: str = ""
    ) -> AnalogyScore:
        own = self.bootstrap.resampled(self.statistic(h))
        others = {n: self.bootstrap.resampled(self.statistic(c)) for n, c in controls.items()}
        hits = retrieved(h, self.questions, label=self.label, cosine=len(self.steps) == 2)
        shares = {
            name: share_of(getattr(hits, name), targets=self.targets)
            for name in ("offset", "offset_with_inputs", "near_c", "near_b")
        }
        return AnalogyScore(
            name=self.name,
            layer=layer,
            product=product,
            pairs=self.steps.shape[1],
            missing=self.missing,
            additivity=own.estimates()[0],
            questions=self.questions.shape[1],
            controls={name: other.estimates()[0] for name, other in others.items()},
            above={name: (own - other).estimates()[0] for name, other in others.items()},
            **shares,
            **self.cosines(h),
        )

    def cosines(self, h: Tensor) -> dict[str, Estimate]:
        """Of differences, of random ones, and of each with the others: of pairs alone."""
        if len(self.steps) > 2:
            return {}
        p = _differences(h, self.steps)
        generator = stream(self.seed, "random pairs")
        random = torch.randint(self.n, self.steps.shape, generator=generator)
        return {
            "cosine": self.bootstrap.estimates(agreement(unit(p)))[0],
            "projection": mean_cosine(projections(p), self.bootstrap),
            "random_cosine": self.bootstrap.estimates(agreement(unit(_differences(h, random))))[0],
        }


def _differences(h: Tensor, pairs: Tensor) -> Tensor:
    return h[pairs[1]].double() - h[pairs[0]].double()


def _of_factors(factors: Factors, *, seed: int, resamples: int, count: int) -> list[_Task]:
    if factors.incomplete():
        raise InputError(
            "analogies need a value of every factor for every sample; leave out the factors or "
            "the samples that lack some."
        )
    levels = [torch.unique(f.values, return_inverse=True)[1] for f in factors.values()]
    settings = torch.stack(levels, dim=1)
    label = torch.unique(settings, dim=0, return_inverse=True)[1]
    tasks = []
    for j, name in enumerate(factors):
        generator = stream(seed, f"parallelograms of {name}")
        corners = find_analogies(settings, factor=j, count=count, generator=generator)
        if corners.shape[1] < LEAST_FOUND:
            raise InputError(
                f"only {corners.shape[1]} parallelograms along {name!r}, in which all other "
                f"factors differ, are among the samples; {LEAST_FOUND} are needed. Give factors "
                "that cross, with samples of most combinations of their levels, and leave out "
                "factors that have a level for each sample."
            )
        a, b, c, d = corners
        tasks.append(
            _Task(
                name,
                n=len(settings),
                steps=corners,
                statistic=partial(_parallel, corners),
                questions=torch.stack([a, b, d, c]),
                label=label,
                missing=0,
                seed=seed,
                resamples=resamples,
            )
        )
    return tasks


def _parallel(corners: Tensor, h: Tensor) -> Statistic:
    a, b, c, d = h[corners.flatten()].double().view(4, -1, h.shape[1])
    return step_agreement(a - b, d - c)


def _agreeing(pairs: Tensor, h: Tensor) -> Statistic:
    return agreement(_differences(h, pairs))


def _of_words(
    words: Sequence[str],
    concepts: Words,
    *,
    asked: bool,
    seed: int,
    resamples: int,
    count: int,
) -> list[_Task]:
    place = {str(word): k for k, word in enumerate(words)}
    if len(place) < len(words):
        raise InputError(
            f"words must be different; {len(words) - len(place):,} of {len(words):,} come twice or "
            "more. Keep one vector of each."
        )
    if not concepts:
        raise InputError("no pairs or questions are given; give some by concept.")
    width, what = (4, "questions") if asked else (2, "pairs")
    tasks = []
    for name, entries in concepts.items():
        if any(len(entry) != width for entry in entries):
            raise InputError(f"each of the {what} of {name!r} must be {width} words.")
        known = [[place[w] for w in entry] for entry in entries if {*entry} <= place.keys()]
        rows = torch.tensor(known, dtype=torch.long).reshape(-1, width).T
        pairs = torch.unique(rows.T.reshape(-1, 2), dim=0).T
        pairs = pairs[:, pairs[0] != pairs[1]]
        if pairs.shape[1] < LEAST_PAIRS:
            lost = next((w for entry in entries for w in entry if w not in place), "")
            raise InputError(
                f"{name!r} has {pairs.shape[1]} pairs of different words that have vectors, of "
                f"{len(entries)} {what}{f'; {lost!r} has none' if lost else ''}. At least "
                f"{LEAST_PAIRS} are needed: give more vectors, or leave it out."
            )
        generator = stream(seed, f"questions of {name}")
        questions = rows if asked else _crossed(pairs)
        a, b, c, d = questions
        questions = questions[:, (d != a) & (d != b) & (d != c)]
        chosen = torch.randperm(questions.shape[1], generator=generator)[:count]
        questions = questions[:, chosen]
        if questions.shape[1] < 2:
            raise InputError(
                f"{name!r} leaves no two questions whose answer is not among the words."
            )
        tasks.append(
            _Task(
                name,
                n=len(words),
                steps=pairs,
                statistic=partial(_agreeing, pairs),
                questions=questions,
                label=torch.arange(len(words)),
                missing=len(entries) - len(known),
                seed=seed,
                resamples=resamples,
            )
        )
    return tasks


def _crossed(pairs: Tensor) -> Tensor:
    """Every pair asked by every other."""
    n = pairs.shape[1]
    i, j = torch.cartesian_prod(torch.arange(n), torch.arange(n)).T
    return torch.cat([pairs[:, i], pairs[:, j]])[:, i != j]
