"""The probe of a training loop: the numbers of the metric, and a training that does not notice."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import identikit as ik

GENERATOR = torch.Generator().manual_seed(0)
AZIMUTH = 360 * torch.rand(240, generator=GENERATOR)
SIZE = torch.randn(240, generator=GENERATOR)
X = torch.stack([AZIMUTH.deg2rad().cos(), AZIMUTH.deg2rad().sin(), SIZE], dim=1)
BATCHES = [
    (X[rows], {"size": SIZE[rows], "azimuth": AZIMUTH[rows]})
    for rows in torch.arange(240).split(100)
]
KINDS = {"azimuth": ik.circular(360)}
# the networks here repeat a few inputs in many dimensions, which is said
pytestmark = pytest.mark.filterwarnings("ignore:ill-conditioned")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def probe_of(model: nn.Module, folder: Path, **options: Any) -> ik.ProbeCallback:
    given: dict[str, Any] = {
        "factors": ["size", "azimuth"],
        "kinds": KINDS,
        "path": folder / "probe.jsonl",
    }
    return ik.ProbeCallback(model, options.pop("batches", BATCHES), **given | options)


def train(model: nn.Module, probe: ik.ProbeCallback | None, *, steps: int = 5) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(steps):
        model(torch.randn(16, 3)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        if probe is not None:
            probe.step()


def metric_of(h: Tensor) -> dict[str, float]:
    metric = ik.metrics.LinearRecovery(dim=h.shape[1], factors=["size", "azimuth"], kinds=KINDS)
    metric.update(h, torch.stack([SIZE, AZIMUTH], dim=1))
    return {name: value.item() for name, value in metric.compute().items()}


def test_it_writes_what_the_metric_finds_every_few_steps(tmp_path: Path) -> None:
    model = network()
    probe = probe_of(model, tmp_path, layer="0", every=2, controls={"first": lambda x: x[:, :1]})
    with torch.no_grad():
        before = model[0](X)
    probe.start()
    train(model, probe)
    lines = [json.loads(line) for line in (tmp_path / "probe.jsonl").read_text().splitlines()]
    assert lines == probe.history
    assert [(line["step"], line["features"]) for line in lines] == [
        (0, "first"), (0, "h"), (2, "h"), (4, "h")
    ]  # fmt: skip
    assert lines[0]["r2"] == pytest.approx(metric_of(X[:, :1]), abs=1e-9)
    assert lines[1]["r2"] == pytest.approx(metric_of(before), abs=1e-5)
    probe.probe()
    with torch.no_grad():
        assert probe.history[-1]["r2"] == pytest.approx(metric_of(model[0](X)), abs=1e-5)


def test_training_does_not_notice(tmp_path: Path) -> None:
    shuffled = DataLoader(TensorDataset(X, torch.stack([SIZE, AZIMUTH], 1)), 60, shuffle=True)
    alone, watched = network(), network()
    for model in (alone, watched):
        model[1].eval()  # frozen
    torch.manual_seed(1)
    train(alone, None)
    probe = probe_of(watched, tmp_path, batches=shuffled, every=1)
    torch.manual_seed(1)
    probe.start()
    train(watched, probe)
    assert len(probe.history) == 6
    assert [module.training for module in watched] == [True, False, True, True]
    for one, other in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_places_are_averaged(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Unflatten(1, (1, 1, 3)), nn.Conv2d(1, 4, 1))
    probe = probe_of(model, tmp_path)
    probe.start()
    with torch.no_grad():
        wanted = metric_of(model(X).mean(dim=(2, 3)))
    assert probe.history[0]["r2"] == pytest.approx(wanted, abs=1e-5)


def test_loggers_are_told_in_their_own_way(tmp_path: Path) -> None:
    told: dict[str, list[Any]] = {"board": [], "run": [], "lightning": []}
    board = SimpleNamespace(add_scalar=lambda *given: told["board"].append(given))
    run = SimpleNamespace(log=told["run"].append)
    own = SimpleNamespace(log_metrics=lambda scores, step: told["lightning"].append((scores, step)))
    probe = probe_of(network(), tmp_path, loggers=[board, run, own])
    probe.start(3)
    r2 = probe.history[0]["r2"]
    scores = {f"probe/{name}": value for name, value in r2.items()}
    assert set(r2) == {"size", "azimuth", "mean"}
    assert told["board"] == [(name, value, 3) for name, value in scores.items()]
    assert told["run"] == [scores | {"probe/step": 3}]
    assert told["lightning"] == [(scores, 3)]


def test_lightning_s_trainer_drives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    probe = probe_of(network(), tmp_path, every=2)
    with pytest.raises(ik.InputError, match=r"import lightning.pytorch or pytorch_lightning first"):
        probe.lightning_callback()
    fake = ModuleType("lightning.pytorch")
    fake.Callback = type("Callback", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning.pytorch", fake)
    callback, told = probe.lightning_callback(), []
    assert isinstance(callback, fake.Callback)
    logger = SimpleNamespace(log_metrics=lambda scores, step: told.append(step))
    trainer = SimpleNamespace(global_step=0, loggers=[logger])
    callback.on_train_start(trainer, None)
    for batch in range(6):  # a step of the optimiser every second batch
        trainer.global_step = (batch + 1) // 2
        callback.on_train_batch_end(trainer, None, None, None, batch)
    assert [record["step"] for record in probe.history] == told == [0, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "head"}, "unknown layer 'head'.*Known: 0, 1, 2, 3"),
        ({"every": 0}, "every must be at least 1 step; got 0"),
        ({"kinds": {"size": "categorical"}}, "is categorical, which R² does not score"),
        ({"loggers": [print]}, "a logger has add_scalar.*builtin_function"),
        ({"batches": iter(())}, "batches gave nothing.*not a generator"),
        ({"factors": ["size", "hue"], "kinds": None}, "unknown factor 'hue'"),
    ],
)
def test_what_cannot_be_probed_is_refused(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ik.InputError, match=words):
        probe_of(network(), tmp_path, **options).start()


def test_it_has_to_be_started_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(ik.InputError, match=r"call start\(\) before"):
        probe_of(network(), tmp_path).step()
