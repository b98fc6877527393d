"""Local weights: read from either format, never unpickled, held against the network's names."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from identikit.core.errors import InputError
from identikit.encoders.adapters.weights import load_weights, read_weights, weights_digest


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_both_formats_and_wrappings_are_read(tmp_path: Path) -> None:
    state = network().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pt")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "b.pt")
    parallel = {f"module.{key}": value for key, value in state.items()}
    torch.save({"model": parallel, "args": {"lr": 0.1}}, tmp_path / "c.pt")
    for name in ("a.safetensors", "a.pt", "b.pt", "c.pt"):
        other = network(seed=1)
        assert weights_digest(other) != weights_digest(network())
        load_weights(other, read_weights(tmp_path / name), source=tmp_path / name)
        assert weights_digest(other) == weights_digest(network())


def test_weights_that_are_still_to_be_shaped_are_taken(tmp_path: Path) -> None:
    lazy = nn.Sequential(nn.LazyLinear(4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    load_weights(lazy, network().state_dict(), source=tmp_path / "a.pt")
    assert weights_digest(lazy) == weights_digest(network())


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    state = network().state_dict()
    state["extra.weight"] = torch.zeros(1)
    state["2.bias"] = torch.zeros(3)
    del state["0.weight"], state["1.num_batches_tracked"]  # the latter is of no use in eval mode
    with pytest.raises(InputError) as error:
        load_weights(network(), state, source=tmp_path / "a.pt")
    message = str(error.value)
    assert "1 missing: 0.weight;" in message
    assert "1 unexpected: extra.weight;" in message
    assert "1 misshapen: 2.bias (3,) instead of (2,)" in message


def test_pickled_objects_are_never_opened(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(InputError, match="state_dict"):
        read_weights(tmp_path / "whole.pt")


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_damaged_and_missing_files_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match=path.name):
        read_weights(path)
    save_file(network().state_dict(), path) if path.suffix != ".pt" else torch.save(
        network().state_dict(), path
    )
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=path.name):
        read_weights(path)


def test_which_of_several_is_not_guessed(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save({"student": state, "teacher": state}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="student, teacher"):
        read_weights(tmp_path / "a.pt")
    torch.save({"epoch": 3}, tmp_path / "b.pt")
    with pytest.raises(InputError, match="only 'epoch'"):
        read_weights(tmp_path / "b.pt")


def test_the_digest_sees_buffers() -> None:
    changed = network()
    assert weights_digest(changed) == weights_digest(network())
    changed.train()(torch.randn(8, 3))  # the running mean moves
    assert weights_digest(changed) != weights_digest(network())
