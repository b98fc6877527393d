"""Worlds from Python: train on one by a recipe, or explain a network that was trained elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.core.threads import processor_threads
from identikit.features.inputs import as_features
from identikit.objectives.config import HeadConfig
from identikit.objectives.head import Head
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.recipe_choice import choose_recipe
from identikit.studies.simulation.result import Evaluation
from identikit.studies.simulation.run import (
    LIVE_SAMPLES,
    evaluate,
    joint_history,
    least_excess,
    predict,
    train_until_sound,
)
from identikit.theory.bayes import excess_loss
from identikit.training.fit import Progress
from identikit.training.recipes import Recipe
from identikit.training.recipes import recipe as recipe_named
from identikit.worlds.world import ClusterWorld

BATCH = 1024
"""Observations that an own encoder is given at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A network that was trained on a world."""

    encoder: nn.Module
    """In evaluation mode: observations to the head's inputs."""
    head: Head
    """`head.features(encoder(x))` is the representation h, `head.rows()` are W."""
    history: tuple[dict[str, int | float], ...]
    """A record for each of 20 points of a start: step, seconds, loss, R², excess loss."""
    status: Literal["completed", "interrupted"]
    starts: int
    """How often training began: again where its loss did not end at the optimum's."""
    steps: int
    """Of all starts, like `seconds`."""
    seconds: float
    config: SimulationConfig
    """What it was trained by."""

    def represent(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d_h"]:
        """The representation h of observations."""
        with torch.no_grad():
            h: Tensor = self.head.features(self.encoder(x))
        return h


def fit(
    world: ClusterWorld,
    *,
    recipe: str | Recipe | None = None,
    dim: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    samples: int = 8192,
    threads: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train an encoder and a head on the labels of a world: its instances, if it has any (DIET).

    Args:
        world: What to learn from; trained on where it is (`world.to("cuda")`).
        recipe: Encoder, head and training by name or as a `Recipe`; by default the one that the
            world calls for (`choose_recipe`).
        dim: Dimensions of h; by default as many as the world has latents.
        steps: Steps at most, in place of the recipe's.
        seed: Of initial weights and batches.
        samples: Fresh samples for the scores in the history.
        threads: Processor threads; the bits depend on them.
        on_progress: Told how training stands.

    Raises:
        InputError: no such recipe, or settings that do not fit the world.
        TrainingError: the loss is not finite.
    """
    if recipe is None:
        recipe, _ = choose_recipe(world.config)
    chosen = recipe_named(recipe) if isinstance(recipe, str) else recipe
    training = chosen.training if steps is None else replace(chosen.training, steps=steps)
    config = replace(
        _config(world, dim=dim, seed=seed, samples=samples),
        threads=threads,
        encoder=chosen.encoder,
        head=chosen.head,
        training=training,
    )
    with processor_threads(threads):
        test = world.sample(samples, generator=stream(seed, "test", device=world.device))
        prediction = predict(config, world) if training.starts > 1 else None
        starts = train_until_sound(
            config, world, test, prediction=prediction, on_progress=on_progress
        )
    best, fits = least_excess(starts).trained, [start.trained.fit for start in starts]
    assert isinstance(best.objective, Head)
    return Fitted(
        encoder=best.encoder,
        head=best.objective,
        history=tuple(joint_history(fits)),
        status=fits[-1].status,
        starts=len(starts),
        steps=sum(fit.steps for fit in fits),
        seconds=sum(fit.seconds for fit in fits),
        config=config,
    )


def explain(
    world: ClusterWorld,
    encoder: Callable[[Tensor], Any],
    head: Any,
    *,
    unit_features: bool = False,
    unit_rows: bool = False,
    samples: int = 8192,
    seed: int = 0,
) -> Evaluation:
    """What a trained network recovered of a world, beside the ceiling, and why not more.

    Args:
        world: What it was trained on.
        encoder: From observations (n, ...) to the head's inputs (n, d_h), by whatever loop it was
            trained; a module is evaluated in evaluation mode and left as it was.
        head: The linear classifier on top: what `fit` made, a `torch.nn.Linear`, or its rows W
            (labels, d_h) with whatever scale they have; a row for each label of the world.
        unit_features: Whether features were held at unit norm, so that theory has to be asked about
            such; known of a head that `fit` made.
        unit_rows: The same of the rows.
        samples: Fresh samples: half fit the maps, half score them.
        seed: Of these samples and of all scores.

    Raises:
        InputError: an encoder or a head whose shapes do not fit, or that give no finite numbers.
    """
    test = world.sample(samples, generator=stream(seed, "test", device=world.device))
    h = _outputs(encoder, test.x).to(world.device)
    if isinstance(head, Head):
        unit_features, unit_rows = head.config.unit_features, head.config.unit_rows
        with torch.no_grad():
            h, rows, scale = head.features(h), head.rows(), float(head.scale)
        bias = None
    else:
        linear = isinstance(head, nn.Linear)
        rows = as_features(head.weight if linear else head, name="head")
        bias, scale = head.bias if linear else None, 1.0
    rows = rows.detach().to(world.device)
    if not isinstance(head, Head) and unit_features and unit_rows:  # then rows bring it
        scale = float(rows.norm(dim=1).mean())
        rows = rows / scale
    if rows.shape != (world.n_labels, h.shape[1]):
        raise InputError(
            f"the head must have a row for each label of the world ({world.n_labels:,}) and a "
            f"column for each dimension of h ({h.shape[1]}); got shape {tuple(rows.shape)}."
        )
    config = replace(
        _config(world, dim=h.shape[1], seed=seed, samples=samples),
        head=HeadConfig(unit_features=unit_features, unit_rows=unit_rows),
    )
    logit_h, logit_rows = scale * h[:LIVE_SAMPLES].double(), rows.double()
    if bias is not None:  # a constant feature whose weights are the biases
        constant = bias.detach().to(logit_rows)[:, None]
        logit_h = torch.cat([logit_h, torch.ones_like(logit_h[:, :1])], dim=1)
        logit_rows = torch.cat([logit_rows, constant], dim=1)
    posterior = world.log_posterior(test.z[:LIVE_SAMPLES])
    return evaluate(
        config,
        world,
        predict(config, world),
        test=test,
        h=h,
        rows=rows,
        excess=excess_loss(world, posterior, h=logit_h, head=logit_rows),
        temperature=scale,
    )


def _config(world: ClusterWorld, *, dim: int | None, seed: int, samples: int) -> SimulationConfig:
    """What a study would be told of the world; the number of classes is the world's business."""
    instances = world.n_labels > world.n_classes
    return SimulationConfig(
        objective="diet" if instances else "supervised",
        instances=world.n_labels,
        seed=seed,
        device="cuda" if world.device.type == "cuda" else "cpu",
        representation_dim=dim,
        few_classes=True,
        test_samples=samples,
        world=world.config,
    )


def _outputs(encoder: Callable[[Tensor], Any], x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
    """What the encoder makes of observations, some at a time."""
    training = isinstance(encoder, nn.Module) and encoder.training
    if isinstance(encoder, nn.Module):
        encoder.eval()
    try:
        with torch.no_grad():
            parts = [as_features(encoder(some), name="h") for some in torch.split(x, BATCH)]
    finally:
        if isinstance(encoder, nn.Module):
            encoder.train(training)
    h = torch.cat(parts)
    if len(h) != len(x):
        raise InputError(
            f"the encoder must give one row for each observation; got {len(h)} for {len(x)}."
        )
    return h
