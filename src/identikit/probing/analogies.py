"""Analogies: does h(a) - h(b) + h(c) land on h(d), where a : b = d : c in one factor?

a and d have level i of the factor, b and c level j; a and b share all other factors, d and c
share theirs, and each of these differs between the pairs: a step that another factor decides is
not the same step. With the two differences p = h(a) - h(b) and q = h(d) - h(c),

    score = 1 - E|h(a) - h(b) + h(c) - h(d)|² / (E|p|² + E|q|²) = 2 E p.q / (E|p|² + E|q|²)

is 1 where a change of the factor moves h by the same step whatever else is seen, as in every
linear code (and every h = sum_f phi_f(z_f), however curved each phi is), 0 in expectation where
steps have nothing to do with each other (chance), and -1 where they are opposite. Where the
factor does not move h there is nothing to be right about, and the score is 0. h is (n, d_h),
settings are (n, factors), one level number each.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.statistics.bootstrap import Bootstrap, Statistic
from identikit.statistics.intervals import CORRELATION

TRIES = 20
"""Times as many parallelograms as are wanted that are looked for among the samples."""


def draw_analogies(
    sizes: tuple[int, ...], *, factor: int, n: int, generator: torch.Generator
) -> Int[Tensor, "4 n factors"]:
    """Corners a, b, c, d of random parallelograms along one factor, all other factors different.

    Args:
        sizes: Number of levels of each factor.
        factor: Position of the factor that differs.
        n: How many.
        generator: Source of the settings.

    Raises:
        InputError: one factor only, or a factor of one level.
    """
    if len(sizes) < 2 or min(sizes) < 2:
        raise InputError(
            f"analogies need two factors or more, of two levels or more each; got sizes {sizes}."
        )
    levels = torch.tensor(sizes)
    one = _settings(torch.zeros(len(sizes)), levels, n, generator)
    other = (one + _settings(torch.ones(len(sizes)), levels, n, generator)) % levels
    start = one[:, factor].clone()
    step = torch.randint(1, sizes[factor], (n,), generator=generator)
    corners = [one, one.clone(), other, other.clone()]
    for corner, level in zip(corners, (start, start + step, start + step, start), strict=True):
        corner[:, factor] = level % sizes[factor]
    return torch.stack(corners)


def find_analogies(
    settings: Int[Tensor, "n factors"], *, factor: int, count: int, generator: torch.Generator
) -> Int[Tensor, "4 m"]:
    """Samples a, b, c, d of random parallelograms, no sample in two of them.

    Args:
        settings: Level of each factor, numbered from 0, of each sample.
        factor: Position of the factor that differs.
        count: How many are wanted; fewer come where samples run out, or combinations of levels
            are not there.
        generator: Source of the settings, and of which sample stands for them.

    Raises:
        InputError: as for `draw_analogies`.
    """
    sizes = tuple((settings.amax(dim=0) + 1).tolist())
    free: dict[tuple[int, ...], list[int]] = {}
    for k in torch.randperm(len(settings), generator=generator).tolist():
        free.setdefault(tuple(settings[k].tolist()), []).append(k)
    found: list[list[int]] = []
    for _ in range(TRIES):
        drawn = draw_analogies(sizes, factor=factor, n=count, generator=generator)
        for corners in drawn.transpose(0, 1).tolist():
            cells = [free.get(tuple(corner)) for corner in corners]
            if all(cells) and len(found) < count:
                found.append([cell.pop() for cell in cells if cell])
        if len(found) == count:
            break
    return torch.tensor(found, dtype=torch.long).reshape(-1, 4).T


def analogy_score(corners: Float[Tensor, "4 n d_h"], *, bootstrap: Bootstrap) -> Estimate:
    """How nearly h(a) - h(b) equals h(d) - h(c); 1 always, 0 no better than chance.

    Args:
        corners: Features at a, b, c and d.
        bootstrap: Resamples of the n parallelograms.
    """
    a, b, c, d = corners.double()
    return bootstrap.estimates(step_agreement(a - b, d - c))[0]


def step_agreement(p: Float[Tensor, "n d_h"], q: Float[Tensor, "n d_h"]) -> Statistic:
    """The score of pairs of steps."""
    parts = torch.stack([2 * (p * q).sum(1), p.square().sum(1) + q.square().sum(1)], dim=1)
    parts = parts / parts[:, 1].mean().clamp(min=torch.finfo(torch.float64).tiny)

    def statistic(weights: Tensor) -> Tensor:
        both, size = (weights @ parts).chunk(2, dim=1)
        return torch.where(size > 0, both / size.where(size > 0, 1.0), 0.0)

    return Statistic(statistic, CORRELATION)


def _settings(least: Tensor, levels: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Numbers from `least` to below `levels` for each factor."""
    columns = [
        torch.randint(int(low), int(high), (n,), generator=generator)
        for low, high in zip(least, levels, strict=True)
    ]
    return torch.stack(columns, dim=1)
