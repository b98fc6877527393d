"""The fit loop: same bits, resumed or not; budgets, records, interruptions and refusals."""

import math
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import MLP
from identikit.objectives.config import HeadConfig
from identikit.objectives.curriculum import build_head
from identikit.objectives.head import Head, SoftmaxHead
from identikit.objectives.label_clustering import LabelClusters
from identikit.training import checkpoint as checkpoints
from identikit.training import fit
from identikit.training.config import TrainingConfig
from identikit.training.fit import CHUNK, Fit, Progress, TrainingError, fit_network
from identikit.training.optimizers import Optimizers

LABELS, DIM = 40, 3
CONFIG = TrainingConfig(
    steps=40, batch_size=16, optimizer="muon", rate=0.03, head_rate=0.1, muon_rate=0.1
)


def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noisy copies of one point per label."""
    points = torch.randn(LABELS, DIM, generator=torch.Generator().manual_seed(9))
    label = torch.randint(LABELS, (n,), generator=generator)
    return points[label] + 0.1 * torch.randn(n, DIM, generator=generator), label


def build(*, seed: int = 0, width: int = 8) -> tuple[MLP, SoftmaxHead]:
    generator = torch.Generator().manual_seed(seed)
    encoder = MLP(EncoderConfig(width=width, depth=2), DIM, DIM, generator=generator)
    head = SoftmaxHead(HeadConfig(group=8, negatives=4), LABELS, DIM, generator=generator)
    return encoder, head


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def train(
    encoder: nn.Module, head: Head, *, config: TrainingConfig = CONFIG, **options: Any
) -> Fit:
    """A fit in which no time passes unless a clock is given."""
    given: dict[str, Any] = {"draw": draw, "seed": 1, "clock": Clock()} | options
    return fit_network(encoder, head, **given, config=config)


def weights(*modules: nn.Module) -> list[Tensor]:
    return [t.clone() for module in modules for t in module.state_dict().values()]


def same_bits(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def interrupt_at(step: int) -> Callable[[Progress], None]:
    """Ctrl-C while progress is being told."""

    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            signal.raise_signal(signal.SIGINT)

    return on_progress


def spread_of(encoder: nn.Module) -> Callable[[], dict[str, float]]:
    """A cheap evaluation."""
    x, _ = draw(20, torch.Generator().manual_seed(5))
    return lambda: {"spread": float(encoder(x).detach().std())}


# Training


def test_training_lowers_the_loss_and_reports_it() -> None:
    encoder, head = build()
    result = train(
        encoder, head, config=replace(CONFIG, steps=100, batch_size=64), evaluate_every=20
    )
    assert result.status == "completed"
    assert result.steps == 100
    assert [record["step"] for record in result.history] == [20, 40, 60, 80, 100]
    assert result.history[-1]["loss"] < 0.6 * result.history[0]["loss"]
    assert not encoder.training


def test_mean_loss_of_a_record_is_over_the_steps_since_the_last() -> None:
    each = train(*build(), evaluate_every=1).history
    by_four = train(*build(), evaluate_every=4).history
    means = np.reshape([record["loss"] for record in each], (-1, 4)).mean(1)
    np.testing.assert_allclose([record["loss"] for record in by_four], means)


def test_the_last_step_is_always_evaluated() -> None:
    encoder, head = build()
    history = train(encoder, head, evaluate=spread_of(encoder), evaluate_every=30).history
    assert [record["step"] for record in history] == [30, 40]
    assert history[-1]["spread"] == spread_of(encoder)()["spread"]


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_same_seed_same_bits(optimizer: Any) -> None:
    config = replace(CONFIG, optimizer=optimizer)
    first, second, other = build(), build(), build()
    train(*first, config=config)
    torch.manual_seed(123)
    train(*second, config=config, evaluate_every=7)
    train(*other, config=config, seed=2)
    assert same_bits(weights(*first), weights(*second))
    assert not same_bits(weights(*first), weights(*other))


@pytest.mark.parametrize(
    "config", [CONFIG, replace(CONFIG, final_batch_size=40 * 16)], ids=["fixed", "growing"]
)
def test_every_step_has_batches_and_negatives_of_its_own(
    config: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bytes]] = []
    loss = SoftmaxHead.loss

    def spy(self: SoftmaxHead, y: Tensor, label: Tensor, **options: Any) -> Tensor:
        seen.append((options["generator"].initial_seed(), label.numpy().tobytes()))
        return loss(self, y, label, **options)

    monkeypatch.setattr(SoftmaxHead, "loss", spy)
    train(*build(), config=config)
    assert [len(set(column)) for column in zip(*seen, strict=True)] == [40, 40]


def test_batches_grow_in_bounded_draws_and_resume_to_the_same_bits(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=96, final_batch_size=16 * 16)
    drawn: list[int] = []

    def counting(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn.append(n)
        return draw(n, generator)

    whole, part = build(), build()
    train(*whole, config=config, draw=counting)
    sizes = [16 * config.batches_in_one(16 * (step // CHUNK)) for step in range(96)]
    assert sum(drawn) == sum(sizes)
    assert sizes[-1] > 8 * sizes[0]
    assert max(drawn) <= 16 * CHUNK
    options: dict[str, Any] = {"config": config, "evaluate_every": 88, "checkpoint": tmp_path}
    stopped = train(*part, **options, on_progress=interrupt_at(88))
    assert stopped.steps == 88
    again = build(seed=5)
    train(*again, **options)
    assert same_bits(weights(*whole), weights(*again))


@pytest.mark.parametrize("label_diffusion", [0, 2])
@pytest.mark.parametrize("stop", [4, 14, 24, 38])  # before folding, after it, with rows untied
def test_a_curriculum_resumes_to_the_same_bits(
    stop: int, label_diffusion: int, tmp_path: Path
) -> None:
    def model(seed: int = 0) -> tuple[MLP, Head]:
        generator = torch.Generator().manual_seed(seed)
        encoder = MLP(EncoderConfig(width=8), DIM, DIM + 2, generator=generator)
        clusters = LabelClusters(
            group=torch.arange(LABELS) % 8, groups=8, separation=2.0, observations=0
        )
        config = HeadConfig(
            group=8,
            negatives=4,
            extra_dimensions=2,
            label_diffusion=label_diffusion,
            tied_rows=not label_diffusion,
        )
        groups = None if label_diffusion else clusters
        return encoder, build_head(config, LABELS, DIM, generator=generator, label_clusters=groups)

    whole, part, again = model(), model(), model(seed=5)
    train(*whole)
    train(*part, evaluate_every=stop, on_progress=interrupt_at(stop), checkpoint=tmp_path)
    train(*again, checkpoint=tmp_path)
    assert same_bits(weights(*whole), weights(*again))


def test_only_square_matrices_are_muons() -> None:
    """The first step is as long as the rate, so rates far apart tell who moved what."""
    encoder, head = build()
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    optimizers = Optimizers(encoder, head, replace(CONFIG, muon_rate=100.0, rate=0.01))
    x, label = draw(16, torch.Generator())
    head.loss(encoder(x), label, generator=torch.Generator()).backward()
    optimizers.step(1.0)
    moved = {
        name: float((p.detach() - before[name]).abs().max())
        for name, p in encoder.named_parameters()
    }
    by_muon = {name for name, distance in moved.items() if distance > 1}
    assert by_muon == {name for name, p in before.items() if p.shape == (8, 8)}
    assert by_muon
    assert all(moved[name] == pytest.approx(0.01, rel=0.01) for name in moved.keys() - by_muon)
    assert all(p.grad is None for p in [*encoder.parameters(), *head.parameters()])


# Interruption and resumption


@pytest.mark.parametrize(("every", "stop"), [(1, 7), (1, 23), (5, CHUNK), (5, 35), (100, CHUNK)])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_resumed_fit_ends_at_the_same_bits(
    tmp_path: Path, optimizer: Any, every: int, stop: int
) -> None:
    config = replace(CONFIG, optimizer=optimizer)

    def run(modules: tuple[MLP, SoftmaxHead], **options: Any) -> Fit:
        evaluate = spread_of(modules[0])
        return train(*modules, config=config, evaluate=evaluate, evaluate_every=every, **options)

    whole, begun, resumed = build(), build(), build(seed=1)
    expected = run(whole)
    part = run(begun, checkpoint=tmp_path, on_progress=interrupt_at(stop))
    assert (part.status, part.steps) == ("interrupted", stop)
    result = run(resumed, checkpoint=tmp_path)
    assert same_bits(weights(*resumed), weights(*whole))
    assert result == expected


def test_the_record_of_an_interruption_is_not_in_the_history_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(*build(), evaluate_every=4)
    step, steps = Optimizers.step, 0

    def interrupted(self: Optimizers, rate_share: float) -> None:
        nonlocal steps
        steps += 1
        if steps == 5:
            signal.raise_signal(signal.SIGINT)
        step(self, rate_share)

    monkeypatch.setattr(Optimizers, "step", interrupted)
    part = train(*build(), evaluate_every=4, checkpoint=tmp_path)
    assert [record["step"] for record in part.history] == [4, 5]
    whole = train(*build(), evaluate_every=4, checkpoint=tmp_path)
    for one, other in zip(whole.history, expected.history, strict=True):
        assert (one["step"], one["loss"]) == (other["step"], other["loss"])


def test_interrupts_during_a_step_end_the_fit_after_it() -> None:
    steps = 0

    class Interrupted(MLP):
        def forward(self, x: Tensor) -> Tensor:
            nonlocal steps
            steps += 1
            if steps == 5:
                signal.raise_signal(signal.SIGINT)
            return super().forward(x)

    _, head = build()
    encoder = Interrupted(EncoderConfig(), DIM, DIM, generator=torch.Generator())
    before = signal.getsignal(signal.SIGINT)
    result = train(encoder, head)
    assert (result.status, result.steps) == ("interrupted", 5)
    assert [record["step"] for record in result.history] == [5]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_stops_at_once() -> None:
    def twice(_: Progress) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever ran here before
    try:
        with pytest.raises(KeyboardInterrupt):
            train(*build(), on_progress=twice)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_finished_fit_is_not_trained_on(tmp_path: Path) -> None:
    first = build()
    result = train(*first, checkpoint=tmp_path)
    again = build(seed=1)
    assert train(*again, checkpoint=tmp_path) == result
    assert same_bits(weights(*first), weights(*again))


# Checkpoints that are refused


@pytest.mark.parametrize(
    "change",
    [{"config": replace(CONFIG, steps=41)}, {"seed": 2}],
    ids=["config", "seed"],
)
def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    train(*build(), checkpoint=tmp_path)
    before = (tmp_path / checkpoints.FILE).read_bytes()
    with pytest.raises(InputError, match=r"another config, seed or model.*--restart"):
        train(*build(), checkpoint=tmp_path, **change)
    assert (tmp_path / checkpoints.FILE).read_bytes() == before


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    train(*build(), checkpoint=tmp_path)
    with pytest.raises(InputError, match=r"or model.*--restart"):
        train(*build(width=9), checkpoint=tmp_path)


@pytest.mark.parametrize("change", [{"encoder": {}}, {"head": None}, {"optimizers": []}, "step"])
def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: Path, change: str | dict[str, Any]
) -> None:
    train(*build(), checkpoint=tmp_path)
    state = torch.load(tmp_path / checkpoints.FILE, weights_only=True)
    if isinstance(change, str):
        del state[change]
    else:
        state |= change
    checkpoints.save(tmp_path, state)
    with pytest.raises(InputError, match="or of another version"):
        train(*build(), checkpoint=tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    train(*build(), checkpoint=tmp_path)
    path = tmp_path / checkpoints.FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        train(*build(), checkpoint=tmp_path)


# Losses that are not finite


def test_a_loss_that_is_not_finite_names_its_step_and_saves_the_state_before(
    tmp_path: Path,
) -> None:
    bad = CHUNK + 1

    def poisoned(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, label = draw(n, generator)
        chunks.append(n)
        return (x if len(chunks) == 1 else x * math.nan), label

    chunks: list[int] = []
    encoder, head = build()
    with pytest.raises(
        TrainingError, match=rf"loss is nan at step {bad} of 40.*lower the rates"
    ) as error:
        train(encoder, head, draw=poisoned, checkpoint=tmp_path, evaluate_every=4)
    assert [record["step"] for record in error.value.history] == [4, 8, 12, 16]
    state = checkpoints.load(tmp_path, device="cpu")
    assert state is not None
    assert state["step"] == bad - 1
    assert same_bits(list((state["encoder"] | state["head"]).values()), weights(encoder, head))
    assert all(t.isfinite().all() for t in weights(encoder, head))


def test_weights_that_are_not_finite_leave_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Overflowing(nn.Module):
        """Its weights are lost in its sixth step, whose loss is still finite."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = build()[0], 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            y: Tensor = self.inner(x)
            if self.calls == 6:
                y.register_hook(lambda gradient: gradient * math.inf)
            return y

    said = r"loss is nan at step 7 of 40.*rate 0.03.*last good checkpoint, of step 3, stays"
    clock = Clock()

    def pass_time(progress: Progress) -> None:
        clock.now += 100.0 if progress.step == 3 else 0.0

    with pytest.raises(TrainingError, match=said):
        train(
            Overflowing(),
            build()[1],
            checkpoint=tmp_path,
            evaluate_every=1,
            clock=clock,
            on_progress=pass_time,
        )
    state = checkpoints.load(tmp_path, device="cpu")
    assert state is not None
    assert state["step"] == 3
    assert all(part.isfinite().all() for part in state["encoder"].values())


# Batches by step


class Dropping(nn.Module):
    """An encoder that draws at random itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = build()[0]

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(nn.functional.dropout(x, 0.3, self.training))
        return y


class ByStep:
    """Batches that their step's number makes, each a while after the last."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        self.clock.now += 10.0
        return draw(8 * (1 + step % 2), torch.Generator().manual_seed(step))


class KilledError(Exception):
    """Stands for a kill: nothing is saved any more."""


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("kill", [1, 7, 16, 39])
def test_a_fit_that_was_killed_anywhere_goes_on_to_the_same_bits(
    kill: int, optimizer: Any, tmp_path: Path
) -> None:
    config = replace(CONFIG, optimizer=optimizer, weight_decay=0.1)
    undisturbed, killed, again = ((Dropping(), build()[1]) for _ in range(3))
    before = torch.random.get_rng_state()

    def run(parts: tuple[nn.Module, Head], **options: Any) -> Fit:
        clock = Clock()
        given: dict[str, Any] = {
            "draw": ByStep(clock),
            "clock": clock,
            "config": config,
            "evaluate_every": 5,
        }
        return train(parts[0], parts[1], **given, **options)

    def stop(progress: Progress) -> None:
        if progress.step == kill:
            raise KilledError

    with pytest.raises(KilledError):
        run(killed, checkpoint=tmp_path, on_progress=stop)
    whole, rest = run(undisturbed), run(again, checkpoint=tmp_path)
    assert same_bits(weights(*undisturbed), weights(*again))
    losses = [[record["loss"] for record in fit.history] for fit in (whole, rest)]
    assert losses[0] == losses[1]
    assert torch.equal(torch.random.get_rng_state(), before)


# Budgets


class Slow(nn.Module):
    """An encoder that takes a second per step of training, and three to be evaluated."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.inner, self.clock = build()[0], clock

    def forward(self, x: Tensor) -> Tensor:
        self.clock.now += 1 if self.training else 3
        out: Tensor = self.inner(x)
        return out


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rate shares of all steps taken."""
    seen: list[float] = []
    step = Optimizers.step

    def spy(self: Optimizers, rate_share: float) -> None:
        seen.append(rate_share)
        step(self, rate_share)

    monkeypatch.setattr(Optimizers, "step", spy)
    return seen


def test_rates_anneal_after_resuming_as_they_would_have(
    tmp_path: Path, shares: list[float]
) -> None:
    train(*build(), checkpoint=tmp_path, evaluate_every=1, on_progress=interrupt_at(11))
    train(*build(), checkpoint=tmp_path)
    np.testing.assert_allclose(shares, [CONFIG.rate_share(i / 40) for i in range(40)])


def test_rates_anneal_over_the_seconds_if_they_run_out_first(shares: list[float]) -> None:
    clock, config = Clock(), replace(CONFIG, steps=1000, max_seconds=20.0)
    result = train(Slow(clock), build()[1], config=config, clock=clock)
    assert (result.status, result.steps, result.seconds) == ("completed", 20, 20.0)
    np.testing.assert_allclose(shares, [config.rate_share(i / 20) for i in range(20)])


def test_rates_anneal_over_the_steps_if_they_run_out_first(shares: list[float]) -> None:
    clock, config = Clock(), replace(CONFIG, steps=20, max_seconds=1000.0)
    result = train(Slow(clock), build()[1], config=config, clock=clock)
    assert (result.steps, result.seconds) == (20, 20.0)
    np.testing.assert_allclose(shares, [config.rate_share(i / 20) for i in range(20)])


def test_seconds_spent_before_an_interruption_count(tmp_path: Path, shares: list[float]) -> None:
    config = replace(CONFIG, steps=1000, max_seconds=20.0)
    for stop in (8, 1000):
        clock = Clock()
        clock.now = 1e6 * stop  # clocks start anywhere
        result = train(
            Slow(clock),
            build()[1],
            config=config,
            clock=clock,
            checkpoint=tmp_path,
            evaluate_every=1,
            on_progress=interrupt_at(stop),
        )
    assert (result.status, result.steps, result.seconds) == ("completed", 20, 20.0)
    np.testing.assert_allclose(shares, [config.rate_share(i / 20) for i in range(20)])


def test_time_of_evaluation_is_kept_apart() -> None:
    clock = Clock()
    encoder = Slow(clock)
    result = train(encoder, build()[1], clock=clock, evaluate=spread_of(encoder), evaluate_every=10)
    assert result.seconds == 40 + 4 * 3
    assert result.evaluation_seconds == 12
    assert [record["seconds"] for record in result.history] == [13, 26, 39, 52]
    assert [record["training_seconds"] for record in result.history] == [10, 20, 30, 40]
    assert result.waiting_seconds == 0


def test_time_that_steps_waited_for_their_batches_is_kept_apart(tmp_path: Path) -> None:
    clock = Clock()
    encoder = Slow(clock)  # a second a step, and each batch takes ten
    given: dict[str, Any] = {"draw": ByStep(clock), "clock": clock, "checkpoint": tmp_path}

    def stop(progress: Progress) -> None:
        if progress.step == 16:
            raise KilledError

    with pytest.raises(KilledError):
        train(encoder, build()[1], on_progress=stop, **given)
    result = train(encoder, build()[1], **given)
    assert result.waiting_seconds == 10 * result.steps
    assert result.seconds == 11 * result.steps


# Evaluation, records, progress


def test_evaluation_is_without_gradients_and_training_mode_comes_back() -> None:
    encoder, head = build()
    modes: list[tuple[str, bool, bool]] = []

    def note(what: str) -> None:
        modes.append((what, encoder.training, torch.is_grad_enabled()))

    encoder.register_forward_pre_hook(lambda *_: note("step"))

    def evaluate() -> Mapping[str, float]:
        note("evaluation")
        return {}

    train(encoder, head, evaluate=evaluate, evaluate_every=10)
    assert modes.count(("step", True, True)) == 40
    assert modes.count(("evaluation", False, False)) == 4
    assert len(modes) == 44


def test_history_holds_plain_numbers_whatever_evaluation_returns(tmp_path: Path) -> None:
    """NumPy's floats would make a checkpoint that cannot be read; tensors would hold graphs."""
    scores = {"plain": 0.5, "numpy": np.float64(0.5), "tensor": torch.tensor(0.5)}

    def run(stop: int) -> Fit:
        return train(
            *build(),
            evaluate=lambda: scores,
            evaluate_every=10,
            checkpoint=tmp_path,
            on_progress=interrupt_at(stop),
        )

    run(20)
    history = run(0).history
    assert len(history) == 4
    for record in history:
        assert {type(value) for value in record.values()} <= {float, int}
        assert record.keys() >= {"step", "seconds", "training_seconds", "loss", *scores}


def test_progress_is_told_at_every_chunk_and_record() -> None:
    told: list[Progress] = []
    encoder, head = build()
    result = train(
        encoder, head, evaluate=spread_of(encoder), evaluate_every=10, on_progress=told.append
    )
    assert [progress.step for progress in told] == [10, CHUNK, 20, 30, 2 * CHUNK, 40]
    assert [p.record for p in told if p.record is not None] == result.history
    assert [p.step for p in told if p.record is None] == [CHUNK, 2 * CHUNK]
    assert all(p.steps == 40 and math.isfinite(p.loss) and "spread" in p.evaluation for p in told)


def test_news_which_each_rank_has_at_its_own_time_ask_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []

    def agreed(value: float) -> float:
        asked.append(value)
        return value

    monkeypatch.setattr(fit, "agreed", agreed)
    counts = []
    for longest in (-1.0, 1e9):
        monkeypatch.setattr(fit, "TELL_EVERY_SECONDS", longest)
        told: list[Progress] = []
        config = replace(CONFIG, max_seconds=20.0)
        train(*build(), config=config, on_progress=told.append)
        counts.append((len(told), len(asked)))
        asked.clear()
    assert counts[0][0] > counts[1][0]
    assert counts[0][1] == counts[1][1] > 0


@pytest.mark.parametrize("limit", [None, 30.0])
def test_seconds_left_are_those_that_were_left(limit: float | None) -> None:
    clock, told = Clock(), list[Progress]()
    config = replace(CONFIG, max_seconds=limit)
    result = train(
        Slow(clock),
        build()[1],
        config=config,
        clock=clock,
        evaluate_every=10,
        on_progress=told.append,
    )
    for progress in told:
        assert progress.seconds_left == pytest.approx(result.seconds - progress.seconds)
    assert told[-1].seconds_left == 0


def test_enough_ends_training_early_and_a_resumed_fit_stays_ended(tmp_path: Path) -> None:
    seen: list[int] = []

    def evaluate() -> Mapping[str, float]:
        seen.append(len(seen))
        return {"score": float(len(seen))}

    options: dict[str, Any] = {
        "evaluate": evaluate,
        "evaluate_every": 8,
        "enough": lambda scores: scores["score"] >= 2,
        "checkpoint": tmp_path,
    }
    done = train(*build(), **options)
    assert (done.status, done.steps, len(seen)) == ("completed", 16, 2)
    again = train(*build(), **options)
    assert (again.status, again.steps, len(seen)) == ("completed", 16, 2)
