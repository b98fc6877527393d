"""Layers: what is read, how it is pooled, and that reading leaves the model as it was."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from identikit.core.errors import InputError
from identikit.encoders.adapters.forward import Forward
from identikit.encoders.adapters.layers import Tap, pooled, read_layers
from identikit.encoders.adapters.layout import Layout, Tokens
from identikit.encoders.adapters.trace import Traced
from identikit.encoders.adapters.trace import trace as traced
from identikit.encoders.config import Pool

NO_TOKENS = Tokens()
CLASS_TOKEN = Tokens(prefix=1, classifies=True)
X = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def calling(network: nn.Module) -> Forward:
    return Forward(name="it", network=network, call=network)


def trace(network: nn.Module, x: Tensor = X) -> Traced:
    with torch.random.fork_rng():
        return traced(calling(network.eval()), x)


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
        y: Tensor = self.head(x.mean(dim=(2, 3)))
        return y


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return 2 * x, "more"


def tap(network: nn.Module, name: str, *, pool: Pool = "auto") -> Tap:
    found = trace(network)
    layer = next(layer for layer in found.layers if layer.name == name)
    return Tap(forward=calling(network), layer=layer, pool=pool, tokens=found.tokens)


@pytest.fixture
def small() -> Small:
    return Small().eval().requires_grad_(False)


def test_the_head_is_the_linear_layer_whose_output_is_the_models(small: nn.Module) -> None:
    found = trace(small)
    assert found.head == "head"
    assert [layer.name for layer in found.layers] == [
        *("head:input", "output", "conv", "norm", "act", "pair", "head")
    ]
    assert {layer.name: layer.shape for layer in found.layers}["pair"] == (5, 4, 4)
    assert next(layer.calls for layer in found.layers if layer.name == "act") == 2


class Ends(nn.Module):
    """What comes after the last linear layer."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.fc, self.end = nn.Linear(48, 4), end

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.end(self.fc(x.flatten(1)))
        return y


@pytest.mark.parametrize(
    ("end", "head"),
    [
        (nn.Softmax(dim=1), None),
        (nn.Dropout(0.5), "fc"),  # does nothing in eval mode
        (nn.ReLU(inplace=True), None),  # the very tensor, and no longer W h + b
    ],
)
def test_the_head_gives_what_the_model_returns_in_value(end: nn.Module, head: str | None) -> None:
    assert trace(Ends(end)).head == head


def test_a_linear_layer_that_calculates_otherwise_is_no_head() -> None:
    class Cosine(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(nn.functional.normalize(x, dim=1))

    assert trace(nn.Sequential(nn.Flatten(), Cosine(48, 4))).head is None


def test_a_head_that_starts_at_zero_is_found_and_another_zero_is_not_taken_for_it() -> None:
    last = nn.Linear(6, 4)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 6), last)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert trace(network).head == "2"
    assert trace(nn.Sequential(network, Times(0.0))).head is None


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_a_pointwise_convolution_can_be_the_head() -> None:
    found = trace(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 6, 1), nn.Flatten()))
    assert found.head == "1"
    assert found.layers[0].shape == (3, 1, 1)


def test_features_are_those_of_the_layer(small: Small) -> None:
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
    cases: list[tuple[str, Pool, int]]
    cases = [("act", "auto", 5), ("act", "flatten", 80), ("output", "auto", 7)]
    for name, pool, dim in cases:
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


class Folded(nn.Module):
    """Its linear layer sees all pixels of all samples as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(x.permute(0, 2, 3, 1).flatten(0, 2))
        return y.reshape(len(x), -1)


def test_layers_without_a_row_per_sample_are_listed_and_refused() -> None:
    with pytest.raises(InputError, match="one row per sample"):
        tap(Folded(), "fc")


def test_a_model_without_a_row_per_sample_is_refused() -> None:
    with pytest.raises(InputError, match=r"one row per sample.*\(144,\)"):
        trace(nn.Flatten(0))


class Squeezes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3), keepdim=True).squeeze()


def test_a_model_whose_rows_vanish_for_one_sample_is_refused_and_never_read() -> None:
    with pytest.raises(InputError, match=r"for a batch of 1 it does not return the shape \(1, 3\)"):
        tap(Squeezes(), "output")
    with pytest.raises(InputError, match=r"returned shape \(3,\) for 1 samples; \(1, 3\)"):
        tap(Sized(Squeezes()), "output")(X[:1])


class Sized(nn.Module):
    """Squeezes only what is not seen in the dry run."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.left = inner, 4  # passes of a dry run

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        return self.inner(x) if self.left < 0 else x.mean(dim=(2, 3))


class Chance(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x.flatten(1), 0.1)


class OwnBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) - x.flatten(1).mean(dim=0)


class Trains(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        self.train()
        y: Tensor = self.drop(x.flatten(1))
        return y


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Chance(), "between two passes"),
        (Trains(), "between two passes"),
        (OwnBatch(), "same batch split"),
        (nn.BatchNorm2d(3, track_running_stats=False), "same batch split"),
    ],
)
def test_features_that_are_no_function_of_the_sample_are_refused_with_the_difference(
    layer: nn.Module, words: str
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), layer, nn.Flatten(), nn.Linear(48, 2))
    with pytest.raises(InputError, match=rf"{words}.* differs by [0-9.e-]+ of its root mean"):
        tap(network, "3:input")
    assert tap(network, "0").dim == 3  # before it all is well


class Counts(nn.Module):
    seen: Tensor

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1), persistent=kind == "saved")

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x.flatten(1)


class TrainsItsNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm.train()(x)
        return y.flatten(1)


@pytest.mark.parametrize("network", [Counts("saved"), Counts("unsaved"), TrainsItsNorm()])
def test_a_forward_pass_that_changes_weights_is_refused(network: nn.Module) -> None:
    with pytest.raises(InputError, match=r"changes [123] of its weights and buffers"):
        trace(network)


class Caches(nn.Module):
    wave: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wave", torch.zeros(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if len(self.wave) != x.shape[-1]:
            self.wave = torch.arange(float(x.shape[-1]))
        return (x * self.wave).flatten(1)


def test_a_cache_that_the_first_pass_fills_is_no_weight() -> None:
    assert tap(Caches(), "output").dim == 48


def test_a_layer_without_weights_yet_gets_them_in_the_dry_run() -> None:
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
    assert tap(network, "1:input").dim == 48


class Odd(nn.Module):
    """Keywords, changes in place, dictionaries, a caught way out and a layer called output."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.named = nn.Linear(48, 6), Named()
        self.output, self.head = nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.fc(input=x.flatten(1))
        h += 1
        try:
            h = self.named(h)["features"]
            h = self.output(h)
        except Exception:
            h = torch.zeros(len(x), 6)
        return {"logits": self.head(input=h), "other": h}


class Named(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"features": 2 * x}


def test_layers_are_read_however_they_are_called() -> None:
    network = Odd()
    found = {layer.name: layer.shape for layer in trace(network).layers}
    assert list(found) == ["head:input", "output:model", "fc", "named", "output", "head"]
    h = network.fc(X.flatten(1))
    wanted = {"fc": h, "named": 2 * h + 2, "output": network.output(2 * h + 2)}
    wanted |= {"head:input": wanted["output"], "head": network.head(wanted["output"])}
    wanted["output:model"] = wanted["head"]
    for name, value in wanted.items():
        torch.testing.assert_close(tap(network, name)(X), value)
    together = read_layers([tap(network, name) for name in wanted], X)
    for got, value in zip(together, wanted.values(), strict=True):
        torch.testing.assert_close(got, value)


def test_several_layers_are_read_in_one_pass(small: nn.Module) -> None:
    names = ["act", "head:input", "conv", "norm"]
    taps, passes = [tap(small, name) for name in names], []
    small.register_forward_pre_hook(lambda *_: passes.append(1))
    together = read_layers(taps, X)
    assert len(passes) == 1
    for one, got in zip(taps, together, strict=True):
        assert torch.equal(got, one(X))


@dataclass
class Answer:
    words: str
    found: Tensor


class Answers(nn.Module):
    def __init__(self, made: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.inner = Returns(made)

    def forward(self, x: Tensor) -> Tensor:
        self.inner(x)
        return x.flatten(1)


class Returns(nn.Module):
    def __init__(self, made: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.made = made

    def forward(self, x: Tensor) -> object:
        return self.made(x.flatten(1))


@pytest.mark.parametrize(
    "made",
    [
        lambda h: (h, 2 * h),
        lambda h: [h],
        lambda h: (None, h),
        lambda h: ((h, None), 2 * h),
        lambda h: {"a": h, "b": None},
        lambda h: {"last_hidden_state": h, "b": 2 * h},
        lambda h: Answer("it is", h),
    ],
)
def test_outputs_of_every_form_are_read(made: Callable[[Tensor], object]) -> None:
    assert torch.equal(tap(Answers(made), "inner")(X), X.flatten(1))


@pytest.mark.parametrize(
    "made",
    [
        lambda h: {"a": h, "b": 2 * h},
        lambda h: (None, h, 2 * h),
        lambda h: Answer("it is", torch.complex(h, h)),
        lambda h: h.to_sparse(),
        lambda h: h.T,
    ],
)
def test_outputs_that_leave_a_choice_or_are_no_rows_are_refused(
    made: Callable[[Tensor], object],
) -> None:
    with pytest.raises(InputError, match="one dense, real tensor with one row per sample"):
        tap(Answers(made), "inner")


def test_layers_of_nothing_but_zeros_are_not_the_same() -> None:
    zeros = nn.Sequential(nn.Flatten(), Times(0.0), nn.Identity())
    assert [layer.same_as for layer in trace(zeros).layers] == [None] * 4
    ones = nn.Sequential(nn.Flatten(), nn.Identity())
    assert {layer.name: layer.same_as for layer in trace(ones).layers} == {
        **{"output": "0", "0": None, "1": "0"}
    }


class CatchesAll(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(48, 6)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor
        try:
            y = self.fc(x.flatten(1))
        except BaseException:
            y = self.fc(0 * x.flatten(1))
        return y


def test_a_model_that_catches_everything_is_read_all_the_same() -> None:
    network = CatchesAll()
    torch.testing.assert_close(tap(network, "fc")(X), network.fc(X.flatten(1)))


def test_what_goes_wrong_in_a_model_is_one_sentence_with_the_sizes() -> None:
    with pytest.raises(
        InputError, match=r"it fails on a batch of shape \(3, 3, 4, 4\) \(float32\)"
    ):
        trace(nn.Linear(5, 2))


def test_axes_are_what_the_modules_say() -> None:
    """Seven channels and 7 x 7 pixels: sizes alone say nothing."""
    first = nn.Sequential(nn.Conv2d(3, 7, 1), nn.ReLU())
    last = nn.Sequential(Permute(0, 2, 3, 1), nn.Linear(3, 7), nn.GELU())
    x = torch.randn(3, 3, 7, 7)
    for network, axes in ((first, (2, 3)), (last, (1, 2))):
        found = trace(network, x).layers[-1]
        one = Tap(forward=calling(network), layer=found, pool="auto", tokens=NO_TOKENS)
        torch.testing.assert_close(one(x), network(x).mean(dim=axes))
    both = trace(nn.Sequential(nn.Conv2d(3, 7, 1), nn.Linear(7, 7), nn.GELU()), x).layers[-1]
    assert both.layout is None
    with pytest.raises(InputError, match="--channels first or last"):
        Tap(forward=calling(first), layer=both, pool="auto", tokens=NO_TOKENS)
    asked = Tap(forward=calling(first), layer=both, pool="auto", tokens=NO_TOKENS, channels="last")
    assert asked.layout == Layout(channels=3)


class Permute(nn.Module):
    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.axes)


class Attention(nn.Module):
    """(n, heads, tokens, tokens) is no space, though two axes are equal."""

    def forward(self, x: Tensor) -> Tensor:
        t = x.flatten(2).transpose(1, 2)
        return (t @ t.transpose(1, 2)).softmax(dim=-1)[:, None].expand(-1, 2, -1, -1)


def test_what_no_module_made_is_asked_for() -> None:
    layer = trace(nn.Sequential(Attention(), nn.Flatten())).layers[1]
    assert layer.shape == (2, 16, 16)
    assert layer.layout is None


class Transformer(nn.Module):
    """Patches of 2 x 2 pixels, a class token and registers before them; (n, t, d) or (n, d, t)."""

    def __init__(self, *, registers: int, dim: int = 6) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, dim, 2, stride=2)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.register_tokens = nn.Parameter(torch.randn(1, registers, dim))
        self.join, self.norm = nn.Identity(), nn.LayerNorm(dim)
        self.turned, self.before = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        patches = self.before(self.embed(x).flatten(2).transpose(1, 2))
        first = torch.cat([self.cls_token, self.register_tokens], dim=1).expand(len(x), -1, -1)
        tokens = self.norm(self.join(torch.cat([first, patches], dim=1)))
        turned: Tensor = self.turned(tokens.transpose(1, 2))
        return turned[:, :, 0]


@pytest.mark.parametrize(
    ("registers", "size"), [(0, (4, 4)), (2, (2, 2)), (4, (4, 4)), (1, (6, 4))]
)
def test_tokens_are_told_by_the_grid_of_patches(registers: int, size: tuple[int, int]) -> None:
    """With 1 + 2 tokens before 1, or 1 + 4 before 4, the number of tokens is a square."""
    network, x = Transformer(registers=registers, dim=7), torch.randn(3, 3, *size)
    found = trace(network, x)
    layouts = {layer.name: layer.layout for layer in found.layers}
    assert found.tokens == Tokens(prefix=1 + registers, classifies=True)
    assert layouts["before"] == Layout(channels=2)
    assert layouts["join"] == layouts["norm"] == Layout(channels=2, prefix=1 + registers)
    assert layouts["turned"] == Layout(channels=1, prefix=1 + registers)


def test_tokens_that_nothing_tells_are_asked_for() -> None:
    """As many patches as dimensions before the norm; a number that is no grid."""
    layers = trace(Transformer(registers=1, dim=6), torch.randn(3, 3, 6, 4)).layers
    assert next(layer.layout for layer in layers if layer.name == "before") is None

    class More(Transformer):
        def forward(self, x: Tensor) -> Tensor:
            tokens: Tensor = self.norm(self.embed(x).flatten(2).transpose(1, 2).repeat(1, 2, 1))
            return tokens.mean(dim=1)

    with pytest.raises(InputError, match="--prefix-tokens"):
        tap(More(registers=0), "norm")


class TwoClasses(nn.Module):
    """Class tokens under names of their own, one for each of two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, 5, 2, stride=2), nn.LayerNorm(5)
        self.cls_token_0 = nn.Parameter(torch.zeros(1, 1, 5))
        self.first = nn.LayerNorm(5)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.embed(x).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat([self.cls_token_0.expand(len(x), -1, -1), patches], dim=1))
        first: Tensor = self.first(tokens[:, :1])
        return first[:, 0]


def test_a_token_too_many_is_not_taken_for_a_patch() -> None:
    with pytest.raises(InputError, match="--prefix-tokens"):
        tap(TwoClasses(), "norm")
    assert tap(TwoClasses(), "first").dim == 5


def test_merged_patches_are_patches() -> None:
    class Merges(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.merge = nn.Conv2d(3, 5, 1), nn.Linear(20, 7)

        def forward(self, x: Tensor) -> Tensor:
            quads = nn.functional.unfold(self.embed(x), 2, stride=2).transpose(1, 2)
            merged: Tensor = self.merge(quads)
            return merged.mean(dim=1)

    layers = trace(Merges(), torch.randn(3, 3, 6, 4)).layers
    layout = next(layer.layout for layer in layers if layer.name == "merge")
    assert layout == Layout(channels=2)


def test_sequences_of_other_data_have_the_axes_of_their_layers() -> None:
    """Sound: (n, channels, time) from a convolution, (n, time, d) from a recurrent layer."""

    class Sound(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rnn = nn.Conv1d(1, 6, 3), nn.GRU(6, 5, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            h: Tensor = self.rnn(self.conv(x).transpose(1, 2))[0]
            return h[:, -1]

    network, x = Sound(), torch.randn(3, 1, 9)
    layers = {layer.name: layer for layer in trace(network, x).layers}
    conv, rnn = (
        Tap(forward=calling(network), layer=layers[name], pool="auto", tokens=NO_TOKENS)
        for name in ("conv", "rnn")
    )
    torch.testing.assert_close(conv(x), network.conv(x).mean(dim=2))
    torch.testing.assert_close(rnn(x), network.rnn(network.conv(x).transpose(1, 2))[0].mean(dim=1))


def test_tokens_by_what_the_model_classifies_by() -> None:
    x = torch.randn(2, 17, 3)  # a class token and 4 x 4 patches
    with_token = Layout(channels=2, prefix=1)
    torch.testing.assert_close(pooled(x, "auto", with_token, CLASS_TOKEN), x[:, 0])
    torch.testing.assert_close(pooled(x, "cls", with_token, CLASS_TOKEN), x[:, 0])
    mean = x[:, 1:].mean(dim=1)
    torch.testing.assert_close(pooled(x, "mean", with_token, CLASS_TOKEN), mean)
    torch.testing.assert_close(pooled(x, "auto", with_token, Tokens(prefix=1)), mean)
    turned = Layout(channels=1, prefix=1)
    torch.testing.assert_close(pooled(x.transpose(1, 2), "mean", turned, CLASS_TOKEN), mean)
    patches = x[:, 1:]  # before the class token joins them
    torch.testing.assert_close(pooled(patches, "auto", Layout(channels=2), CLASS_TOKEN), mean)


@pytest.mark.parametrize("shape", [(2, 6, 4, 4), (2, 6, 16)])
def test_no_class_token_is_said(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="no class token"):
        pooled(torch.zeros(shape), "cls", Layout(channels=1), CLASS_TOKEN)
