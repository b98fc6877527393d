"""What one pass is to make: the layers of a model and their controls, each in its folder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from identikit.core.errors import InputError
from identikit.encoders.adapters import ReadableModel, Tap, load_model, uncalibrated
from identikit.encoders.config import Pool
from identikit.studies.extract.config import ExtractConfig
from identikit.studies.extract.layer_folders import folder_names
from identikit.studies.extract.outputs import Output
from identikit.studies.extract.readers import NetworkReader, PixelReader
from identikit.studies.extract.samples import dry_samples
from identikit.studies.extract.sentences import Sentences
from identikit.worlds.batches import Samples

UNTRAINED, PIXELS = "untrained", "pixels"
BAG = "bag_of_embeddings"
"""The mean of a sentence's input embeddings: what is in its words, whatever their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """All folders that one pass fills, and who makes what is in them."""

    model: ReadableModel
    networks: Mapping[str, NetworkReader]
    """The model, and its untrained twin if that is wanted."""
    layers: tuple[Output, ...]
    """In the order of computation."""
    controls: tuple[Output, ...]
    left_out: tuple[str, ...]
    """Layers that a pattern meant and that cannot be read."""
    remarks: tuple[str, ...]
    """What in the samples may not be meant."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The layers first, then the controls."""
        return (*self.layers, *self.controls)


def planned(config: ExtractConfig, samples: Samples) -> Planned:
    """Load what is asked for and say where it goes.

    Raises:
        InputError: a model or layer that cannot be used.
    """
    inputs = dry_samples(samples)
    model = load_model(
        config.model,
        pretrained=not config.untrained,
        checkpoint=config.checkpoint,
        seed=config.seed,
        inputs=inputs,
    )
    remarks: tuple[str, ...] = ()
    if isinstance(samples, Sentences):
        remarks = samples.remarks(model.transform, spans=config.pool == "span")
    elif model.text:
        raise InputError(
            f"{model.name} reads text, and neither images nor tensors. Give --sentences TABLE, or "
            "a model of images."
        )
    taps, left_out = _taps(config, model)
    networks = {"model": _network(model, len(samples))}
    if config.untrained_twin:
        twin = load_model(config.model, pretrained=False, seed=config.seed, inputs=inputs)
        networks[UNTRAINED] = _network(twin, len(samples))
    common = {
        "transform": re.sub(r" at 0x[0-9a-f]+", "", repr(model.transform)),
        **samples.settings(),
        "device": config.on(),
        "batch_size": config.samples_at_a_time(),
        "shard_size": config.shard_size,
    }
    settings = {name: _settings(config, found) | common for name, found in networks.items()}
    shrunk = [] if config.pixels is None else [_shrinking(model, config, common)]
    if model.embeddings is not None and isinstance(samples, Sentences):
        shrunk += _embedded(networks["model"], taps[0].pool, config, settings["model"])
    reserved = (PIXELS, UNTRAINED, *(output.folder.name for output in shrunk))
    names = folder_names([tap.layer for tap in taps], reserved=reserved)
    layers, controls = [], []
    twins = (UNTRAINED,) if config.untrained_twin else ()
    for tap, name in zip(taps, names, strict=True):
        folder = config.out / name if config.several else config.out
        beside = tuple(output.folder.name for output in shrunk)
        layers.append(
            _reading(
                networks["model"],
                tap,
                config,
                settings["model"],
                folder=folder,
                controls=twins if config.several else (*twins, *beside),
                shared=beside if config.several else (),
            )
        )
        for twin_name in twins:
            network = networks[twin_name]
            own = _tap(config, network.model, tap.layer.name)
            controls.append(
                _reading(network, own, config, settings[twin_name], folder=folder / twin_name)
            )
    for network in networks.values():
        network.model.to(torch.device(config.on()))
    return Planned(
        model=model,
        networks=networks,
        layers=tuple(layers),
        controls=(*controls, *shrunk),
        left_out=left_out,
        remarks=remarks,
    )


def _taps(config: ExtractConfig, model: ReadableModel) -> tuple[list[Tap], tuple[str, ...]]:
    """Where the model is read, and which layers that a pattern meant cannot be."""
    if not config.several:
        return [_tap(config, model, config.layer)], ()
    names = model.chosen(config.layers or ("all",), every=config.every or 1)
    taps, left_out = [], []
    for name in names:
        try:
            taps.append(_tap(config, model, name))
        except InputError as error:
            if name in config.layers:
                raise
            left_out.append((name, error))
    if not taps:
        raise InputError(f"none of the {len(names)} layers can be read. {left_out[0][1]}")
    return taps, tuple(name for name, _ in left_out)


def _tap(config: ExtractConfig, model: ReadableModel, layer: str | None) -> Tap:
    return model.tap(layer, pool=config.pool, channels=config.channels, prefix=config.prefix_tokens)


def _embedded(
    network: NetworkReader, pool: Pool, config: ExtractConfig, settings: Mapping[str, Any]
) -> list[Output]:
    """Input embeddings of the tokens: of all, and of those that the layers are read at."""
    name = network.model.embeddings
    pools: dict[str, Pool] = {BAG: "mean"}
    if pool in ("last", "span"):
        pools[f"{pool}_embedding"] = pool
    return [
        _reading(
            network,
            network.model.tap(name, pool=how),
            config,
            settings,
            folder=config.out / folder,
        )
        for folder, how in pools.items()
    ]


def _network(model: ReadableModel, samples: int) -> NetworkReader:
    calibrates = not model.trained and bool(uncalibrated(model.network))
    if calibrates and samples < 2:
        raise InputError(
            f"{model.name} without training has batch norms, which need the statistics of at least "
            "2 samples; there is one. Give more."
        )
    return NetworkReader(model=model, calibrates=calibrates)


def _settings(config: ExtractConfig, network: NetworkReader) -> dict[str, Any]:
    """What decides the numbers of a network's layers."""
    model = network.model
    return {
        "model": model.name,
        "pretrained": model.trained and config.checkpoint is None,
        "checkpoint": str(config.checkpoint) if model.trained and config.checkpoint else None,
        "seed": None if model.trained else config.seed,
        "weights_sha256": model.digest(),
        "batch_norm": "statistics of the samples" if network.calibrates else None,
        "precision": str(arithmetic(config)).removeprefix("torch."),
    }


def _reading(
    network: NetworkReader,
    tap: Tap,
    config: ExtractConfig,
    settings: Mapping[str, Any],
    *,
    folder: Path,
    controls: tuple[str, ...] = (),
    shared: tuple[str, ...] = (),
) -> Output:
    """A layer of a model."""
    model = network.model
    read = tap.layer.name == model.read_by_head and (tap.pool == "last" or not tap.per_token)
    head = model.head_weights() if model.trained and read else None
    layout = tap.layout
    return Output(
        folder=folder,
        reader=network,
        tap=tap,
        dim=tap.dim,
        dtype=config.dtype,
        settings={
            "layer": tap.layer.name,
            "layer_index": tap.layer.index,
            "layer_count": len(model.layers),
            "pool": tap.pool,
            "channels_axis": None if layout is None else layout.channels,
            "prefix_tokens": None if layout is None else layout.prefix,
            **settings,
        },
        head=head if head is not None and head["W"].shape[1] == tap.dim else None,
        controls=controls,
        shared=shared,
    )


def _shrinking(model: ReadableModel, config: ExtractConfig, common: Mapping[str, Any]) -> Output:
    """The images as the model gets them, made smaller."""
    side, shape = config.pixels or 1, model.input_shape
    if len(shape) != 3 or side > min(shape[1:]):
        most = f"at most {min(shape[1:])}, their side" if len(shape) == 3 else "of images"
        raise InputError(
            f"--pixels must be {most}; {model.name} gets samples of shape {shape}, and --pixels is "
            f"{side}."
        )
    return Output(
        folder=config.out / PIXELS,
        reader=PixelReader(side=side),
        tap=None,
        dim=shape[0] * side**2,
        dtype=config.dtype,
        settings={"pixels": side, **common},
    )


def arithmetic(config: ExtractConfig) -> torch.dtype:
    """The type that matrix products are made in."""
    if config.precision != "auto":
        named: torch.dtype = getattr(torch, config.precision)
        return named
    if config.on() == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
