"""A simulated world end to end: predict, train, recover, explain.

Source: arXiv:2410.21869, section 4.1. The result is a function of the frozen config; z is
(n, d), x is (n, D), h is (n, m), head rows W are (labels, m).
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from identikit.core.estimate import fixed, format_number
from identikit.core.factors import Factors
from identikit.core.linalg import least_squares, r2_score
from identikit.core.randomness import stream
from identikit.core.representation import Representation
from identikit.core.threads import processor_threads
from identikit.encoders.build import build_encoder
from identikit.encoders.mlp import MLP
from identikit.objectives.config import OBJECTIVES
from identikit.objectives.curriculum import Curriculum
from identikit.objectives.head import Head
from identikit.objectives.label_clustering import (
    LabelClusters,
    cluster_labels,
    observations_needed,
)
from identikit.objectives.objective import Objective
from identikit.probing.cases import case_scores
from identikit.probing.recovery import Recovery
from identikit.probing.score import held_out_predictions, score
from identikit.runs.provenance import command_line
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.result import (
    Evaluation,
    Measured,
    Prediction,
    SimulationResult,
    TrainedStart,
)
from identikit.theory.assumptions import check_assumptions
from identikit.theory.bayes import ExcessLoss, bayes_loss, excess_loss
from identikit.theory.cases import Case, Promise, promise
from identikit.theory.coverage import class_rows, head_row_space
from identikit.theory.explain import (
    CEILING_MARGIN,
    Cause,
    Experiment,
    Explanation,
    explain_gap,
    has_arrived,
)
from identikit.theory.optimum import rank_optimum
from identikit.theory.recovery_ceiling import recovery_ceiling
from identikit.theory.sensitivity import Sensitivity, loss_sensitivity
from identikit.training import checkpoint as checkpoints
from identikit.training import flow_start
from identikit.training.fit import Draw, Fit, Progress, Record, fit_network
from identikit.worlds.world import ClusterWorld, WorldSample

OPTIMUM_SAMPLES = 2048
"""On which the optimum that theory predicts is found, at least."""
BAYES_NUMBERS = 2**25
"""Posterior probabilities, samples times classes, that the Bayes loss is averaged over."""
LIVE_SAMPLES = 2048
LIVE_EXCESS_SAMPLES = 512
RECORDS = 20
"""Evaluations over a run of known length."""
SAME_R2 = 0.005
"""Between two R² that are called the same: they are of different maps and samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A finished simulation."""

    config: SimulationConfig
    result: SimulationResult
    fit: Fit
    arrays: Mapping[str, NDArray[Any]]
    """For figures: `true` and `recovered` held-out latents and, where there is a head,
    `class_vectors` and `mapped_rows`, the mean head row of each class in their space."""


def make_world(config: SimulationConfig) -> ClusterWorld:
    """The world of a run, on the run's device."""
    world = ClusterWorld(config.world, labels=config.n_labels, seed=config.seed)
    return world.to(config.device)


def case_of(config: SimulationConfig) -> Case:
    """The case of theorem 1 that a head is of."""
    head = config.head
    return Case.of(unit_features=head.unit_features, unit_rows=head.unit_rows)


def predict(config: SimulationConfig, world: ClusterWorld | None = None) -> Prediction:
    """What theory says must come out, without training."""
    world = make_world(config) if world is None else world

    def generator(purpose: str) -> torch.Generator:
        return stream(config.seed, f"theory {purpose}", device=config.device)

    samples = max(OPTIMUM_SAMPLES, 10 * (config.dim + 1))
    bayes_samples = min(config.test_samples, max(2048, BAYES_NUMBERS // world.n_classes))
    with processor_threads(config.threads):
        ceiling = generator("ceiling")
        optimum = rank_optimum(
            world,
            dim=config.dim,
            case=case_of(config),
            samples=samples,
            generator=ceiling,
        )
        return Prediction(
            bayes=bayes_loss(world, samples=bayes_samples, generator=generator("bayes")),
            ceiling=recovery_ceiling(
                world,
                dim=config.dim,
                case=case_of(config),
                samples=config.test_samples,
                optimum=optimum,
                generator=ceiling,
            ),
            assumptions=check_assumptions(
                world,
                dim=config.dim,
                case=case_of(config),
                generator=generator("assumptions"),
            ),
            sensitivity=loss_sensitivity(
                world,
                dim=config.dim,
                optimum=optimum,
                generator=generator("sensitivity"),
            ),
        )


def simulate(
    config: SimulationConfig,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    metrics: Path | None = None,
) -> Simulation:
    """Run one simulation from config to explanation.

    Args:
        config: Decides every number.
        on_progress: Told how training stands.
        checkpoint: Folder to save training to and to resume it from.
        metrics: JSON-lines file that gets each evaluation as it comes.

    Raises:
        TrainingError: the loss is not finite.
    """
    with processor_threads(config.threads):
        world = make_world(config)
        prediction = predict(config, world)
        test = world.sample(config.test_samples, generator=_stream(config, "test"))
        starts = train_until_sound(
            config,
            world,
            test,
            prediction=prediction,
            on_progress=on_progress,
            checkpoint=checkpoint,
            metrics=metrics,
        )
        done = _result(config, world, prediction, starts, test)
        if metrics is not None:  # a resumed run may have written some lines twice
            lines = (json.dumps(record) + "\n" for record in done.result.history)
            metrics.write_text("".join(lines))
        return done


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Encoder and objective after training, and how that went."""

    encoder: nn.Module
    objective: Objective
    fit: Fit
    unlabelled_r2: float | None
    """Affine R² of an encoder that started from observations alone, before the first label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A network that was trained, and what it came to on fresh samples."""

    trained: Trained
    h: Float[Tensor, "n m"]
    rows: Float[Tensor, "labels m"] | None
    excess: ExcessLoss | None

    @classmethod
    def of(cls, trained: Trained, world: ClusterWorld, test: WorldSample) -> "Start":
        """Look at a network that was trained on a world."""
        objective = trained.objective
        head = objective if isinstance(objective, Head) else None
        with torch.no_grad():
            h = objective.features(trained.encoder(test.x))
            posterior = world.log_posterior(test.z[:LIVE_SAMPLES])
            excess = None if head is None else _excess(world, posterior, h, head)
        rows = None if head is None else head.rows().detach()
        return cls(trained=trained, h=h, rows=rows, excess=excess)

    @property
    def excess_of_h(self) -> float | None:
        """Loss above the optimum's in nats, without the noise of single rows."""
        return None if self.excess is None else self.excess.value - self.excess.row_noise

    @property
    def label_clusters(self) -> LabelClusters | None:
        """Labels that look alike, if they were looked for."""
        objective = self.trained.objective
        return objective.label_clusters if isinstance(objective, Curriculum) else None


def _again(
    config: SimulationConfig, prediction: Prediction | None, starts: Sequence[Start]
) -> bool:
    """Whether the certificate of the last start calls for another, and the budget has one left."""
    last, training = starts[-1], config.training
    if len(starts) >= training.starts or prediction is None:
        return False
    if last.excess_of_h is None or last.trained.fit.status == "interrupted":
        return False
    if training.max_seconds is not None:  # the first start spends them all
        return False
    return not has_arrived(last.excess_of_h, _sensitivity(prediction))


def train(
    config: SimulationConfig,
    world: ClusterWorld,
    test: WorldSample,
    *,
    label_clusters: LabelClusters | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    metrics: Path | None = None,
) -> Trained:
    """Train on a world as a config says, once; takes what `simulate` takes.

    Args:
        config: Decides every number.
        world: What to learn from.
        test: Samples of it to look at during training.
        label_clusters: Labels that look alike, where an earlier start found them.
        on_progress: Told how training stands.
        checkpoint: Folder to save training to and to resume it from.
        metrics: JSON-lines file that gets each evaluation as it comes.

    Raises:
        TrainingError: the loss is not finite.
    """
    encoder, objective = _model(config, world, label_clusters)
    unlabelled_r2 = None
    if isinstance(encoder, MLP) and config.encoder.architecture == "flow":
        folder = None if checkpoint is None else checkpoint / "observations-alone"
        unlabelled_r2 = _start_from_observations(
            encoder, config, world, test, folder=folder, on_progress=on_progress
        )
    live_z = test.z[:LIVE_SAMPLES]
    live_posterior = world.log_posterior(live_z[:LIVE_EXCESS_SAMPLES])

    def evaluate() -> dict[str, float]:
        h = objective.features(encoder(test.x[:LIVE_SAMPLES]))
        scores = {"r2": _live_r2(h, live_z)}
        if isinstance(objective, Head):
            scores["excess_loss"] = _excess(world, live_posterior, h, objective).value
        return scores

    trained = fit_network(
        encoder,
        objective,
        draw=_draw(config, world),
        config=config.training,
        seed=config.start_seed,
        device=config.device,
        evaluate=evaluate,
        evaluate_every=max(1, config.training.steps // RECORDS),
        on_progress=_recording(on_progress, metrics),
        checkpoint=checkpoint,
    )
    return Trained(encoder=encoder, objective=objective, fit=trained, unlabelled_r2=unlabelled_r2)


def _start_from_observations(
    encoder: MLP,
    config: SimulationConfig,
    world: ClusterWorld,
    test: WorldSample,
    *,
    folder: Path | None,
    on_progress: Callable[[Progress], None] | None,
) -> float:
    """Begin the hidden layers without labels, or as an earlier part of this run did; their R²."""
    state = None if folder is None else checkpoints.load(folder, device=config.device)
    if state is not None:
        encoder.load_state_dict(state["encoder"])
        return float(state["r2"])
    observing, steps = _stream(config, "flow start"), config.encoder.flow_steps
    began = time.perf_counter()

    def tell(step: int, share: float, loss: float) -> None:
        if on_progress is not None:
            seconds = time.perf_counter() - began
            on_progress(
                Progress(
                    step=step,
                    steps=steps,
                    seconds=seconds,
                    evaluation_seconds=0.0,
                    seconds_left=seconds * (1 / share - 1),
                    loss=loss,
                    evaluation={"before the first label: loss": loss},
                    record=None,
                )
            )

    flow_start.flow_start(
        encoder,
        lambda n: world.sample(n, generator=observing).x,
        steps=steps,
        on_step=tell,
    )
    with torch.no_grad():
        r2 = _live_r2(encoder(test.x), test.z)
    if folder is not None:
        folder.mkdir(exist_ok=True)
        checkpoints.save(folder, {"encoder": encoder.state_dict(), "r2": r2})
    return r2


def train_until_sound(
    config: SimulationConfig,
    world: ClusterWorld,
    test: WorldSample,
    *,
    prediction: Prediction | None,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    metrics: Path | None = None,
) -> list[Start]:
    """Train, and again with other weights while the loss does not end at the optimum's.

    Takes what `train` takes, and the prediction whose optimum that is (None: begin once). At most
    `config.training.starts` networks, of which that of `least_excess` counts.

    Raises:
        TrainingError: the loss is not finite.
    """
    starts: list[Start] = []
    while not starts or _again(config, prediction, starts):
        again = len(starts)
        folder = checkpoint / f"start-{again}" if checkpoint and again else checkpoint
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        trained = train(
            replace(config, start=config.start + again),
            world,
            test,
            label_clusters=starts[0].label_clusters if starts else None,
            on_progress=on_progress,
            checkpoint=folder,
            metrics=metrics,
        )
        starts.append(Start.of(trained, world, test))
    return starts


def least_excess(starts: Sequence[Start]) -> Start:
    """The start that counts; the first where an objective has no excess."""
    return min(starts, key=lambda start: start.excess_of_h or 0.0)


def _result(
    config: SimulationConfig,
    world: ClusterWorld,
    prediction: Prediction,
    starts: Sequence[Start],
    test: WorldSample,
) -> Simulation:
    best = least_excess(starts)
    objective, rows = best.trained.objective, best.rows
    fits = [start.trained.fit for start in starts]
    clusters = best.label_clusters
    drawn = sum(config.training.samples(fit.steps) for fit in fits)
    drawn += 0 if clusters is None else clusters.observations
    drawn += _unlabelled(config) * len(starts)
    tied = clusters is not None and clusters.found
    interrupted = fits[-1].status == "interrupted"
    evaluation = evaluate(
        config,
        world,
        prediction,
        test=test,
        h=best.h,
        rows=rows,
        excess=best.excess,
        temperature=float(objective.scale.detach()) if isinstance(objective, Head) else 1.0,
        seen=drawn / config.n_labels,
        interrupted=interrupted,
        untied_command=_untied(config) if tied else None,
    )
    kept = {field.name: getattr(evaluation, field.name) for field in fields(evaluation)}
    kept["explanation"] += what_labels_did(
        before=best.trained.unlabelled_r2, after=evaluation.r2_latents
    ) + _of_starts(starts, drawn)
    result = SimulationResult(
        **kept,
        status=fits[-1].status,
        starts=tuple(
            TrainedStart(excess=start.excess_of_h, steps=fit.steps, seconds=fit.seconds)
            for start, fit in zip(starts, fits, strict=True)
        ),
        label_groups=None if clusters is None else clusters.groups,
        label_separation=None if clusters is None else clusters.separation,
        label_statement=None
        if clusters is None
        else clusters.statement(untie_at=config.head.untie_at),
        observations=drawn,
        steps=sum(fit.steps for fit in fits),
        seconds=sum(fit.seconds for fit in fits),
        history=tuple(joint_history(fits)),
    )
    return Simulation(
        config=config,
        result=result,
        fit=best.trained.fit,
        arrays=_arrays(world, best.h, rows, test.z, config),
    )


def what_labels_did(*, before: float | None, after: float) -> str:
    """What is said of an encoder that knew observations before it saw a label, if it did."""
    if before is None:
        return ""
    if after > before + SAME_R2:
        did = "mend that, not to find it"
    elif after > before - SAME_R2:
        did = "keep that, not to find it"
    else:
        did = f"take {fixed(before - after, 3)} of that away, not to find it"
    return (
        " The encoder started from observations alone, as the network that makes them most nearly "
        f"normal, and was at R² {fixed(before, 3)} before a label: labels are shown to {did}."
    )


def _of_starts(starts: Sequence[Start], drawn: int) -> str:
    """What is said of a training that began again; nothing of one that did not."""
    if len(starts) == 1:
        return ""
    ends = ", ".join(format_number(start.excess_of_h or 0.0) for start in starts)
    return (
        f" Training began {len(starts)} times, as its loss did not end at the optimum's: excess "
        f"{ends} nats. The least counts; together they took {drawn:,} observations."
    )


def joint_history(fits: Sequence[Fit]) -> list[Record]:
    """One start after another, on one clock."""
    records: list[Record] = []
    before: Record = {"step": 0, "seconds": 0.0, "training_seconds": 0.0}
    for fit in fits:
        records += [r | {name: r[name] + before[name] for name in before} for r in fit.history]
        before = {name: records[-1][name] for name in before}
    return records


def evaluate(
    config: SimulationConfig,
    world: ClusterWorld,
    prediction: Prediction,
    *,
    test: WorldSample,
    h: Float[Tensor, "n m"],
    rows: Float[Tensor, "labels m"] | None,
    excess: ExcessLoss | None,
    temperature: float = 1.0,
    seen: float | None = None,
    interrupted: bool = False,
    untied_command: str | None = None,
) -> Evaluation:
    """Score a representation of fresh samples, and explain what is missing.

    Args:
        config: Of the run; where training was not watched only what `predict` reads of it counts.
        world: Where the samples are from.
        prediction: What theory says of it.
        test: The samples.
        h: Their representation.
        rows: Of the head; None for an oracle.
        excess: Of the loss; None for an oracle.
        temperature: The inverse one that logits are multiplied by, beside h and rows.
        seen: How often training drew each label, if that is known.
        interrupted: Whether training stopped before its end.
        untied_command: Makes the run without tied rows, where rows were tied.
    """
    recovery = score(
        Representation(
            h=h.cpu(),
            factors=Factors.from_latents(test.z.cpu()),
            head=None if rows is None else rows.cpu(),
            head_class=None if rows is None else world.class_of_label.cpu(),
            class_vectors=None if rows is None else world.class_vectors.cpu(),
            x=test.vectors.cpu(),
        ),
        ceiling=1.0 if config.target == "latents" else prediction.ceiling,
        seed=config.seed,
    )
    if config.target == "latents":
        recovery = replace(recovery, objective="regression on the latents themselves")
    rank = None if rows is None else head_row_space(class_rows(rows, world.class_of_label)).rank
    measured = _measure(recovery, excess, seen=seen, interrupted=interrupted)
    explanation = explain_run(config, prediction, measured)
    latents, rows_map = recovery.latents, recovery.head
    assert latents is not None
    case, promised = case_of(config), Promise()
    if rows is not None and all(check.holds for check in prediction.assumptions):
        promised = promise(case, kappa=config.world.kappa, temperature=temperature)
    if rows_map is not None and rows_map.n_train <= recovery.dim:
        rows_map = None  # too few classes to fix a map
    return Evaluation(
        n_labels=world.n_labels,
        classes=world.n_classes,
        case=case,
        promise=promised,
        maps=None
        if rows is None
        else case_scores(
            h=h.cpu(),
            z=test.z.cpu(),
            rows=rows.cpu(),
            row_class=world.class_of_label.cpu(),
            class_vectors=world.class_vectors.cpu(),
            temperature=temperature,
            promise=promised,
            seed=config.seed,
        ),
        covered_rank=rank,
        r2_latents=latents.affine.mean.value,
        procrustes_r2_latents=latents.procrustes.mean.value,
        mcc_latents=latents.mcc_weak.mean.value,
        r2_head=None if rows_map is None else rows_map.affine.mean.value,
        procrustes_r2_head=None if rows_map is None else rows_map.procrustes.mean.value,
        ceiling_r2=_ceiling(config, prediction),
        ceiling_r2_head=prediction.ceiling.r2_head,
        bayes_loss=prediction.bayes.value,
        excess_loss=None if excess is None else excess.value,
        excess_standard_error=None if excess is None else excess.standard_error,
        identity_r2=recovery.mean("x"),
        head_rows_tied=untied_command is not None,
        untied_command=untied_command,
        cause=explanation.cause,
        possible_causes=tuple(explanation.possible),
        next_command=explanation.next_command,
        at_optimum=explanation.arrived,
        explanation=explanation.sentence,
        prediction=prediction,
        recovery=recovery,
        measured=measured,
    )


def _ceiling(config: SimulationConfig, prediction: Prediction) -> float:
    """Affine R² of the latents at the optimum; an oracle's knows no world."""
    return 1.0 if config.target == "latents" else prediction.ceiling.r2_latents


def _untied(config: SimulationConfig) -> str:
    return command_line("simulate", replace(config, head=replace(config.head, tied_rows=False)))


def _measure(
    recovery: Recovery, excess: ExcessLoss | None, *, seen: float | None, interrupted: bool
) -> Measured:
    assert recovery.latents is not None
    inside = [s.row_space for s in recovery.factors if s.row_space and s.complement]
    return Measured(
        r2=recovery.latents.affine.mean.value,
        r2_row_space=fmean(score.value for score in inside) if inside else None,
        excess=None if excess is None else excess.value,
        excess_standard_error=0.0 if excess is None else excess.standard_error,
        row_noise=0.0 if excess is None else excess.row_noise,
        rank=recovery.latents.rank,
        dim=recovery.dim,
        samples=recovery.n_train,
        seen=seen,
        interrupted=interrupted,
    )


def explain_run(
    config: SimulationConfig,
    prediction: Prediction,
    measured: Measured,
    *,
    experiments: Sequence[Experiment] = (),
) -> Explanation:
    """Why a run recovered what it did, with experiments where there are any."""
    if measured.excess is None:
        return _explanation_of_oracle(measured)
    watched = measured.seen is not None  # else the network and its command are not the config's
    return explain_gap(
        r2=measured.r2_guaranteed,
        r2_all=None if measured.r2_row_space is None else measured.r2,
        ceiling_r2=prediction.ceiling.r2_latents,
        ceiling_spread=prediction.ceiling.spread,
        excess=measured.excess,
        excess_standard_error=measured.excess_standard_error,
        sensitivity=_sensitivity(prediction),
        checks=prediction.assumptions,
        interrupted=measured.interrupted,
        rank=measured.rank,
        needed=prediction.ceiling.rank,
        most=config.encoder.narrowest if watched else None,
        dim=measured.dim,
        samples=measured.samples,
        row_noise=measured.row_noise,
        seen=measured.seen,
        experiments=experiments,
        command=command_line("simulate", config) if watched else None,
    )


def _sensitivity(prediction: Prediction) -> Sensitivity:
    """Around the optimum of the case: unit norm has a floor above that of free features."""
    return replace(prediction.sensitivity, ceiling_excess=prediction.ceiling.excess)


def _explanation_of_oracle(measured: Measured) -> Explanation:
    r2, stopped = measured.r2, measured.interrupted
    if r2 >= 1 - CEILING_MARGIN:
        sentence = (
            f"Told the true latents, the encoder learns to find them (R² {fixed(r2, 3)}): "
            "neither it "
            "nor the generator stands in the way of a learner that sees labels only."
        )
        return Explanation(cause=Cause.NONE, sentence=sentence)
    sentence = (
        f"Even told the true latents, the encoder comes to an R² of {fixed(r2, 3)}"
        + (" so far." if stopped else ": ")
        + ("" if stopped else "the generator is more than it learns to undo in this budget.")
    )
    return Explanation(cause=Cause.INTERRUPTED if stopped else Cause.ENCODER, sentence=sentence)


def expected_seconds(config: SimulationConfig) -> float:
    """A rough guess of a run's core-seconds, label clustering included."""
    width = max(config.encoder.width, config.world.dim)
    per_sample = 2.4e-6 * float((width / 64) ** 1.5) + 1e-6
    drawn = config.training.samples(config.training.steps) + 2 * _unlabelled(config)
    if config.target == "instances" and config.head.tied_rows:
        drawn += observations_needed(config.n_labels)
    return 3.0 + drawn * per_sample


def _unlabelled(config: SimulationConfig) -> int:
    """Observations that a start takes before the first label."""
    encoder = config.encoder
    if encoder.architecture != "flow":
        return 0
    return flow_start.observations_needed(encoder.depth, encoder.flow_steps)


def _model(
    config: SimulationConfig, world: ClusterWorld, label_clusters: LabelClusters | None
) -> tuple[nn.Module, Objective]:
    """Encoder and objective before training; they are made from observations and labels only."""
    whitening = world.sample(config.test_samples, generator=_stream(config, "whitening"))
    extra = 0 if config.target == "latents" else config.head.extra_dimensions
    encoder = build_encoder(
        config.encoder,
        whitening.x,
        out_dim=config.dim + extra,
        generator=stream(config.start_seed, "encoder"),
    )
    objective = _objective(config, world, label_clusters)
    return encoder.to(config.device), objective.to(config.device)


def _objective(
    config: SimulationConfig, world: ClusterWorld, label_clusters: LabelClusters | None
) -> Objective:
    instances = config.target == "instances"
    share = config.head.tied_rows and instances  # classes all differ
    made: Objective = OBJECTIVES[config.objective].make(
        config,
        # instances are too many labels to meet
        replace(config.head, label_diffusion=0) if instances else config.head,
        config.n_labels,
        config.dim,
        generator=stream(config.start_seed, "head"),
        label_prior=world.label_prior.cpu(),
        label_clusters=(label_clusters or _alike(config, world)) if share else None,
    )
    return made


def _alike(config: SimulationConfig, world: ClusterWorld) -> LabelClusters:
    generator, draw = _stream(config, "alike labels"), _draw(config, world)
    return cluster_labels(lambda n: draw(n, generator), config.n_labels)


def _stream(config: SimulationConfig, purpose: str) -> torch.Generator:
    return stream(config.seed, purpose, device=config.device)


def _draw(config: SimulationConfig, world: ClusterWorld) -> Draw:
    def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        sample = world.sample(n, generator=generator)
        return sample.x, sample.z if config.target == "latents" else sample.label

    return draw


def _excess(world: ClusterWorld, log_posterior: Tensor, h: Tensor, head: Head) -> ExcessLoss:
    """Excess loss on the first samples of h, as many as have a posterior."""
    n = len(log_posterior)
    return excess_loss(world, log_posterior, h=head.scale * h[:n], head=head.rows())


def _live_r2(h: Tensor, z: Tensor) -> float:
    half = len(h) // 2
    return float(r2_score(least_squares(h[:half], z[:half]).predict(h[half:]), z[half:]).mean())


def _arrays(
    world: ClusterWorld, h: Tensor, rows: Tensor | None, z: Tensor, config: SimulationConfig
) -> dict[str, NDArray[Any]]:
    """What the figures draw: held-out points, and head rows averaged over each class."""
    recovered, true = held_out_predictions(h, z, seed=config.seed)
    arrays = {"true": true, "recovered": recovered}
    if rows is not None:
        means = class_rows(rows, world.class_of_label)
        mapped = least_squares(means, world.class_vectors).predict(means)
        arrays |= {"class_vectors": world.class_vectors, "mapped_rows": mapped}
    return {name: array.float().cpu().numpy() for name, array in arrays.items()}


def _recording(
    on_progress: Callable[[Progress], None] | None, metrics: Path | None
) -> Callable[[Progress], None]:
    """Pass progress on, and write each new record to the metrics file as it comes."""

    def tell(progress: Progress) -> None:
        if metrics is not None and progress.record is not None:
            with metrics.open("a") as file:
                file.write(json.dumps(progress.record) + "\n")
        if on_progress is not None:
            on_progress(progress)

    return tell
