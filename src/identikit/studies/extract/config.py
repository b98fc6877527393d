"""The options of `identikit extract` and `identikit layers`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from identikit.core.errors import InputError
from identikit.encoders.config import Channels, Pool
from identikit.runs.options import chosen_device, require_device


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """Which model is read where, over which images, sentences or other data.

    Raises:
        InputError: options that contradict each other, or sizes that cannot be.
    """

    model: Annotated[str, tyro.conf.Positional]
    """timm:NAME, torchvision:NAME, hf:NAME (or a local folder), or module:function of your own,
    which returns a torch.nn.Module or a pair of it and a transform of PIL images, or a
    tokenizer."""
    images: Path | None = None
    """Folder of images; subfolders are searched too."""
    data: str | None = None
    """Other samples instead: module:function of your own, which returns a torch Dataset of tensors
    (or of tuples that begin with them), with one text per item in its attribute keys, if it has
    one."""
    sentences: Path | None = None
    """Sentences instead: a table (CSV, Parquet) with a column text. Its columns group (lemma or
    template, say: `identikit probe` holds whole groups out), span (words of the sentence, for
    --pool span) and span_start (the number of their first character, where they come more than
    once) are known by these names; others are factors. Keys are in --key, else row numbers."""
    truncate: bool = False
    """Cut the ends of sentences that are longer than the model takes, instead of stopping."""
    follow_links: bool = False
    """Also go where links lead that leave that folder, instead of stopping at one."""
    out: Path
    """Folder of the features. One that the same command left unfinished is gone on with."""
    factors: Path | None = None
    """A table of factors (CSV, Parquet, .npz) with a column of keys, which are paths relative to
    the images' folder, or the data set's: only these samples are read."""
    key: str = "key"
    """That column."""
    untrained: bool = False
    """Random weights instead of the hub's."""
    checkpoint: Path | None = None
    """Local weights instead of the hub's: .safetensors, or what torch.save wrote."""
    seed: int = 0
    """Of random weights."""
    layer: str | None = None
    """Name of a layer (`identikit layers MODEL` lists them), by default the penultimate features:
    what the final linear classifier reads."""
    layers: tuple[str, ...] = ()
    """Several layers in one pass, each in its own folder under --out: names, patterns (blocks.*,
    where * stands for anything but a dot), or all (of a model of text its hidden states:
    embeddings and each block)."""
    every: int | None = None
    """Of the --layers, by default all, one of so many, the last among them."""
    pool: Pool = "auto"
    """How space or tokens become one vector. auto: mean over space; the class token where the
    model classifies by it, else the mean over patches; of sentences the last token if the model
    is causal, else the mean. cls is the first token, span the mean over a span's tokens."""
    channels: Channels | None = None
    """Which axis of a layer's output holds the channels, first or last, where the model does not
    say."""
    prefix_tokens: int | None = None
    """How many class and register tokens come before the others, where the model does not say."""
    dtype: Literal["float16", "float32"] = "float32"
    """Of the features on disk."""
    untrained_twin: bool = False
    """The same layer of the same model with random weights as well, a control for probing."""
    pixels: int | None = None
    """The images themselves as well, shrunk to so many pixels a side (32, say), a control for
    probing."""
    skip_corrupt: bool = False
    """Go on without images that cannot be read, and list them, instead of stopping."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda where there is a device."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the model's arithmetic. auto: float32 on a CPU; bfloat16 on a CUDA device that has it,
    else float16."""
    batch_size: int | None = None
    """Samples at a time, by default 128 on a CUDA device; on a CPU 32 sentences, or 8 images."""
    workers: int | None = None
    """Processes that load images, by default one per processor core for a CUDA device and one per
    four for a CPU; 0, the default for sentences, loads in the process that runs the model."""
    shard_size: int = 2048
    """Images per file, which is what a kill can cost."""

    def __post_init__(self) -> None:
        if self.untrained and self.checkpoint is not None:
            raise InputError("--untrained and --checkpoint contradict each other. Give one.")
        if self.untrained and self.untrained_twin:
            raise InputError("--untrained-twin of an --untrained model is that model. Drop one.")
        given = {"images": self.images, "data": self.data, "sentences": self.sentences}
        named = [f"--{name}" for name, value in given.items() if value is not None]
        if len(named) != 1:
            raise InputError(
                "give --images FOLDER, --data module:function or --sentences TABLE; got "
                f"{' and '.join(named) or 'none of them'}."
            )
        if self.sentences is not None and self.factors is not None:
            raise InputError("--sentences is the table of factors as well. Drop --factors.")
        if self.layer is not None and self.several:
            raise InputError("--layer is one layer and --layers several. Give one of them.")
        least = {
            "every": self.every,
            "batch-size": self.batch_size,
            "shard-size": self.shard_size,
            "pixels": self.pixels,
        }
        for name, value in least.items():
            if value is not None and value < 1:
                raise InputError(f"--{name} must be at least 1; got {value}.")
        for name, value in {"workers": self.workers, "prefix-tokens": self.prefix_tokens}.items():
            if value is not None and value < 0:
                raise InputError(f"--{name} must be at least 0; got {value}.")
        require_device(self.device)

    @property
    def several(self) -> bool:
        """Whether layers go into folders of their own."""
        return bool(self.layers) or self.every is not None

    def on(self) -> str:
        """The device: cpu or cuda."""
        return chosen_device(self.device)

    def samples_at_a_time(self) -> int:
        """The batch size."""
        if self.on() == "cpu":  # for maps of more images memory is mapped anew, layer by layer
            return self.batch_size or (32 if self.sentences is not None else 8)
        return self.batch_size or 128

    def loaders(self) -> int:
        """Processes that load samples."""
        if self.workers is not None or self.sentences is not None:
            return self.workers or 0
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        share = 4 if self.on() == "cpu" else 1
        return max(1, (cores or 1) // share)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersConfig:
    """Which model, and how it is to be read."""

    model: Annotated[str, tyro.conf.Positional]
    """timm:NAME, torchvision:NAME, hf:NAME (or a local folder), or module:function of your own."""
    data: str | None = None
    """module:function of your own that returns the data set whose items the model takes, if these
    are no images."""
    pool: Pool = "auto"
    """How space or tokens become one vector, as in `identikit extract`."""
