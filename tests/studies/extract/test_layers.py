"""Listing layers: the default first; what cannot be read has no dimensions."""

from identikit.studies.extract.config import LayersConfig
from identikit.studies.extract.layers import list_layers

MODELS = "tests.studies.extract.models"


def test_layers_are_listed_with_what_would_be_read() -> None:
    found = {r.layer.name: r for r in list_layers(LayersConfig(model=f"{MODELS}:net"))}
    assert list(found) == ["fc:input", "output", "conv", "norm", "fc"]
    assert [readable.dim for readable in found.values()] == [6, 4, 6, 6, 4]
    assert found["conv"].layer.shape == (6, 6, 6)
    flat = list_layers(LayersConfig(model=f"{MODELS}:net", pool="flatten"))
    assert [readable.dim for readable in flat] == [6, 4, 216, 216, 4]
    tokens = list_layers(LayersConfig(model=f"{MODELS}:net", pool="cls"))
    assert [readable.dim for readable in tokens] == [6, 4, None, None, 4]


def test_layers_of_a_model_of_other_data() -> None:
    found = list_layers(LayersConfig(model=f"{MODELS}:hears", data=f"{MODELS}:Sounds"))
    assert [(r.layer.name, r.dim) for r in found] == [
        *(("fc:input", 5), ("output", 2), ("conv", 5), ("fc", 2))
    ]


def test_a_function_that_loads_its_weights_can_be_listed() -> None:
    names = [readable.layer.name for readable in list_layers(LayersConfig(model=f"{MODELS}:fixed"))]
    assert names[-1] == "fc"
