"""The one fit loop: theta <- theta - rate(t) * step(grad CE(head(encoder(x)), label)).

Simulated worlds and images alike: anything that draws pairs (x, label), or has them by step, can be
trained on. Numbers are a function of (config, seed, initial weights) alone; batches, negatives and
what the network itself draws come from streams that the step number names, so a checkpoint resumes
to the same bits.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.core.randomness import stream
from identikit.core.ranks import Shard, agreed, rank, ranks, summed
from identikit.objectives.objective import Objective
from identikit.training import checkpoint as checkpoints
from identikit.training.config import TrainingConfig
from identikit.training.optimizers import Optimizers

CHUNK = 16
"""Batches (of the first size) that are drawn at a time; part of what a run's bits depend on."""
SAVE_EVERY_SECONDS = 4.0
"""Least time between two periodic checkpoints."""
MOST_SAVING = 0.05
"""Share of the time that periodic checkpoints may take."""
TELL_EVERY_SECONDS = 1.0
"""Longest time without news of progress, but for a longer step."""

Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
"""Gives n observations and their targets (labels, as a rule), on the generator's device."""


@runtime_checkable
class Batches(Protocol):
    """What has a batch for every step, from data that are at hand: images, say."""

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Observations and targets of a step (from 0), a function of its number alone."""


Evaluate = Callable[[], Mapping[str, float]]
Enough = Callable[[Mapping[str, float]], bool]
Record = dict[str, float | int]


class TrainingError(InputError):
    """Training cannot go on; `history` holds the records up to that point."""

    def __init__(self, message: str, history: list[Record]) -> None:
        super().__init__(message)
        self.history = history


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a fit stands."""

    step: int
    steps: int
    """Steps at most."""
    seconds: float
    """Spent so far, evaluation included."""
    evaluation_seconds: float
    """Spent in `evaluate` so far."""
    seconds_left: float
    """Estimated from the share of the budget that is spent."""
    loss: float
    """Of the last batch, in nats."""
    evaluation: Mapping[str, float]
    """What `evaluate` last returned; empty before its first call."""
    record: Record | None
    """The record that was just added to the history, if one was."""

    @property
    def done(self) -> int:
        """Steps taken."""
        return self.step

    @property
    def total(self) -> int:
        """Steps of the whole budget, as far as it is known."""
        return self.steps

    @property
    def words(self) -> str:
        """The latest scores."""
        found = self.evaluation.items()
        return "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in found)

    @property
    def quiet(self) -> bool:
        """Whether this is no news for a log: a line per step would be too many."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a fit went; encoder and head were trained in place."""

    status: Literal["completed", "interrupted"]
    steps: int
    """Steps taken."""
    seconds: float
    """Spent in the loop, evaluation included, over all resumed parts."""
    evaluation_seconds: float
    """Spent in `evaluate`."""
    waiting_seconds: float
    """In which steps waited for their batch."""
    history: list[Record]
    """One record per evaluation: step, seconds, seconds without evaluation, mean loss since
    the last record, and scores."""


def fit_network(
    encoder: nn.Module,
    head: Objective,
    *,
    draw: Draw | Batches,
    config: TrainingConfig,
    seed: int,
    device: torch.device | str = "cpu",
    evaluate: Evaluate | None = None,
    evaluate_every: int = 100,
    enough: Enough | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Fit:
    """Train encoder and head in place until the budget of steps or seconds is spent.

    Args:
        encoder: Maps x to y; anything differentiable.
        head: The loss and its parameters; what the targets are is decided by `draw`.
        draw: Gives training pairs, a chunk of batches at a time; or has those of every step, of
            whatever size.
        config: Budget, optimiser, schedule.
        seed: Names the streams of batches and negatives.
        device: Where encoder and head are moved and training takes place.
        evaluate: Scores of the model as it is; called in evaluation mode, without gradients.
        evaluate_every: Steps between evaluations; the last step is always evaluated.
        enough: Whether training may end early at these scores; asked after every evaluation.
        on_progress: Told after every chunk of batches, every evaluation and every second.
        checkpoint: Folder to save to and to resume from if it holds a state.
        clock: Seconds from any start.

    Raises:
        TrainingError: the loss is not finite; the state before that step is saved if it is.
        InputError: the checkpoint belongs to another fit.
    """
    device = torch.device(device)
    loop = _Loop(encoder.to(device), head.to(device), config, seed, device, clock, enough=enough)
    if checkpoint is not None:
        loop.resume(checkpoint)
    early, told = False, clock()
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), _deferred_interrupt() as interrupted:
        while not loop.done and not agreed(interrupted.is_set()):
            loop.train_step(draw, checkpoint)
            due = loop.step % evaluate_every == 0 or loop.done
            early = bool(agreed(interrupted.is_set())) and not due
            if early and checkpoint is not None:  # an undisturbed fit has no record here
                loop.save(checkpoint)
            if due or early:
                loop.record(evaluate)
            news = due or early or loop.step % CHUNK == 0
            if on_progress is not None and (news or clock() - told > TELL_EVERY_SECONDS):
                on_progress(loop.progress(recorded=due or early))
                told = clock()
            if checkpoint is not None and not early:
                loop.save(checkpoint, at_most_every=SAVE_EVERY_SECONDS)
    if checkpoint is not None and not early:
        loop.save(checkpoint)
    encoder.eval()
    return loop.result("completed" if loop.done else "interrupted")


@dataclass
class _Loop:
    """The state of a fit in progress."""

    encoder: nn.Module
    head: Objective
    config: TrainingConfig
    seed: int
    device: torch.device
    clock: Callable[[], float]
    step: int = 0
    evaluation_seconds: float = 0.0
    waiting_seconds: float = 0.0
    history: list[Record] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # since the last record
    enough: Enough | None = None

    def __post_init__(self) -> None:
        self.optimizers = Optimizers(self.encoder, self.head, self.config)
        self.chunk: tuple[tuple[int, int], Tensor, Tensor] | None = None
        self.evaluation: Mapping[str, float] = {}
        self.start = self.saved_at = self.clock()
        self.saving = 0.0  # seconds that the last checkpoint took
        self.saved_step = 0
        self.encoder.train()

    @property
    def seconds(self) -> float:
        return self.clock() - self.start

    @property
    def spent(self) -> float:
        """Share of the budget that is spent, of steps or of rank 0's seconds: all ranks ask."""
        return self._spent(agreed(self.seconds) if self.config.max_seconds else 0.0)

    def _spent(self, seconds: float) -> float:
        by_steps, limit = self.step / self.config.steps, self.config.max_seconds
        return by_steps if limit is None else max(by_steps, seconds / limit)

    @property
    def done(self) -> bool:
        early = self.enough is not None and self.evaluation and self.enough(self.evaluation)
        return self.spent >= 1 or bool(early)

    def train_step(self, draw: Draw | Batches, checkpoint: Path | None) -> None:
        before = self.clock()
        if callable(draw):
            x, target = self._batch(draw)
        else:
            x, target = (t.to(self.device, non_blocking=True) for t in draw.batch(self.step))
        self.waiting_seconds += self.clock() - before
        spent = min(self.spent, 1.0)
        negatives = stream(self.seed, f"negatives/{self.step}", device=self.device)
        self._seed_network()
        y = self.encoder(x)
        loss = self.head.loss(y, target, generator=negatives, progress=spent)
        value = float(loss.detach())
        if not math.isfinite(value):
            self._stop_at(value, checkpoint)
        (loss + self.head.length_penalty(y)).backward()
        if ranks() > 1:  # each has the part of its samples
            for p in self.encoder.parameters():
                if p.grad is not None:
                    summed(p.grad)
        self.optimizers.step(self.config.rate_share(spent))
        self.step += 1
        self.losses.append(value)

    def _seed_network(self) -> None:
        """Have what the network draws, for dropout say, depend on the step's number alone."""
        purpose = f"network/{self.step}" + (f"/{rank()}" if rank() else "")
        own = stream(self.seed, purpose).initial_seed()
        torch.default_generator.manual_seed(own)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(own)

    def _batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """The step's batch. Its size changes between chunks; large ones come in several draws."""
        index, place = divmod(self.step, CHUNK)
        times = self.config.batches_in_one(index * CHUNK)
        size, count = self.config.batch_size * times, max(1, CHUNK // times)
        part, place = divmod(place, count)
        if self.chunk is None or self.chunk[0] != (index, part):
            purpose = f"batches/{index}" + (f"/{part}" if part else "")
            generator = stream(self.seed, purpose, device=self.device)
            count = min(count, CHUNK - part * count)
            self.chunk = ((index, part), *draw(size * count, generator))
        rows = slice(place * size, (place + 1) * size)
        return self.chunk[1][rows], self.chunk[2][rows]

    def _stop_at(self, value: float, checkpoint: Path | None) -> None:
        parts = (*self.encoder.state_dict().values(), *self.head.state_dict().values())
        bad = torch.stack([~torch.isfinite(part).all() for part in parts]).sum()
        if checkpoint is not None and not summed(bad):  # each rank has rows of its own
            self.save(checkpoint)
        kept = f" The last good checkpoint, of step {self.saved_step}, stays."
        muon = f", muon_rate {self.config.muon_rate:g}" * (self.config.optimizer == "muon")
        share = self.config.rate_share(min(self.spent, 1.0))
        raise TrainingError(
            f"the loss is {value} at step {self.step + 1} of {self.config.steps}. Most likely "
            f"the rates are too high (rate {self.config.rate:g}, head_rate "
            f"{self.config.head_rate:g}{muon}; {share:.0%} of them there, by the schedule) or the "
            "observations hold NaN or infinity; lower the rates or look at the data."
            f"{kept * (self.saved_step > 0)}",
            self.history,
        )

    def record(self, evaluate: Evaluate | None) -> None:
        before = self.clock()
        if evaluate is not None:
            self.encoder.eval()
            with torch.no_grad():
                self.evaluation = {name: float(value) for name, value in evaluate().items()}
            self.encoder.train()
        self.evaluation_seconds += self.clock() - before
        mean_loss = sum(self.losses) / max(1, len(self.losses))
        seconds = self.seconds
        self.history.append(
            {
                "step": self.step,
                "seconds": seconds,
                "training_seconds": seconds - self.evaluation_seconds,
                "loss": mean_loss,
                **self.evaluation,
            }
        )
        self.losses = []

    def progress(self, *, recorded: bool) -> Progress:
        seconds = self.seconds
        spent = self._spent(seconds)  # by its own clock: when there is news, no ranks agree on
        return Progress(
            step=self.step,
            steps=self.config.steps,
            seconds=seconds,
            evaluation_seconds=self.evaluation_seconds,
            seconds_left=max(0.0, seconds * (1 - spent) / spent),
            loss=self.losses[-1] if self.losses else self.history[-1]["loss"],
            evaluation=self.evaluation,
            record=self.history[-1] if recorded else None,
        )

    def save(self, folder: Path, *, at_most_every: float = 0.0) -> None:
        now = self.clock()
        least = max(at_most_every, at_most_every and self.saving / MOST_SAVING)
        if agreed(now - self.saved_at) < agreed(least):
            return
        state = self._identity() | self._state()
        if rank() == 0:
            checkpoints.save(folder, state)
        self.saved_at, self.saved_step = self.clock(), self.step
        self.saving = self.saved_at - now

    def _identity(self) -> dict[str, Any]:
        shapes = [list(part.shape) for part in self.encoder.state_dict().values()]
        shard = self.head.shard()
        for part in self.head.state_dict().values():
            shapes.append(list(part.shape) if shard is None else [shard.total, *part.shape[1:]])
        return {"config": asdict(self.config), "seed": self.seed, "shapes": shapes}

    def _state(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.state_dict(),
            "head": self._head_rows(Shard.gather, self.head.state_dict()),
            "optimizers": self.optimizers.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "waiting_seconds": self.waiting_seconds,
            "history": self.history,
            "losses": self.losses,
            "evaluation": dict(self.evaluation),
        }

    def _head_rows(
        self, rows: Callable[[Shard, Tensor], Tensor], state: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """A state of the head with all rows, or with those of this rank."""
        shard = self.head.shard()
        return state if shard is None else {k: rows(shard, value) for k, value in state.items()}

    def resume(self, folder: Path) -> None:
        state = checkpoints.load(folder, device=self.device)
        if state is None:
            return
        try:
            if any(state[key] != value for key, value in self._identity().items()):
                raise ValueError("another identity")
            self.encoder.load_state_dict(state["encoder"])
            self.head.load_state_dict(self._head_rows(Shard.take, state["head"]))
            self.optimizers.load_state_dict(state["optimizers"])
            self.saved_step = state["step"]
            seconds = ("evaluation_seconds", "waiting_seconds")
            for name in ("step", *seconds, "history", "losses", "evaluation"):
                setattr(self, name, state[name])
            self.start = self.clock() - state["seconds"]
        except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise InputError(
                f"the checkpoint in {folder} belongs to a fit with another config, seed or model, "
                "or of another version. Give --restart to begin without it, or another folder."
            ) from error

    def result(self, status: Literal["completed", "interrupted"]) -> Fit:
        return Fit(
            status=status,
            steps=self.step,
            seconds=self.seconds,
            evaluation_seconds=self.evaluation_seconds,
            waiting_seconds=self.waiting_seconds,
            history=self.history,
        )


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Make the first Ctrl-C a request to stop after the step; a second one stops at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    previous = signal.getsignal(signal.SIGINT)

    def ask(signum: int, frame: FrameType | None) -> None:
        requested.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, ask)
    try:
        yield requested
    finally:
        signal.signal(signal.SIGINT, previous)
