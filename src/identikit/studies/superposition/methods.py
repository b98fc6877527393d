"""Ways to read factors from a superposition, and how each is scored.

Components become predictions in one way: each factor from the one component that is assigned to it
on the training rows, by a line fitted there; a factor without one is predicted by its mean. Scores
are mean |r| over all factors (MCC), mean R², the share of the factors there that are among as many
largest predictions (support), and the share of samples of which all are (whole).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from identikit.core.estimate import Estimate
from identikit.core.linalg import least_squares
from identikit.statistics import measures
from identikit.statistics.bootstrap import Bootstrap
from identikit.statistics.measures import correlations, matched
from identikit.unmixing.autoencoder import learn_autoencoder
from identikit.unmixing.ica import White, unmix_rows
from identikit.unmixing.sparse import SOLVING, encoded, learn_dictionary

Codes = Callable[[Tensor], Tensor]
"""From rows of h to components, factors or not."""
RESAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScores:
    """How well factors are read from one part of the samples."""

    mcc: Estimate
    """Mean |r| over factors; those without a component count as 0."""
    r2: Estimate
    """Mean over factors."""
    support: float
    whole: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to read factors."""

    codes: Codes
    """Predictions of the factors, where it was told them; components otherwise."""
    supervised: bool = False
    atoms: Float[Tensor, "codes d"] | None = None
    """Directions in h, where it has such."""


def methods(
    h: Float[Tensor, "n d"],
    z: Float[Tensor, "n K"],
    *,
    atoms: Float[Tensor, "K d"],
    origin: Float[Tensor, " d"],
    generator: torch.Generator,
) -> dict[str, Method]:
    """All of them, fitted on training rows.

    Args:
        h: Of the training rows.
        z: Their factors: the probe is told them, and autoencoders how many are there.
        atoms: The direction of each factor in h, of norm 1.
        origin: h where no factor is there.
        generator: Of all starts.
    """
    k = z.shape[1]
    size = (h - origin).square().sum(dim=1).mean().sqrt().item()
    active = int((z > 0).sum(dim=1).double().mean().round())
    learnt = learn_dictionary(h, codes=k, starts=1, generator=generator)
    amortised = learn_autoencoder(h, codes=k, active=active, generator=generator)
    own = amortised.atoms.double()

    def solved(directions: Tensor, zero: Tensor) -> Codes:
        return lambda rows: encoded(rows - zero, directions, penalty=SOLVING * size)

    coded = {
        "autoencoder": Method(codes=amortised.encode, atoms=own),
        "its atoms, solved": Method(codes=solved(own, amortised.centre.double()), atoms=own),
        "sparse codes": Method(codes=learnt.encode, atoms=learnt.atoms),
        "true atoms, solved": Method(codes=solved(atoms, origin), atoms=atoms),
    }
    probe = least_squares(h, z)
    every = torch.arange(len(h))
    white = White.of(h, every, least=2, most=k, share=1.0)
    ica = unmix_rows(white.x, white.map, groups=every, starts=1, resamples=0, generator=generator)
    return {
        "linear probe": Method(codes=probe.predict, supervised=True),
        "ICA": Method(codes=lambda rows: (rows - white.mean) @ white.map @ ica.W.T),
        **coded,
    }


def scores_of(
    method: Method,
    train: tuple[Tensor, Tensor],
    parts: Mapping[str, tuple[Tensor, Tensor]],
    *,
    generator: torch.Generator,
) -> tuple[dict[str, PartScores], dict[str, Float[Tensor, " K"]]]:
    """Scores of each part, and R² of each factor there.

    Args:
        method: Fitted.
        train: h and z of rows that components are assigned on.
        parts: h and z of each part that is scored.
        generator: Of resamples.
    """
    read = (lambda y: y) if method.supervised else _reader(method.codes(train[0]), train[1])
    found, each = {}, {}
    for name, (h, z) in parts.items():
        prediction = read(method.codes(h))
        bootstrap = Bootstrap(torch.arange(len(z)), resamples=RESAMPLES, generator=generator)
        (r,) = bootstrap.scores(measures.correlation(prediction, z))
        (r2,) = bootstrap.scores(measures.r2(prediction, z))
        share = found_share(prediction, z)
        found[name] = PartScores(
            mcc=r.mean,
            r2=r2.mean,
            support=share.mean().item(),
            whole=(share == 1).double().mean().item(),
        )
        each[name] = torch.tensor([own.value for own in r2.per_factor])
    return found, each


def consistency(
    one: Float[Tensor, "n codes"], other: Float[Tensor, "n codes"], generator: torch.Generator
) -> tuple[float, float]:
    """Mean |r| of codes of the same rows, matched one to one, and the same of shuffled rows."""
    shuffled = other[torch.randperm(len(other), generator=generator)]
    alike, chance = (correlations(one, own).abs() for own in (other, shuffled))
    return matched(alike).mean().item(), matched(chance).mean().item()


def found_share(prediction: Float[Tensor, "n K"], z: Float[Tensor, "n K"]) -> Float[Tensor, " n"]:
    """Share of the factors there that are among as many largest predictions, of each sample."""
    there = (z > 0).sum(dim=1, keepdim=True)
    rank = prediction.argsort(dim=1, descending=True).argsort(dim=1)
    share: Tensor = ((rank < there) & (z > 0)).sum(dim=1) / there[:, 0].clamp(min=1)
    return share.double()


def _reader(y: Float[Tensor, "n k"], z: Float[Tensor, "n K"]) -> Codes:
    """From components to predictions of factors, by lines fitted on these rows."""
    r = correlations(y, z)
    rows, columns = (torch.from_numpy(i) for i in linear_sum_assignment(-r.abs().numpy()))
    slope = r.new_zeros(z.shape[1])
    spread = y[:, rows].double().std(dim=0, correction=0)
    slope[columns] = torch.where(
        spread > 0, r[rows, columns] * z[:, columns].std(dim=0, correction=0) / spread, 0.0
    )
    component = torch.zeros(z.shape[1], dtype=torch.long)
    component[columns] = rows
    mean_y, mean_z = y.double().mean(dim=0)[component], z.double().mean(dim=0)
    return lambda new: mean_z + slope * (new.double()[:, component] - mean_y)
