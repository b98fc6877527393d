"""Linear probes during training: R² of each factor every so many steps, beside controls.

A fixed set of observations with known factors goes through the network in evaluation mode, batch by
batch; only the statistics of `LinearRecovery` are kept, so the set may be of any size. The network
before its first step is the untrained control. x is (n, ...), h is (n, d); rows are samples.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from sys import modules
from typing import Any

import torch
from torch import Tensor, distributed, nn

from identikit.core.errors import InputError, unknown_name
from identikit.probing.metric import LinearRecovery

LIGHTNING = ("lightning.pytorch", "pytorch_lightning")


class ProbeCallback:
    """Probes a network in a training loop, by hand or Lightning's, and writes down what it finds.

    Args:
        model: What is trained; left as it was after each probe, the random state included.
        batches: Pairs of observations and their factors (a mapping by name, or a matrix), gone
            through in the same order at every probe: a list, or a DataLoader that does not shuffle.
        factors: Names of the factors.
        kinds: `circular(360)` for a factor that is an angle; the others are numbers.
        layer: Name of the module in the model whose output is h; by default the model's own.
            What has places (n, channels, ...) is averaged over them.
        every: Steps between probes.
        controls: Functions from observations to features that need no training, such as pooled
            pixels; scored once.
        path: JSON-lines file that gets a record of each probe.
        loggers: Also told: TensorBoard writers (`add_scalar`), W&B runs or trackio (`log`),
            Lightning's loggers (`log_metrics`).

    Raises:
        InputError: no such layer, a logger of another kind, or factors as in `LinearRecovery`.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Iterable[tuple[Tensor, Any]],
        *,
        factors: Sequence[str],
        kinds: Mapping[str, str] | None = None,
        layer: str = "",
        every: int = 1000,
        controls: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
        path: str | Path = "probe.jsonl",
        loggers: Iterable[Any] = (),
    ) -> None:
        named = dict(model.named_modules())
        if layer not in named:
            raise unknown_name("layer", layer, filter(None, named))
        if every < 1:
            raise InputError(f"every must be at least 1 step; got {every}.")
        self.model, self.layer, self.batches = model, named[layer], batches
        self.factors, self.kinds = list(factors), kinds
        self.every, self.controls = every, dict(controls or {})
        self.path, self.loggers = Path(path), list(loggers)
        for logger in self.loggers:
            _way_to(logger)
        self.history: list[dict[str, Any]] = []
        """The records, as they are in the file."""
        self.steps: int | None = None
        """Taken so far; None before `start`."""
        self._metric(1)  # refuses factors before any training

    def start(self, steps: int = 0) -> None:
        """Score the controls and the network as it is; call it before the first step.

        Args:
            steps: Taken before, where training goes on.
        """
        self.steps = steps
        for name, control in self.controls.items():
            self._record(name, control)
        self.probe()

    def step(self, steps: int | None = None) -> None:
        """Count a step of the optimiser, and probe if it is time.

        Args:
            steps: Taken so far, where somebody else counts; the same number again is no step.

        Raises:
            InputError: `start` was not called.
        """
        if self.steps is None:
            raise InputError("the probe was not started; call start() before the first step.")
        before, self.steps = self.steps, self.steps + 1 if steps is None else steps
        if self.steps != before and self.steps % self.every == 0:
            self.probe()

    def probe(self) -> None:
        """Score the network as it is."""
        with _evaluating(self.model):
            self._record("h", self._represent)

    def lightning_callback(self) -> Any:
        """The same as a callback for Lightning's Trainer, whose loggers are told unless others are.

        Raises:
            InputError: neither of Lightning's packages is imported.
        """
        found = next((modules[name] for name in LIGHTNING if name in modules), None)
        if found is None:
            raise InputError(f"import {' or '.join(LIGHTNING)} first: the callback is for it.")
        probe, base = self, found.Callback

        class Probing(base):  # type: ignore[misc, valid-type]
            def on_train_start(self, trainer: Any, module: Any) -> None:
                probe.loggers = probe.loggers or list(trainer.loggers)
                probe.start(trainer.global_step)

            def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
                probe.step(trainer.global_step)

        return Probing()

    def _represent(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        hook = self.layer.register_forward_hook(lambda _, __, out: seen.append(out))
        try:
            self.model(x)
        finally:
            hook.remove()
        h = seen[-1]
        return h.flatten(2).mean(dim=2) if h.ndim > 2 else h

    def _metric(self, dim: int) -> LinearRecovery:
        return LinearRecovery(dim=dim, factors=self.factors, kinds=self.kinds)

    @torch.no_grad()
    def _record(self, features: str, represent: Callable[[Tensor], Tensor]) -> None:
        start, metric = time.perf_counter(), None
        parameter = next(self.model.parameters(), None)
        with torch.random.fork_rng(devices=[]):  # a loader draws a seed
            for x, z in self.batches:
                h = represent(x if parameter is None else x.to(parameter.device))
                metric = self._metric(h.shape[1]) if metric is None else metric
                metric.update(h.cpu(), self._columns(z))
        if metric is None:
            raise InputError(
                "batches gave nothing. Give what can be gone through again and again: a list or a "
                "DataLoader, not a generator."
            )
        scores = {name: value.item() for name, value in metric.compute().items()}
        record = {"step": self.steps, "features": features, "r2": scores}
        self._tell(record | {"seconds": time.perf_counter() - start})

    def _columns(self, z: Any) -> Tensor:
        if not isinstance(z, Mapping):
            return torch.as_tensor(z).cpu()
        for name in self.factors:
            if name not in z:
                raise unknown_name("factor", name, map(str, z))
        return torch.stack([torch.as_tensor(z[name]).cpu() for name in self.factors], dim=1)

    def _tell(self, record: dict[str, Any]) -> None:
        self.history.append(record)
        if distributed.is_available() and distributed.is_initialized() and distributed.get_rank():
            return
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        place = "probe" if record["features"] == "h" else f"probe/{record['features']}"
        scores = {f"{place}/{name}": value for name, value in record["r2"].items()}
        for logger in self.loggers:
            _way_to(logger)(scores, record["step"])


def _way_to(logger: Any) -> Callable[[dict[str, float], int], Any]:
    """How a logger is told of scores at a step."""
    if hasattr(logger, "log_metrics"):
        return lambda scores, step: logger.log_metrics(scores, step=step)
    if hasattr(logger, "add_scalar"):
        return lambda scores, step: [logger.add_scalar(*score, step) for score in scores.items()]
    if hasattr(logger, "log"):  # without a step, which would have to rise with those of others
        return lambda scores, step: logger.log(scores | {"probe/step": step})
    raise InputError(
        "a logger has add_scalar (TensorBoard), log (W&B, trackio) or log_metrics (Lightning); got "
        f"{type(logger).__name__}."
    )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while, each module back in its own after it."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
