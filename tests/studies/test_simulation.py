"""A simulation is a function of its config, resumes to the same bits, and explains itself."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from identikit.cli.simulate import Simulate
from identikit.core.config import from_dict, to_dict
from identikit.core.errors import InputError
from identikit.core.estimate import central, with_ends
from identikit.core.finding import Verdict
from identikit.encoders.config import EncoderConfig
from identikit.objectives.config import HeadConfig
from identikit.runs.provenance import command_line
from identikit.runs.study import run_and_report
from identikit.studies.simulation.config import SimulationConfig, from_recipe
from identikit.studies.simulation.page import simulation_page
from identikit.studies.simulation.recipe_choice import choose_recipe
from identikit.studies.simulation.run import (
    Simulation,
    expected_seconds,
    predict,
    simulate,
    what_labels_did,
)
from identikit.studies.simulation.study import SIMULATE
from identikit.theory.cases import Case, Promise
from identikit.training import flow_start
from identikit.training.config import TrainingConfig
from identikit.training.fit import Progress
from identikit.training.recipes import recipe
from identikit.worlds.config import WorldConfig

SMALL = SimulationConfig(
    instances=200,
    seed=1,
    test_samples=1024,
    world=WorldConfig(dim=3, classes=20),
    training=replace(
        recipe("fast").training,
        steps=200,
        batch_size=512,
        final_batch_size=None,
        schedule="cosine",
    ),
)


def test_config_round_trips_through_json() -> None:
    assert from_dict(SimulationConfig, to_dict(SMALL)) == SMALL


def test_command_line_names_what_differs_from_the_defaults() -> None:
    config = replace(SMALL, few_classes=True)
    line = command_line("simulate", config)
    assert line.startswith(
        "identikit simulate --recipe fast --instances 200 --seed 1 --few-classes --test"
    )
    assert line.endswith("--batch-size 512 --final-batch-size None --schedule cosine")
    assert "--kappa" not in line


@pytest.mark.parametrize("name", ["fast", "flat", "wide", "crowded"])
def test_command_line_names_the_recipe_whatever_the_world_calls_for(name: str) -> None:
    """Left out, these worlds would have another one chosen."""
    world = WorldConfig(kappa=5.0) if name != "fast" else WorldConfig(kappa=50.0)
    config = replace(from_recipe(name), world=world)
    line = command_line("simulate", config)
    assert line == f"identikit simulate --recipe {name} --kappa {world.kappa}"
    assert Simulate.given(line.split()[2:]).config.training == config.training
    assert choose_recipe(world)[0] != name


@pytest.fixture(scope="module")
def made() -> Simulation:
    """The small run, without a folder."""
    return simulate(SMALL)


def test_the_same_config_gives_the_same_bits_and_learns_something(made: Simulation) -> None:
    first, second = made, simulate(SMALL)
    assert first.result.recovery == second.result.recovery
    assert first.result.excess_loss == second.result.excess_loss
    np.testing.assert_array_equal(first.arrays["recovered"], second.arrays["recovered"])
    result = first.result
    assert result.r2_latents > result.identity_r2 + 0.05
    assert result.ceiling_r2 == pytest.approx(1, abs=1e-6)
    assert result.excess_loss is not None
    assert result.excess_loss > 0


UNIT = (Case.C1, Case.C2, Case.C3)
PROMISED = {
    "Latents from h by a scaled rotation": UNIT,
    "Latents from h by a linear map": (Case.C3, Case.C4),
    "Temperature over concentration": (Case.C1,),
    "Length of h": (Case.C3,),
    "Length of the rows": (Case.C2,),
    "Singular values of the map to h": UNIT,
    "Singular values of the map to the rows": UNIT,
    "One rotation for h and rows": UNIT,
}
"""What is said of some cases only."""


@pytest.mark.slow
@pytest.mark.parametrize("case", Case)
def test_training_finds_what_a_case_promises(case: Case) -> None:
    config = replace(
        SMALL,
        objective="supervised",
        test_samples=2048,
        world=WorldConfig(dim=3, classes=30),
        head=HeadConfig(unit_features=case.unit_features, unit_rows=case.unit_rows),
        training=TrainingConfig(steps=800),
    )
    result = simulate(config).result
    for finding in result.findings:
        if finding.predicted is None:
            assert finding.quantity == "Constant of the rows"
            assert not case.unit_rows
            continue
        assert central(finding.recovered) == pytest.approx(finding.predicted, abs=0.1), finding
    assert result.maps is not None
    if case is not Case.C4:
        assert result.maps.one_rotation.value < 0.02
        assert result.maps.apart.value < 0.002


def test_nothing_is_promised_where_an_assumption_fails() -> None:
    """Six classes in three dimensions: twice as many, but not diverse in every basis."""
    config = replace(
        SMALL,
        objective="supervised",
        world=WorldConfig(dim=3, classes=6),
        head=HeadConfig(unit_rows=True),
        training=TrainingConfig(steps=20),
    )
    result = simulate(config).result
    assert not result.rotates
    assert result.promise == Promise()
    findings = {finding.quantity: finding for finding in result.findings}
    for name in ("Latents from h by a scaled rotation", "One rotation for h and rows"):
        assert findings[name].predicted is None
        assert findings[name].verdict is Verdict.MEASURED
    assert "Length of h" not in findings
    assert "an assumption does not hold" in findings["Constant of the rows"].explained
    assert findings["Latents from h by a linear map"].predicted == pytest.approx(1)


def test_rows_of_a_class_are_compared_where_there_are_several(made: Simulation) -> None:
    findings = {f.quantity: f for f in made.result.findings}
    rows = findings["Rows of one class"]
    assert rows.predicted == 0
    got, low, high = with_ends(rows.recovered or 0.0)
    assert 0 < low < got < high < 0.1  # training saw each of the ten often
    assert rows.verdict is Verdict.AS_PREDICTED


@pytest.mark.parametrize("case", Case)
def test_supervised_runs_of_every_case_work_too(case: Case) -> None:
    norms = {"unit_features": case.unit_features, "unit_rows": case.unit_rows}
    config = replace(SMALL, objective="supervised", head=replace(SMALL.head, **norms))
    done = simulate(config)
    assert done.config.n_labels == 20
    latents = done.result.recovery.latents
    assert latents is not None
    assert latents.procrustes.mean.value > 0.6
    said = {finding.quantity for finding in done.result.findings}
    assert said & set(PROMISED) == {name for name in PROMISED if case in PROMISED[name]}
    assert "Constant of the rows" in said
    assert "Rows of one class" not in said  # each class has one


@pytest.mark.parametrize("objective", ["supervised", "oracle"])
def test_a_rendered_world_is_learnt_from_pixels(objective: Literal["supervised", "oracle"]) -> None:
    config = SimulationConfig(
        objective=objective,
        test_samples=512,
        world=WorldConfig(dim=2, classes=20, generator="sprites"),
        encoder=EncoderConfig(architecture="cnn", width=16),
        training=TrainingConfig(steps=150, batch_size=64, optimizer="adam", rate=1e-2),
    )
    done = simulate(config)
    assert done.result.prediction.ceiling.r2_latents == pytest.approx(1, abs=1e-6)
    assert all(check.holds for check in done.result.prediction.assumptions)
    assert done.result.r2_latents > (0.9 if objective == "oracle" else 0.5)
    assert done.result.recovery.mean("x") > 0.9  # places are nearly linear in pixels


def test_two_classes_are_enough_to_run() -> None:
    world = replace(SMALL.world, classes=2)
    config = replace(SMALL, objective="supervised", few_classes=True, world=world)
    config = replace(config, training=replace(SMALL.training, steps=20))
    assert simulate(config).result.r2_head is None


def test_an_interrupted_run_resumes_to_the_numbers_of_an_undisturbed_one(
    made: Simulation, tmp_path: Path
) -> None:
    def watch(progress: Progress) -> None:
        if progress.step == 48:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = run_and_report(SIMULATE, SMALL, root=tmp_path, tell=watch)
    assert stopped.run.interrupted
    assert stopped.result.steps < 200
    assert stopped.result.verdict is Verdict.UNDECIDED
    assert "interrupted" in stopped.result.explanation
    assert (stopped.run.path / "report.html").exists()

    resumed = run_and_report(SIMULATE, SMALL, root=tmp_path)
    assert not resumed.found
    assert resumed.result.r2_latents == made.result.r2_latents
    lines = (resumed.run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["r2"] for line in lines] == [r["r2"] for r in made.fit.history]

    again = run_and_report(SIMULATE, SMALL, root=tmp_path)
    assert again.found
    assert again.result == resumed.result


HASTY = replace(
    SMALL,
    objective="supervised",
    test_samples=256,
    world=WorldConfig(dim=2, classes=6, generator="identity"),
    training=TrainingConfig(steps=8, batch_size=64, starts=3),
)
"""Does not arrive at the optimum, so that it starts again."""


def test_a_run_that_has_not_arrived_starts_again_and_counts_what_it_spent(tmp_path: Path) -> None:
    result = simulate(HASTY, metrics=tmp_path / "metrics.jsonl").result
    once = replace(HASTY.training, starts=1)
    alone = [simulate(replace(HASTY, start=k, training=once)).result for k in range(3)]
    ends = [one.measured.excess_of_h for one in alone]
    assert [start.excess for start in result.starts] == ends
    assert None not in ends
    best = alone[ends.index(min(ends))]  # type: ignore[type-var]
    assert (result.r2_latents, result.excess_loss) == (best.r2_latents, best.excess_loss)
    assert (result.steps, result.observations) == (24, 3 * 8 * 64)
    assert result.measured.seen == 3 * 8 * 64 / 6
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [record["step"] for record in result.history] == sorted(steps)
    assert steps[-1] == 24
    assert "Training began 3 times" in result.findings[0].explained
    assert "1,536 observations" in result.headline.sentence
    assert "began" not in alone[0].explanation


@pytest.mark.parametrize(
    "training",
    [
        TrainingConfig(steps=400, batch_size=1024, starts=3),  # arrives
        TrainingConfig(steps=8, batch_size=64, starts=3, max_seconds=1e6),
    ],
)
def test_a_run_without_need_or_budget_starts_once(training: TrainingConfig) -> None:
    assert len(simulate(replace(HASTY, training=training)).result.starts) == 1


def test_a_run_stopped_in_its_second_start_goes_on_there(tmp_path: Path) -> None:
    steps: list[int] = []

    def watch(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == 4 and steps.count(4) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    folder = tmp_path / "checkpoint"
    stopped = simulate(HASTY, on_progress=watch, checkpoint=folder).result
    assert (stopped.status, len(stopped.starts), stopped.steps) == ("interrupted", 2, 12)
    whole, resumed = simulate(HASTY).result, simulate(HASTY, checkpoint=folder).result
    assert [s.excess for s in resumed.starts] == [s.excess for s in whole.starts]
    assert resumed.r2_latents == whole.r2_latents


@pytest.mark.drawn
def test_a_run_holds_everything_and_its_page_shows_the_three_columns(tmp_path: Path) -> None:
    done = run_and_report(SIMULATE, SMALL, root=tmp_path)
    run, result = done.run, done.result
    for name in (
        "config.json",
        "metrics.jsonl",
        "result.json",
        "arrays.safetensors",
        "report.html",
    ):
        assert (run.path / name).stat().st_size > 0
    assert {path.suffix for path in (run.path / "figures").iterdir()} == {".png", ".pdf"}
    page = SIMULATE.page_of(run)
    assert page.findings == result.findings
    first = page.findings[0]
    assert first.predicted == result.ceiling_r2
    assert getattr(first.recovered, "value", None) == result.r2_latents
    assert first.explained == result.explanation
    saved = run.result["findings"][0]
    assert (saved["verdict"], saved["predicted"]) == (first.verdict, first.predicted)
    assert run.result["headline"]["sentence"] == page.headline.sentence
    assert {"sphere", "latents", "training", "factors", "head"} == {f.name for f in page.figures}
    rendered = {**run.config, "world": {**run.config["world"], "generator": "sprites"}}
    assert "rendered sprites" in simulation_page(replace(run, config=rendered), result).subtitle


@pytest.mark.parametrize("unit", [False, True])
def test_labels_that_look_alike_share_rows_at_first_and_the_result_says_so(
    unit: bool, tmp_path: Path
) -> None:
    plain = HeadConfig(unit_features=unit, unit_rows=unit)
    head = replace(plain, extra_dimensions=2, tied_rows=True)
    world = WorldConfig(dim=3, classes=6)
    config = replace(SMALL, head=head, world=world)
    alone = simulate(replace(config, head=plain)).result
    done = run_and_report(SIMULATE, config, root=tmp_path)
    result, page = done.result, SIMULATE.page_of(done.run)
    assert result.label_groups == 6
    assert result.label_separation is not None
    assert result.label_separation > 1.5
    assert result.excess_loss is not None
    assert alone.excess_loss is not None
    if not unit:  # so short a run leaves the two within their noise on the sphere
        assert result.excess_loss < alone.excess_loss
    assert result.recovery.dim == 3
    (training,) = (section for section in page.sections if section.heading == "Training")
    assert training.notes == (result.label_statement,)
    assert "6 groups that look alike" in training.notes[0]


def test_an_oracle_is_told_the_latents_and_says_what_the_encoder_can_learn(
    made: Simulation, tmp_path: Path
) -> None:
    config = replace(SMALL, objective="oracle")
    done = run_and_report(SIMULATE, config, root=tmp_path)
    result, page = done.result, SIMULATE.page_of(done.run)
    assert result.r2_latents > made.result.r2_latents
    assert (result.ceiling_r2, result.excess_loss, result.r2_head) == (1, None, None)
    assert "told the true latents" in result.explanation.lower()
    assert set(result.history[-1]) == {"step", "seconds", "training_seconds", "loss", "r2"}
    assert [finding.label for finding in page.findings] == ["Latents from h (affine R²)"]
    assert [control.name for control in page.findings[0].controls] == ["x itself"]
    assert page.title == "What an oracle recovered of a simulated world"


def test_theory_alone_predicts_what_training_meets_later() -> None:
    laplace = replace(SMALL, world=replace(SMALL.world, conditional="laplace", scale=1.0))
    prediction = predict(laplace)
    assert prediction.ceiling.r2_latents < 0.95
    assert not all(check.holds for check in prediction.assumptions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instances": 10}, "instances must be at least as many as classes; got 10"),
        ({"threads": 0}, "threads must be at least 1; got 0"),
        ({"representation_dim": 0}, "representation_dim must be at least 1"),
        ({"test_samples": 10}, "test_samples must be at least 16 per dimension"),
        ({"world": WorldConfig(dim=3, classes=3)}, "classes must be at least dim"),
        (
            {"head": HeadConfig(tied_rows=True), "world": WorldConfig(label_exponent=1.0)},
            "tied_rows is for labels that come equally often",
        ),
        ({"objective": "oracle", "representation_dim": 2}, "the oracle regresses on the latents"),
        ({"objective": "oracle", "head": HeadConfig(unit_rows=True)}, "no norm of its own"),
        (
            {"head": HeadConfig(unit_rows=True), "world": WorldConfig(dim=3, classes=5)},
            r"case C3\) need diverse data, at least 2 dim \(6\) classes; got 5",
        ),
    ],
)
def test_impossible_configs_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_few_classes_may_be_asked_for_and_cap_the_ceiling() -> None:
    config = replace(SMALL, few_classes=True, world=WorldConfig(dim=3, classes=3))
    assert predict(config).ceiling.r2_latents < 0.9
    result = simulate(config).result
    assert result.covered_rank == 2
    assert result.r2_head is None


FLOW = EncoderConfig(architecture="flow", flow_steps=30)


def test_a_run_that_knew_observations_before_labels_says_so_and_counts_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flow_start, "ICA_SAMPLES", 2048)
    few = replace(SMALL, training=replace(SMALL.training, steps=20))
    plain, flow = (simulate(config).result for config in (few, replace(few, encoder=FLOW)))
    words = "started from observations alone"
    assert words in flow.explanation
    assert words not in plain.explanation
    extra = flow_start.observations_needed(FLOW.depth, FLOW.flow_steps)
    assert flow.observations == plain.observations + extra
    assert expected_seconds(replace(few, encoder=FLOW)) > expected_seconds(few)


def test_a_run_stopped_after_its_start_from_observations_does_not_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_start, "ICA_SAMPLES", 2048)
    config = replace(SMALL, encoder=FLOW, training=replace(SMALL.training, steps=20))

    heard: list[Progress] = []

    def stop(progress: Progress) -> None:
        heard.append(progress)
        if progress.steps == 20 and progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = simulate(config, on_progress=stop, checkpoint=tmp_path).result
    assert stopped.status == "interrupted"
    start = [news for news in heard if news.steps == FLOW.flow_steps]
    assert [news.step for news in start] == list(range(1, FLOW.flow_steps + 1))
    assert start[0].seconds_left > 0
    assert start[-1].seconds_left == pytest.approx(0)
    assert start[-1].words.startswith("before the first label")
    whole = simulate(config).result
    monkeypatch.setattr(flow_start, "flow_start", None)  # calling it would raise
    resumed = simulate(config, checkpoint=tmp_path).result
    assert resumed.r2_latents == whole.r2_latents
    assert resumed.explanation == whole.explanation


@pytest.mark.parametrize(
    ("world", "got"),
    [(WorldConfig(observation_dim=7), "7"), (WorldConfig(generator="rooms", dim=3), "images")],
)
def test_a_flow_keeps_dimensions(world: WorldConfig, got: str) -> None:
    with pytest.raises(InputError, match=f"as there are latents \\({world.dim}\\); got {got}"):
        SimulationConfig(world=world, encoder=FLOW)
    SimulationConfig(world=WorldConfig(observation_dim=5), encoder=FLOW)


def test_a_cnn_needs_images() -> None:
    with pytest.raises(InputError, match="a cnn encodes images; got the generator mlp"):
        SimulationConfig(encoder=EncoderConfig(architecture="cnn"))
    world = WorldConfig(generator="rooms", dim=3)
    SimulationConfig(world=world, encoder=EncoderConfig(architecture="cnn"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.727, 0.752, "labels are shown to mend that, not to find it."),
        (0.993, 0.9929, "labels are shown to keep that, not to find it."),
        (0.991, 0.9853, "labels are shown to take 0.006 of that away, not to find it."),
    ],
)
def test_what_labels_did_to_a_start_without_them_is_said_as_measured(
    before: float, after: float, said: str
) -> None:
    words = what_labels_did(before=before, after=after)
    assert words.endswith(f"was at R² {before:.3f} before a label: {said}")
    assert what_labels_did(before=None, after=after) == ""
