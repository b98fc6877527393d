"""Experiments differ in one thing, are as few as decide, and cost no more than the budget."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.theory.test_explain import BASE, FAR

from identikit.core.errors import InputError
from identikit.encoders.config import EncoderConfig
from identikit.objectives.config import HeadConfig
from identikit.runs.study import run_and_report
from identikit.studies.simulation import run
from identikit.studies.simulation.config import BUDGET, DiagnosisConfig, SimulationConfig
from identikit.studies.simulation.diagnose import Diagnosis, diagnose, plans
from identikit.studies.simulation.result import Measured, Prediction
from identikit.studies.simulation.run import case_of, make_world, predict, simulate
from identikit.studies.simulation.study import DIAGNOSE, SIMULATE
from identikit.theory.explain import Cause, Variation
from identikit.theory.sensitivity import Sensitivity
from identikit.training.config import TrainingConfig
from identikit.worlds.config import WorldConfig
from identikit.worlds.world import ClusterWorld

TINY = SimulationConfig(
    instances=200,
    test_samples=512,
    world=WorldConfig(dim=2, classes=6),
    encoder=EncoderConfig(width=8),
    training=TrainingConfig(steps=60, batch_size=128),
)
MEASURED = Measured(
    r2=0.9,
    r2_row_space=None,
    excess=0.19,
    excess_standard_error=0.003,
    row_noise=0.0,
    rank=2,
    dim=2,
    samples=4096,
    seen=100.0,
    interrupted=False,
)


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    return replace(predict(TINY), sensitivity=BASE)


Answer = Callable[[SimulationConfig], Measured]


def variation_of(config: SimulationConfig) -> Variation | None:
    if config.objective == "oracle":
        return Variation.ORACLE
    if config.objective == "supervised":
        return Variation.CLASS_LABELS
    if config.start:
        return Variation.RESTART
    if config.encoder.width != TINY.encoder.width:
        return Variation.WIDER
    return Variation.LONGER if config.training.steps != TINY.training.steps else None


def answers(
    first: Measured, **others: tuple[float, float | None]
) -> Callable[[SimulationConfig], Measured]:
    """Runs that come out as told: R² and excess of each experiment, by the variation's name."""

    def measure(config: SimulationConfig) -> Measured:
        variation = variation_of(config)
        if variation is None:
            return first
        r2, excess = others.get(variation.name, (first.r2, first.excess))
        return replace(first, r2=r2, excess=excess, row_noise=0.0)

    return measure


def told(
    prediction: Prediction,
    measure: Answer,
    *,
    budget: float = BUDGET,
    sensitivity: Sensitivity = BASE,
) -> Diagnosis:
    known = replace(prediction, sensitivity=sensitivity)
    return diagnose(TINY, measure=lambda config: (known, measure(config)), budget=budget)


STUCK = replace(MEASURED, r2=0.7347, excess=0.056)
NOISY = replace(MEASURED, r2=0.95, excess=0.25, row_noise=0.13)
GOOD: tuple[float, float | None] = (0.999, None)


@pytest.mark.parametrize(
    ("measure", "sensitivity", "cause", "made"),
    [
        (
            answers(MEASURED, ORACLE=(0.91, None), WIDER=(0.995, 0.01)),
            BASE,
            Cause.ENCODER,
            ["ORACLE", "WIDER", "LONGER"],
        ),
        (answers(MEASURED, ORACLE=GOOD), BASE, Cause.OPTIMISER, ["ORACLE"]),
        (
            answers(STUCK, ORACLE=GOOD, RESTART=(0.98, 0.02)),
            FAR,
            Cause.BASIN,
            ["ORACLE", "RESTART", "LONGER"],
        ),
        (
            answers(STUCK, ORACLE=GOOD, LONGER=(0.999, 0.002)),
            FAR,
            Cause.OPTIMISER,
            ["ORACLE", "RESTART", "LONGER"],
        ),
        (
            answers(replace(MEASURED, r2=0.95, excess=0.001), ORACLE=GOOD),
            FAR,
            Cause.FLAT_LOSS,
            ["ORACLE", "RESTART", "LONGER"],
        ),
        (
            answers(NOISY, ORACLE=GOOD, CLASS_LABELS=(0.99, 0.02)),
            BASE,
            Cause.ROW_NOISE,
            ["ORACLE", "CLASS_LABELS"],
        ),
        (
            answers(NOISY, ORACLE=GOOD, CLASS_LABELS=(0.955, 0.1)),
            BASE,
            Cause.OPTIMISER,
            ["ORACLE", "CLASS_LABELS"],
        ),
        (answers(replace(MEASURED, r2=0.99, excess=0.01)), BASE, Cause.NONE, []),
    ],
)
def test_the_cause_is_named_by_as_few_experiments_as_decide(
    prediction: Prediction,
    measure: Answer,
    sensitivity: Sensitivity,
    cause: Cause,
    made: list[str],
) -> None:
    found = told(prediction, measure, sensitivity=sensitivity)
    assert found.explanation.cause is cause
    assert [experiment.variation.name for experiment in found.experiments] == made
    assert len(found.commands) == len(made)
    assert found.explanation.next_command is None
    assert not found.left_out


def test_an_oracle_is_not_asked_where_only_the_loss_falls_short(prediction: Prediction) -> None:
    bent = replace(prediction, ceiling=replace(prediction.ceiling, r2_latents=0.9))
    measure = answers(MEASURED, LONGER=(0.9, 0.05))
    found = diagnose(TINY, measure=lambda config: (bent, measure(config)), budget=BUDGET)
    assert found.explanation.cause is Cause.OPTIMISER
    assert Variation.ORACLE not in {experiment.variation for experiment in found.experiments}


def test_what_the_budget_does_not_allow_is_left_for_the_reader(prediction: Prediction) -> None:
    measure = answers(MEASURED, ORACLE=(0.91, None), WIDER=(0.995, 0.01))
    found = told(prediction, measure, budget=2.0)
    assert found.explanation.cause is Cause.UNDECIDED
    (longer,) = [line for line in found.left_out if "--steps 240" in line]
    assert found.explanation.next_command in found.left_out
    assert longer.startswith("identikit simulate --recipe fast --instances 200")


def test_experiments_stay_in_the_same_world_and_differ_in_one_thing() -> None:
    made = {plan.variation: plan for plan in plans(TINY)}
    assert made.keys() == {*Variation}
    world = make_world(TINY)
    for plan in made.values():
        other = make_world(plan.config)
        assert torch.equal(other.class_vectors, world.class_vectors)
        assert torch.equal(
            other.generator(world.class_vectors), world.generator(world.class_vectors)
        )
    assert made[Variation.RESTART].config == replace(TINY, start=1)
    assert made[Variation.LONGER].config.training == replace(TINY.training, steps=240)
    assert made[Variation.WIDER].config.encoder == replace(TINY.encoder, width=64)
    assert made[Variation.RESTART].cost == 1


def test_what_a_world_does_not_know_is_not_tried() -> None:
    for architecture in ("paper", "flow"):
        paper = replace(TINY, encoder=EncoderConfig(architecture=architecture))
        assert Variation.WIDER not in {plan.variation for plan in plans(paper)}
    paper = replace(paper, objective="supervised")
    assert Variation.CLASS_LABELS not in {plan.variation for plan in plans(paper)}
    tied = replace(TINY, head=HeadConfig(tied_rows=True))
    assert all(
        not plan.config.head.tied_rows
        for plan in plans(tied)
        if plan.variation is Variation.CLASS_LABELS
    )


def test_another_start_is_another_network_in_the_same_world() -> None:
    short = replace(TINY, training=replace(TINY.training, steps=16))
    first, other = (simulate(replace(short, start=start)) for start in (0, 1))
    assert first.result.prediction == other.result.prediction
    assert first.result.measured.r2 != other.result.measured.r2


@pytest.mark.drawn
def test_a_diagnosis_is_a_run_of_its_own_and_finds_the_others(tmp_path: Path) -> None:
    config = DiagnosisConfig(simulation=TINY)
    done = run_and_report(DIAGNOSE, config, root=tmp_path)
    assert not done.found
    assert done.run.origin["command"].startswith(
        "identikit simulate --diagnose --recipe fast --instances"
    )
    assert done.result.experiments
    for experiment in done.result.experiments:
        assert (tmp_path / experiment.run / "result.json").exists()
    page = DIAGNOSE.page_of(done.run)
    assert page.sections[0].heading == "What decided"
    assert page.findings[0].explained == done.result.simulation.explanation
    assert run_and_report(SIMULATE, TINY, root=tmp_path).found
    again = run_and_report(DIAGNOSE, config, root=tmp_path)
    assert again.found
    assert again.result == done.result


def test_a_budget_is_positive() -> None:
    with pytest.raises(InputError, match="budget must be positive"):
        DiagnosisConfig(budget=0.0)


def trained(**options: object) -> SimulationConfig:
    steps, width = options.pop("steps", 1600), options.pop("width", 64)
    objective = options.pop("objective", "supervised")
    return SimulationConfig(
        objective=objective,  # type: ignore[arg-type]
        world=WorldConfig(**options),  # type: ignore[arg-type]
        encoder=EncoderConfig(width=width),  # type: ignore[arg-type]
        training=TrainingConfig(steps=steps),  # type: ignore[arg-type]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "cause"),
    [
        (trained(conditional="laplace", scale=0.5, steps=250), Cause.OPTIMISER),
        (trained(kappa=50.0), Cause.OPTIMISER),
        (trained(width=8), Cause.ENCODER),
        (trained(objective="diet", steps=300), Cause.OPTIMISER),
    ],
    ids=["laplace, 250 steps", "kappa 50", "width 8", "diet, 300 steps"],
)
def test_planted_causes_of_real_runs_are_found(
    config: SimulationConfig, cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[object, Prediction] = {}

    def predict_once(config: SimulationConfig, world: ClusterWorld) -> Prediction:
        """Experiments in the same world have the same prediction, and most of a run is that."""
        theirs = config.world, config.n_labels, config.seed, config.dim, case_of(config)
        if theirs not in known:
            known[theirs] = predict(config, world)
        return known[theirs]

    monkeypatch.setattr(run, "predict", predict_once)

    def made(varied: SimulationConfig) -> tuple[Prediction, Measured]:
        done = simulate(varied).result
        return done.prediction, done.measured

    assert diagnose(config, measure=made, budget=BUDGET).explanation.cause is cause
