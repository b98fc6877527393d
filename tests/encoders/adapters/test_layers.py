"""Layers: what is read, how it is pooled, and that reading leaves the model as it was."""

import pytest
import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders.adapters.layers import Tap, Tokens, pooled, trace

NO_TOKENS = Tokens(prefix=0, classifies=False)
CLASS_TOKEN = Tokens(prefix=1, classifies=True)
X = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(2, 3, 4, 4) / 50


class Small(nn.Module):
    """A convolution, one activation in place that is used twice, a tuple, a head."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.act = nn.ReLU(inplace=True)
        self.pair = Pair()
        self.head = nn.Linear(5, 7)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        x = self.act(x - 1)
        x, _ = self.pair(x)
        return self.head(x.mean(dim=(2, 3)))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return 2 * x, "more"


def tap(network: nn.Module, name: str, *, pool: str = "auto") -> Tap:
    layers, _ = trace(network, network, X)
    layer = next(layer for layer in layers if layer.name == name)
    return Tap(network=network, forward=network, layer=layer, pool=pool, tokens=Tokens.of(network))


@pytest.fixture
def small() -> nn.Module:
    return Small().eval().requires_grad_(False)


def test_the_head_is_the_linear_layer_whose_output_is_the_models(small: nn.Module) -> None:
    layers, head = trace(small, small, X)
    assert head == "head"
    assert [layer.name for layer in layers] == [
        *("head:input", "output", "conv", "norm", "act", "pair", "head")
    ]
    assert {layer.name: layer.shape for layer in layers}["pair"] == (5, 4, 4)
    assert next(layer.calls for layer in layers if layer.name == "act") == 2


class Ends(nn.Module):
    """What comes after the last linear layer."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.fc, self.end = nn.Linear(48, 4), end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.fc(x.flatten(1)))


def test_a_linear_layer_inside_is_no_head() -> None:
    network = Ends(nn.Softmax(dim=1)).eval()
    assert trace(network, network, X)[1] is None
    kept = Ends(nn.Dropout(0.5)).eval()  # does nothing in eval mode
    assert trace(kept, kept, X)[1] == "fc"


def test_a_pointwise_convolution_can_be_the_head() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 6, 1), nn.Flatten()).eval()
    layers, head = trace(network, network, X)
    assert head == "1"
    assert layers[0].shape == (3, 1, 1)


def test_features_are_those_of_the_layer(small: nn.Module) -> None:
    x = X.requires_grad_(False)
    normed = small.norm(small.conv(x))
    torch.testing.assert_close(tap(small, "norm")(x), normed.mean(dim=(2, 3)))  # before the act
    last = (normed.relu() - 1).relu()
    torch.testing.assert_close(tap(small, "act")(x), last.mean(dim=(2, 3)))  # of the last call
    torch.testing.assert_close(tap(small, "act", pool="flatten")(x), last.flatten(1))
    torch.testing.assert_close(tap(small, "pair")(x), 2 * last.mean(dim=(2, 3)))
    torch.testing.assert_close(tap(small, "head:input")(x), 2 * last.mean(dim=(2, 3)))
    torch.testing.assert_close(tap(small, "head")(x), small(x))
    torch.testing.assert_close(tap(small, "output")(x), small(x))


def test_dimensions_are_known_beforehand(small: nn.Module) -> None:
    for name, pool, dim in (("act", "auto", 5), ("act", "flatten", 80), ("output", "auto", 7)):
        assert tap(small, name, pool=pool).dim == dim == tap(small, name, pool=pool)(X).shape[1]


def test_no_hook_stays(small: nn.Module) -> None:
    tap(small, "norm")(X)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in small.modules())


def test_nothing_after_the_layer_is_computed(
    small: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = tap(small, "norm")
    monkeypatch.setattr(small.pair, "forward", lambda x: pytest.fail("went on"))
    norm(X)


def test_layers_without_a_row_per_image_are_listed_and_refused() -> None:
    network = nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (2, 48))).eval()
    layers, head = trace(network, network, X)
    assert head is None
    assert layers[1].shape is None
    with pytest.raises(InputError, match="one row per image"):
        tap(network, "0")


def test_a_model_without_a_row_per_image_is_refused() -> None:
    network = nn.Flatten(0)
    with pytest.raises(InputError, match=r"one row per image.*\(96,\)"):
        trace(network, network, X)


def test_space_is_the_two_equal_axes() -> None:
    x = torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(pooled(x, "auto", NO_TOKENS), x.mean(dim=(2, 3)))
    torch.testing.assert_close(pooled(x.permute(0, 2, 3, 1), "auto", NO_TOKENS), x.mean((2, 3)))
    x = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(pooled(x, "mean", NO_TOKENS), x.mean(dim=(2, 3)))


def test_tokens_by_what_the_model_classifies_by() -> None:
    x = torch.randn(2, 17, 3)  # a class token and 4 x 4 patches
    torch.testing.assert_close(pooled(x, "auto", CLASS_TOKEN), x[:, 0])
    torch.testing.assert_close(pooled(x, "cls", CLASS_TOKEN), x[:, 0])
    torch.testing.assert_close(pooled(x, "mean", CLASS_TOKEN), x[:, 1:].mean(dim=1))
    averages = Tokens(prefix=1, classifies=False)
    torch.testing.assert_close(pooled(x, "auto", averages), x[:, 1:].mean(dim=1))
    patches = x[:, 1:]  # before the class token joins them
    torch.testing.assert_close(pooled(patches, "auto", CLASS_TOKEN), patches.mean(dim=1))


@pytest.mark.parametrize("shape", [(2, 6, 4, 4), (2, 16, 3)])
def test_no_class_token_is_said(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="no class token"):
        pooled(torch.zeros(shape), "cls", CLASS_TOKEN)


def test_more_axes_can_only_be_flattened() -> None:
    x = torch.zeros(2, 3, 4, 4, 4)
    with pytest.raises(InputError, match="--pool flatten"):
        pooled(x, "auto", NO_TOKENS)
    assert pooled(x, "flatten", NO_TOKENS).shape == (2, 192)
