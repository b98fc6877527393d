"""One cell: a world, what superposes its factors, and every way to read them, predicted first."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from identikit.core.linalg import least_squares, r2_score
from identikit.core.randomness import stream
from identikit.core.threads import processor_threads
from identikit.encoders.build import build_encoder
from identikit.encoders.config import EncoderConfig
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import SoftmaxHead
from identikit.runs.study import Arrays, Context
from identikit.statistics.measures import matched
from identikit.studies.superposition.config import CORRELATION, SuperpositionCellConfig
from identikit.studies.superposition.methods import (
    Codes,
    consistency,
    found_share,
    methods,
    scores_of,
)
from identikit.studies.superposition.result import CODES, CellResult, MethodResult
from identikit.theory.superposition import (
    FactorMoments,
    linear_r2,
    most_linear_r2,
    weak_threshold,
)
from identikit.training.config import TrainingConfig
from identikit.training.fit import fit_network
from identikit.unmixing.sparse import encoded, learn_dictionary
from identikit.worlds.superposition import Superposition

TRAIN, TEST = 10_000, 1_000
"""Samples that are fitted on; that components are assigned on, and of each part that is scored."""
MOMENTS = 100_000
"""Draws of the factors, for their covariance."""
TRIES, NEARLY_NONE = 100, 0.003
"""Of the transition: samples for each k, and the penalty of codes, a tenth of the usual one."""
STEPS, BATCH = 1000, 1024
"""Of a network."""


@dataclass(frozen=True, kw_only=True)
class Superposed:
    """What maps observations to h, and where each factor points to there."""

    h: Codes
    atoms: Float[Tensor, "K d"]
    """Of norm 1."""
    origin: Float[Tensor, " d"]
    linearity: float | None
    """R² of h by the best affine map of the factors; None where it is one."""
    linearity_held_out: float | None = None
    """The same map's on the combinations held out."""


def make_world(config: SuperpositionCellConfig) -> Superposition:
    """The world of a cell; a network sees an image, or as many numbers as there are factors."""
    dims = {False: config.dim, True: config.factors, "rendered": None}
    return Superposition(
        factors=config.factors,
        dim=dims[config.network],
        active=config.active,
        correlation=CORRELATION if config.supports == "correlated" else 0.0,
        coherence=config.coherence,
        importance=config.importance,
        halves=config.supports == "halves",
        seed=config.seed,
    )


def superposed(config: SuperpositionCellConfig, world: Superposition, number: int) -> Superposed:
    """The world's own matrix, or a network trained to name the factors that are there.

    Args:
        config: Of the cell.
        world: Of the cell.
        number: Of the network: tells its initial weights and batches from another's.
    """
    if not config.network:
        origin = torch.zeros(config.dim, dtype=torch.float64)
        return Superposed(
            h=lambda x: x.double(), atoms=world.atoms.double(), origin=origin, linearity=None
        )
    purpose = f"network {number}"
    sample = world.sample(TRAIN, generator=stream(config.seed, "atoms of the network"))
    encoder = build_encoder(
        EncoderConfig(
            architecture="cnn" if world.rendered else "plain",
            width=max(64, config.factors),
            depth=2,
        ),
        sample.x,
        out_dim=config.dim,
        generator=stream(config.seed, purpose),
    )
    head = SoftmaxHead(
        HeadConfig(negatives=None),
        config.factors,
        config.dim,
        generator=stream(config.seed, f"head of {purpose}"),
    )

    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn = world.sample(n, generator=generator)
        return drawn.x, drawn.label

    training = TrainingConfig(steps=STEPS, batch_size=BATCH)
    fit_network(encoder, head, draw=draw, config=training, seed=config.seed + 1_000_000 * number)

    def h(x: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = encoder(x).double()
        return found

    half = TRAIN // 2
    fit = least_squares(sample.z[:half].double(), h(sample.x[:half]))

    def r2(z: Tensor, x: Tensor) -> float:
        return r2_score(fit.predict(z), h(x)).mean().item()

    linearity, linearity_held_out = r2(sample.z[half:], sample.x[half:]), None
    if world.halves:
        new = world.sample(half, held_out=True, generator=stream(config.seed, "new to the network"))
        linearity_held_out = r2(new.z, new.x)
    return Superposed(
        h=h,
        atoms=normalize(fit.coefficient, dim=1),
        origin=fit.intercept,
        linearity=linearity,
        linearity_held_out=linearity_held_out,
    )


def compute(config: SuperpositionCellConfig, context: Context) -> tuple[CellResult, Arrays]:
    """Predict, superpose, read, score; the arrays are R² of each factor by method and part."""
    del context
    with processor_threads(1):
        return run_cell(config)


def run_cell(config: SuperpositionCellConfig) -> tuple[CellResult, Arrays]:
    """The result of a cell, and R² of each factor by method and part."""
    seed, world = config.seed, make_world(config)
    own = superposed(config, world, 0)
    other = superposed(config, world, 1) if config.network else own
    train, again = (world.sample(TRAIN, generator=stream(seed, f"train {i}")) for i in (0, 1))
    parts = {"seen": world.sample(TEST, generator=stream(seed, "test"))}
    moments = {"seen": _moments(world, seed, held_out=False)}
    if world.halves:
        held_out = world.sample(TEST, held_out=True, generator=stream(seed, "held out"))
        parts["held out"] = held_out
        moments["held out"] = _moments(world, seed, held_out=True)
    generator = stream(seed, "methods")
    h_train = own.h(train.x)
    read = methods(
        h_train, train.z.double(), atoms=own.atoms, origin=own.origin, generator=generator
    )
    second = learn_dictionary(other.h(again.x), codes=config.factors, starts=1, generator=generator)
    alike, shuffled = consistency(
        read[CODES].codes(own.h(parts["seen"].x)),
        second.encode(other.h(parts["seen"].x)),
        generator=stream(seed, "shuffle"),
    )
    assigned = h_train[:TEST], train.z[:TEST].double()
    scored = {name: (own.h(sample.x), sample.z.double()) for name, sample in parts.items()}
    results: list[MethodResult] = []
    arrays: dict[str, NDArray[Any]] = {}
    for name, method in read.items():
        scores, each = scores_of(method, assigned, scored, generator=stream(seed, "bootstrap"))
        arrays |= {f"{name}: {part}": r2.numpy() for part, r2 in each.items()}
        directions = method.atoms
        results.append(
            MethodResult(
                name=name,
                seen=scores["seen"],
                held_out=scores.get("held out"),
                cosine=None
                if directions is None
                else matched((own.atoms @ directions.T).abs()).mean().item(),
            )
        )
    linear = None
    if not config.network:
        linear = {
            name: linear_r2(own.atoms, moments["seen"], scored_on)
            for name, scored_on in moments.items()
        }
    found = CellResult(
        status="completed",
        methods=tuple(results),
        most_linear=most_linear_r2(moments["seen"].covariance, config.dim),
        linear=None if linear is None else linear["seen"].mean().item(),
        linear_mcc=None if linear is None else linear["seen"].clamp(min=0).sqrt().mean().item(),
        linear_held_out=linear["held out"].mean().item() if linear and world.halves else None,
        threshold=weak_threshold(config.dim / config.factors) * config.dim,
        transition=None if config.network else _transition(config, own.atoms),
        linearity=own.linearity,
        linearity_held_out=own.linearity_held_out,
        alike=alike,
        shuffled=shuffled,
        coherence=(own.atoms @ own.atoms.T).abs().fill_diagonal_(0).max().item(),
    )
    return found, arrays


def _moments(world: Superposition, seed: int, *, held_out: bool) -> FactorMoments:
    generator = stream(seed, f"moments {held_out}")
    return FactorMoments.of(world.draw_factors(MOMENTS, held_out=held_out, generator=generator))


def _transition(config: SuperpositionCellConfig, atoms: Float[Tensor, "K d"]) -> float:
    """The k from which on codes by the true atoms find all factors of fewer than half the samples.

    Between two k it is interpolated; supports are independent and sizes alike, as in theory.
    """
    shares = []
    for k in range(1, min(config.dim, config.factors) + 1):
        world = Superposition(factors=config.factors, dim=config.dim, active=k, seed=config.seed)
        z = world.draw_factors(TRIES, generator=stream(config.seed, f"transition {k}")).double()
        h = z @ atoms
        size = h.square().sum(dim=1).mean().sqrt().item()
        y = encoded(h, atoms, penalty=NEARLY_NONE * size)
        shares.append((found_share(y, z) == 1).double().mean().item())
        if shares[-1] < 0.5:
            before = shares[-2] if k > 1 else 1.0
            return k - (0.5 - shares[-1]) / (before - shares[-1])
    return float(len(shares))
