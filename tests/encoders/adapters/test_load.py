"""Models by name: the hubs' own features as references, seeds, checkpoints, no network."""

import socket
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from identikit.core.errors import InputError
from identikit.encoders.adapters import ReadableModel, load_model

timm = pytest.importorskip("timm")
torchvision = pytest.importorskip("torchvision")
transformers = pytest.importorskip("transformers")

OWN = """
import torch
from torch import nn

def make(side=8):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 4), nn.ReLU(), nn.Linear(4, 3))

def loaded():
    network = make()
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network

def either(pretrained):
    return loaded() if pretrained else make()

def text():
    return "no module"

def own_transform():
    return nn.Flatten(), lambda image: torch.zeros(2, image.size[0], 5)

def pixels(image, kind=torch.float32):
    values = torch.tensor(list(image.resize((8, 8)).tobytes())).reshape(8, 8, 3)
    return values.permute(2, 0, 1).to(kind)

def small(kind=torch.float32):
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).to(kind)

def half():
    return small(torch.float16), pixels

def double():
    return small(torch.float64), pixels

def scripted():
    return torch.jit.script(small()), pixels

def compiled():
    return torch.compile(small()), pixels

def bytes_in():
    return small(), lambda image: pixels(image, torch.uint8)

def needs(size):
    return small()

def ends():
    raise SystemExit("usage: train.py")

def divides():
    return 1 / 0

def bad_transform():
    return small(), lambda image: image.no_such_thing

def random_transform():
    return small(), lambda image: pixels(image) + torch.rand(1)

def no_transform():
    return small(), "resize"
"""


def untrained(name: str, seed: int = 0) -> ReadableModel:
    return load_model(name, pretrained=False, seed=seed)


def images(model: ReadableModel) -> Tensor:
    return torch.randn(2, *model.input_shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models as `save_pretrained` writes them."""
    root = tmp_path_factory.mktemp("hf")
    size = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2}
    size |= {"intermediate_size": 16, "image_size": 32, "patch_size": 8}
    vit = transformers.ViTConfig(**size, num_labels=5)
    text = transformers.CLIPTextConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9
    )
    clip = transformers.CLIPConfig(vision_config=size, text_config=text.to_dict(), projection_dim=6)
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    with torch.random.fork_rng():
        torch.manual_seed(7)
        made = {
            "vit": transformers.ViTForImageClassification(vit),
            "bare": transformers.ViTModel(vit, add_pooling_layer=False),
            "mae": transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**size)),
            "clip": transformers.CLIPModel(clip),
        }
    for name, network in made.items():
        network.save_pretrained(root / name)
        processor.save_pretrained(root / name)
    return root


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_models.py").write_text(OWN)
    (tmp_path / "broken_module.py").write_text("def make(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "my_models", raising=False)
    return tmp_path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("Network is unreachable")

    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_timm_features_are_those_before_its_own_head(name: str) -> None:
    model = untrained(f"timm:{name}")
    x, network = images(model), cast(Any, model.network)
    wanted = network.forward_head(network.forward_features(x), pre_logits=True)
    torch.testing.assert_close(model.tap()(x), wanted)
    assert model.tap().dim == wanted.shape[1] == model.head_weights()["W"].shape[1]
    assert not model.trained


def test_torchvision_features_are_those_before_its_classifier() -> None:
    model = untrained("torchvision:shufflenet_v2_x0_5")
    x, network = images(model), cast(Any, model.network)
    trunk = [network.conv1, network.maxpool, network.stage2, network.stage3, network.stage4]
    wanted = torch.nn.Sequential(*trunk, network.conv5)(x).mean(dim=(2, 3))
    torch.testing.assert_close(model.tap()(x), wanted)
    assert model.head_weights().keys() == {"W", "b"}


def test_hugging_face_features_with_a_class_token(hf_folder: Path) -> None:
    model = load_model(f"hf:{hf_folder / 'vit'}", pretrained=True, seed=0)
    x, network = images(model), cast(Any, model.network)
    assert model.input_shape == (3, 32, 32)
    hidden = network.vit(x).last_hidden_state
    torch.testing.assert_close(model.tap()(x), hidden[:, 0])
    torch.testing.assert_close(model.tap("vit")(x), hidden[:, 0])
    torch.testing.assert_close(model.tap("vit", pool="mean")(x), hidden[:, 1:].mean(dim=1))
    torch.testing.assert_close(model.head_weights()["W"], network.classifier.weight)
    assert model.trained


def test_hugging_face_encoders_without_a_head(hf_folder: Path) -> None:
    bare = load_model(f"hf:{hf_folder / 'bare'}", pretrained=True, seed=0)
    x, network = images(bare), cast(Any, bare.network)
    assert bare.head is None  # and the pooler, whose weights nobody trained, is gone
    torch.testing.assert_close(bare.tap()(x), network(x).last_hidden_state[:, 0])
    clip = load_model(f"hf:{hf_folder / 'clip'}", pretrained=True, seed=0)
    network = cast(Any, clip.network)
    pooled = network.vision_model(x).pooler_output
    torch.testing.assert_close(clip.tap()(x), network.visual_projection(pooled))
    assert clip.head is None  # a projection is no classifier


def test_a_masked_autoencoder_sees_all_patches_in_their_order(hf_folder: Path) -> None:
    model = load_model(f"hf:{hf_folder / 'mae'}", pretrained=True, seed=0)
    x, network = images(model), cast(Any, model.network)
    network.config.mask_ratio = 0.0
    order = torch.arange(16.0).expand(2, -1)
    wanted = network(x, noise=order).last_hidden_state
    torch.testing.assert_close(model.tap(pool="flatten")(x), wanted.flatten(1))
    torch.testing.assert_close(model.tap(pool="mean")(x), wanted[:, 1:].mean(dim=1))


def test_a_head_without_weights_is_not_taken_for_a_trained_one(
    hf_folder: Path, tmp_path: Path
) -> None:
    network = transformers.ViTForImageClassification.from_pretrained(hf_folder / "vit")
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("classifier")}
    network.save_pretrained(tmp_path, state_dict=state)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"lacks 2 weights.*classifier\.bias"):
        load_model(f"hf:{tmp_path}", pretrained=True, seed=0)


@pytest.mark.parametrize("name", ["timm:test_resnet", "torchvision:shufflenet_v2_x0_5"])
def test_a_seed_is_what_torch_makes_of_it_and_nothing_global_moves(name: str) -> None:
    before = torch.get_rng_state()
    first, again, other = untrained(name), untrained(name), untrained(name, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.digest() == again.digest() != other.digest()
    hub, _, base = name.partition(":")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        make = timm.create_model if hub == "timm" else torchvision.models.get_model
        theirs = make(base).state_dict()
    mine = first.network.state_dict()
    assert all(torch.equal(mine[key], value) for key, value in theirs.items())


def test_hugging_face_seeds(hf_folder: Path) -> None:
    name = f"hf:{hf_folder / 'vit'}"
    assert untrained(name).digest() == untrained(name).digest() != untrained(name, 1).digest()


def test_reading_leaves_the_batch_norms_as_they_were() -> None:
    model = untrained("timm:test_resnet")
    assert any("running_mean" in name for name in model.network.state_dict())
    before = model.digest()
    for layer in model.layers[::6]:
        if layer.shape is not None:
            model.tap(layer.name, pool="flatten")(images(model))
    assert model.digest() == before
    assert not model.network.training


@pytest.mark.parametrize("classes", [1000, 10])
def test_a_checkpoint_brings_its_own_number_of_classes(tmp_path: Path, classes: int) -> None:
    theirs = timm.create_model("test_resnet", num_classes=classes)
    torch.save(theirs.state_dict(), tmp_path / "a.pt")
    model = load_model("timm:test_resnet", pretrained=True, checkpoint=tmp_path / "a.pt", seed=0)
    x = images(model)
    torch.testing.assert_close(model.network(x), theirs.eval()(x))
    assert model.head_weights()["W"].shape[0] == classes
    assert model.trained


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"missing: .* unexpected: "):
        load_model("timm:test_resnet", pretrained=True, checkpoint=tmp_path / "a.pt", seed=0)


def test_own_functions(own: Path) -> None:
    model = untrained("my_models:make")
    assert model.input_shape == (3, 224, 224)  # ImageNet's usual preparation
    assert model.head == "3"
    assert model.tap("1").dim == 4
    assert load_model("my_models:loaded", pretrained=True, seed=0).trained
    trained = load_model("my_models:either", pretrained=True, seed=0)
    assert trained.head_weights()["W"].unique().tolist() == [1.0]
    assert untrained("my_models:either").head_weights()["W"].unique().numel() > 1
    assert untrained("my_models:own_transform").input_shape == (2, 256, 5)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # as users still have them
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["half", "double", "scripted", "compiled"])
def test_weights_of_every_kind_give_the_features_of_plain_ones(own: Path, name: str) -> None:
    import my_models  # type: ignore[import-not-found]

    model = load_model(f"my_models:{name}", pretrained=True, seed=0)
    x = images(model)
    plain = my_models.small(torch.float16).float() if name == "half" else my_models.small()
    with torch.no_grad():
        torch.testing.assert_close(model.tap("output")(x).float(), plain(x))
        if name != "scripted":
            wanted = plain[0](x).mean(dim=(2, 3))
            torch.testing.assert_close(model.tap("0")(x).float(), wanted)
            assert model.head == "3"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_models:loaded", "same weights at every call"),
        ("my_models:text", "returned str"),
        ("my_models:mak", "Did you mean 'make'"),
        ("my_model:make", "no Python module 'my_model'"),
        ("resnet18", r"got 'resnet18'\. Did you mean timm:resnet18\?"),
        ("not a model", r"timm:NAME.*got 'not a model'\.$"),
        ("timm:resnet81", "Did you mean 'resnet18'"),
        ("timm:resnet18.nonsense", "Known: .*a1_in1k"),
        ("torchvision:resnet81", "Did you mean 'resnet18'"),
        ("torchvision:resnet50.IMAGENET", "Known: IMAGENET1K_V1, IMAGENET1K_V2"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(own: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        untrained(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_models:needs", r"needs fails: TypeError: .*missing 1 required.*'size'"),
        ("my_models:ends", r"ends fails: SystemExit: usage.*\(line \d+ of my_models\.py\)"),
        ("my_models:divides", "divides fails: ZeroDivisionError"),
        ("my_models:bad_transform", r"transform of .* 256 x 256 pixels: AttributeError: .*such_th"),
        ("my_models:random_transform", "something else of the same image each time"),
        ("my_models:no_transform", "returned Sequential, str"),
        ("my_models:bytes_in", r"on a batch of shape \(3, 3, 8, 8\) \(uint8\) as transform"),
        ("broken_module:make", r"module broken_module fails: SyntaxError: .*\(line"),
        (".my_models:make", "module .my_models fails: TypeError"),
        ("json:loads", "json:loads fails: TypeError"),
    ],
)
def test_what_goes_wrong_in_the_users_code_is_one_sentence(
    own: Path, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_model(name, pretrained=True, seed=0)


def test_an_unknown_layer_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'stages\.0\.block1'.* Did you mean 'stages\.0\.blocks'"):
        untrained("timm:test_convnext").tap("stages.0.block1")


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet18", "hf:google/vit"])
def test_without_a_network_it_says_what_would_do(no_network: None, name: str) -> None:
    with pytest.raises(InputError, match="cannot be reached") as error:
        load_model(name, pretrained=True, seed=0)
    for word in (name, "--checkpoint FILE", "--untrained", "huggingface.co"):
        if word != "huggingface.co" or not name.startswith("torchvision"):
            assert word in str(error.value)


def test_a_local_folder_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    with pytest.raises(InputError, match=r"cannot be loaded: .*nonsense") as error:
        load_model(f"hf:{tmp_path}", pretrained=True, seed=0)
    assert "reached" not in str(error.value)


def test_timm_models_without_pretrained_weights_say_so() -> None:
    with pytest.raises(InputError, match="no pretrained weights of convnextv2_small") as error:
        load_model("timm:convnextv2_small", pretrained=True, seed=0)
    assert "--untrained" in str(error.value)
