"""One cell: what theory promises of an objective in a world, and what training recovers.

The score is the one that forgives what the promise leaves open: Procrustes R² for a rotation,
affine R² for an affine map, MCC after componentwise maps for those. The excess is the loss above
that of the objective's own optimum on the same fresh batches: the true posterior, the true
log-ratio of densities, or, for VICReg, the loss of the best mixture of eigenfunctions.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from identikit.core.errors import InputError
from identikit.core.factors import Factors
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.core.threads import processor_threads
from identikit.encoders.build import build_encoder
from identikit.objectives.config import HeadConfig
from identikit.objectives.gcl import GCL, exchanged
from identikit.objectives.head import SoftmaxHead
from identikit.objectives.info_nce import InfoNCE, contrastive_loss
from identikit.objectives.objective import Objective
from identikit.objectives.sigreg import SIGReg
from identikit.objectives.tcl import TCL
from identikit.objectives.vicreg import VICReg
from identikit.objectives.views import interleaved
from identikit.probing.componentwise import componentwise_mcc
from identikit.probing.score import score
from identikit.runs.study import Arrays, Context
from identikit.studies.genealogy.config import OF_LABELS, RENDERED, GenealogyCellConfig
from identikit.studies.genealogy.result import CellResult
from identikit.theory.bayes import excess_loss
from identikit.theory.pairs import World, log_density_ratio
from identikit.theory.promises import (
    Promise,
    UpTo,
    cross_entropy_promise,
    gcl_promise,
    info_nce_promise,
    sigreg_promise,
    vicreg_promise,
)
from identikit.training.fit import Evaluate, Fit, fit_network
from identikit.training.recipes import Recipe, recipe
from identikit.worlds.config import WorldConfig
from identikit.worlds.pairs import NormalPairs, PairWorld, UniformPairs
from identikit.worlds.rendered.generator import ImageGenerator
from identikit.worlds.segments import Segments
from identikit.worlds.world import ClusterWorld, WorldSample

CLASSES, INSTANCES = 40, 400
KAPPA, CORRELATION = 10.0, 0.7
"""Of the worlds."""
SLICES, WEIGHT = 16, 0.01
"""Of SIGReg: directions, anew for each batch, and the statistic's share of its loss, small enough
for views to count: a heavier one makes h normal by bending it."""
STARTS, STARTS_APART = 4, 1_000_000
"""That compete, and seeds from one to the next."""
TEST, BATCH, BATCHES, BATCHES_OF_CURVE = 8192, 512, 16, 4
"""Samples for the scores; samples of a batch, and batches for the excess, at the end and before."""
RESAMPLES = 200


def make_world(config: GenealogyCellConfig) -> World:
    """The world of a cell, whose labels are instances for DIET."""
    labels = INSTANCES if config.objective == "diet" else None
    dim, seed = config.dim, config.seed
    world, seen_as = RENDERED.get(config.world, (config.world, WorldConfig().generator))
    match world:
        case "classes":
            sphere = WorldConfig(dim=dim, classes=CLASSES, kappa=KAPPA, generator=seen_as)
            return ClusterWorld(sphere, labels=labels, seed=seed)
        case "uniform-pairs":
            images = ImageGenerator(seen_as, dim=dim) if config.world in RENDERED else None
            return UniformPairs(dim=dim, kappa=KAPPA, seed=seed, generator=images)
        case "normal-pairs":
            return NormalPairs(dim=dim, correlation=CORRELATION, seed=seed)
    order = int(world.removeprefix("segments-"))
    return Segments(dim=dim, segments=CLASSES, order=order, instances=labels, seed=seed)


@dataclass(frozen=True)
class Cell:
    """A world and an objective."""

    config: GenealogyCellConfig
    world: World

    def stream(self, purpose: str) -> torch.Generator:
        """The generator for one purpose."""
        return stream(self.config.seed, f"genealogy/{purpose}")

    def promise(self) -> Promise:
        """What theory says of the objective here."""
        world, generator = self.world, self.stream("theory")
        match self.config.objective:
            case "infonce":
                return info_nce_promise(world, generator=generator)
            case "vicreg":
                return vicreg_promise(world, generator=generator)
            case "sigreg":
                return sigreg_promise(world)
        assert isinstance(world, ClusterWorld)
        if self.config.objective == "gcl":
            return gcl_promise(world, generator=generator)
        bias = self.config.objective == "tcl"
        return cross_entropy_promise(world, bias=bias, generator=generator)

    def objective(self, dim: int, generator: torch.Generator) -> Objective:
        """Before training, for an h of so many dimensions."""
        match self.config.objective:
            case "infonce":
                return InfoNCE()
            case "vicreg":
                return VICReg()
            case "sigreg":
                return SIGReg(slices=SLICES, weight=WEIGHT)
        assert isinstance(self.world, ClusterWorld)
        labels = self.world.n_labels
        match self.config.objective:
            case "tcl":
                return TCL(labels, dim, generator=generator)
            case "gcl":
                return GCL(labels, dim, generator=generator)
        return SoftmaxHead(HeadConfig(negatives=None), labels, dim, generator=generator)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Observations with labels, or pair after pair; n is even."""
        if self.config.objective in OF_LABELS:
            sample = self.world.sample(n, generator=generator)
            return sample.x, sample.label
        first, second = self.pairs(n // 2, generator)
        pair = torch.arange(n // 2)
        return interleaved(first.x, second.x), interleaved(pair, pair)

    def pairs(self, n: int, generator: torch.Generator) -> tuple[WorldSample, WorldSample]:
        """Positive pairs; in a world of classes they share the class."""
        if isinstance(self.world, PairWorld):
            return self.world.sample_pairs(n, generator=generator)
        return self.world.sample_pairs(n, same="class", generator=generator)

    @property
    def recipe(self) -> Recipe:
        """Encoder and training of images, or of vectors."""
        if self.config.world in RENDERED:
            return recipe("pixels")
        medium = recipe("medium")
        return replace(medium, training=replace(medium.training, batch_size=BATCH))

    @torch.no_grad()
    def excess(
        self,
        encoder: nn.Module,
        objective: Objective,
        promise: Promise,
        *,
        batches: int = BATCHES,
    ) -> float | None:
        """Loss above the objective's own optimum, on fresh samples; None where that is unknown."""
        generator, world = self.stream("excess"), self.world
        if isinstance(objective, SoftmaxHead | TCL):
            assert isinstance(world, ClusterWorld)
            sample = world.sample(BATCH * batches, generator=generator)
            h, rows = objective.features(encoder(sample.x)), objective.weight.detach()
            if isinstance(objective, TCL):  # a constant feature whose weights are the biases
                h = torch.cat([h, torch.ones_like(h[:, :1])], dim=1)
                rows = torch.cat([rows, objective.bias[:, None]], dim=1)
            return excess_loss(world, world.log_posterior(sample.z), h=h, head=rows).value
        if isinstance(objective, VICReg):
            assert promise.least_loss is not None
            x, target = self.draw(2 * BATCH * batches, generator)
            loss = objective.loss(encoder(x), target, generator=generator)
            return float(loss) - promise.least_loss
        gaps = []
        for _ in range(batches):
            if isinstance(objective, GCL):
                gaps.append(self._gcl_gap(encoder, objective, generator))
            elif isinstance(objective, InfoNCE):
                first, second = self.pairs(BATCH // 2, generator)
                views = (objective.features(encoder(view.x)) for view in (first, second))
                ratio = log_density_ratio(world, first.z, second.z)
                gaps.append(contrastive_loss(objective.critic(*views)) - contrastive_loss(ratio))
        return float(torch.stack(gaps).mean()) if gaps else None

    def _gcl_gap(self, encoder: nn.Module, objective: GCL, generator: torch.Generator) -> Tensor:
        """Of a batch, with the same exchange for the model and the true log-ratio."""
        assert isinstance(self.world, ClusterWorld)
        sample = self.world.sample(BATCH, generator=generator)
        other = exchanged(sample.label, generator=generator)
        y = encoder(sample.x)
        ratio = self.world.log_posterior(sample.z) - self.world.class_prior.log()
        both = sample.label, other

        def loss(true: Tensor, false: Tensor) -> Tensor:
            return F.softplus(-true).mean() + F.softplus(false).mean()

        best = loss(*(ratio.gather(1, u[:, None])[:, 0] for u in both))
        return loss(*(objective.regression(y, u) for u in both)) - best


class Start:
    """Initial weights of an encoder and an objective, and batches of their own.

    Args:
        cell: What they are for.
        dim: Dimensions of h.
        number: Names their streams.
    """

    def __init__(self, cell: Cell, dim: int, number: int) -> None:
        self.cell, self.seed = cell, cell.config.seed + STARTS_APART * number
        self.objective = cell.objective(dim, stream(self.seed, "genealogy/objective"))
        self.encoder = build_encoder(
            cell.recipe.encoder,
            cell.world.sample(TEST, generator=cell.stream("whitening")).x,
            out_dim=dim + isinstance(self.objective, GCL),
            generator=stream(self.seed, "genealogy/encoder"),
        )

    def fit(
        self, steps: int, context: Context | None = None, evaluate: Evaluate | None = None
    ) -> Fit:
        """Train for so many steps from where it stands."""
        return fit_network(
            self.encoder,
            self.objective,
            draw=self.cell.draw,
            config=replace(self.cell.recipe.training, steps=steps),
            seed=self.seed + steps,
            evaluate=evaluate,
            evaluate_every=max(1, steps // 10),
            on_progress=None if context is None else context.tell,
            checkpoint=None if context is None else context.draft.checkpoint,
        )


def compute(config: GenealogyCellConfig, context: Context) -> tuple[CellResult, Arrays]:
    """Predict, train, score.

    Raises:
        TrainingError: the loss is not finite.
    """
    with processor_threads(1):
        return run_cell(config, context), {}


def run_cell(config: GenealogyCellConfig, context: Context | None = None) -> CellResult:
    """The result of a cell, trained from its checkpoint on if there is one.

    Networks can fold the world at the start. So a few starts of an eighth of the steps compete by
    their loss on fresh samples, which every objective has, and the best goes on.
    """
    cell = Cell(config, make_world(config))
    promise = cell.promise()
    starts = [Start(cell, promise.dim, number) for number in range(STARTS)]
    losses = [start.fit(max(1, config.steps // 8)).history[-1]["loss"] for start in starts]
    best = starts[losses.index(min(losses))]
    encoder, objective = best.encoder, best.objective

    def so_far() -> dict[str, float]:
        found = cell.excess(encoder, objective, promise, batches=BATCHES_OF_CURVE)
        return {} if found is None else {"excess_loss": found}

    fitted = best.fit(config.steps, context, so_far)
    test = cell.world.sample(TEST, generator=cell.stream("test"))
    with torch.no_grad():
        h = objective.features(encoder(test.x))
    if isinstance(objective, VICReg):
        h = h - h.mean(0)  # which its loss does not see
    found = score(
        Representation(h=h, factors=Factors.from_latents(test.z), x=test.vectors),
        seed=config.seed,
        resamples=RESAMPLES,
    )
    maps = found.latents
    if maps is None:
        raise InputError("the latents of a world are continuous; got factors that are not.")
    mapped = componentwise_mcc(h, test.z, seed=config.seed, resamples=RESAMPLES)
    scores = {
        UpTo.ROTATION: maps.procrustes.mean,
        UpTo.AFFINE: maps.affine.mean,
        UpTo.COMPONENTS: mapped.mean,
    }
    return CellResult(
        status=fitted.status,
        up_to=promise.up_to,
        dim=promise.dim,
        assumptions=promise.assumptions,
        predicted=promise.predicted,
        recovered=scores[promise.up_to],
        affine_r2=maps.affine.mean,
        procrustes_r2=maps.procrustes.mean,
        mcc=maps.mcc_strong.mean,
        mcc_mapped=mapped.mean,
        identity_r2=found.mean("x"),
        excess=cell.excess(encoder, objective, promise),
        unavoidable=promise.least_loss if isinstance(objective, InfoNCE) else None,
        inverse_temperature=1 / objective.temperature if isinstance(objective, InfoNCE) else None,
        seconds=fitted.seconds,
        history=tuple(fitted.history),
    )
