"""From folders to layer curves: each layer is mapped, read and let go of before the next.

A control that an extraction made with each layer, such as its untrained twin, stands beside that
layer; the observations and features that were given for all layers are read once.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from identikit.core.errors import InputError, unknown_name
from identikit.features.layer_list import layer_folders, layer_paths
from identikit.features.load import OBSERVATIONS, load_features
from identikit.features.shards import MANIFEST_FILE, read_manifest
from identikit.probing.layers import score_layers
from identikit.studies.probe.config import ProbeLayersConfig
from identikit.studies.probe.layers_result import LayersProbeResult
from identikit.studies.probe.run import kind_in_words, observed


class _OnDisk(Mapping[str, Float[Tensor, "n _"]]):
    """Features by the name of their layer, read when they are asked for and not kept."""

    def __init__(
        self, paths: Mapping[str, Path], load: Callable[[str, Path], Float[Tensor, "n _"]]
    ) -> None:
        self.paths, self.load = paths, load

    def __getitem__(self, name: str) -> Float[Tensor, "n _"]:
        return self.load(f"layer {name!r}", self.paths[name])

    def __contains__(self, name: object) -> bool:
        return name in self.paths

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)


def probe_layers(config: ProbeLayersConfig) -> LayersProbeResult:
    """Read every factor out of every layer.

    Raises:
        InputError: files, layers or factors that cannot be used.
    """
    kinds, layers = config.kinds_by_name(), layer_paths(config.features, each=True)
    if not layers:
        raise InputError(f"{config.features[0]} lists no layers. Extract them again.")
    shared, own = _controls(config, layers)
    loaded = load_features(
        next(iter(layers.values())),
        factors=config.factors,
        key=config.key,
        only=config.only,
        kinds=kinds,
        controls=shared,
        items=config.items,
        groups=config.groups,
        partial=config.partial,
        skip_corrupt=config.skip_corrupt,
    )
    rep, notes, controls = loaded.representation, list(loaded.notes), {}
    if rep.x is not None:
        controls["x"], more = observed(rep.x, seed=config.seed)
        notes += more
    controls |= {name: h for name, h in loaded.controls.items() if name not in own}
    beside: dict[str, Any] = {
        name: _OnDisk(paths, loaded.same_samples) for name, paths in own.items()
    }
    recovery = score_layers(
        _OnDisk(layers, loaded.same_samples),
        rep.factors,
        controls=controls | beside,
        items=loaded.items,
        groups=loaded.groups,
        seed=config.seed,
        train_share=config.train_share,
        resamples=config.resamples,
        refits=config.refits,
    )
    return LayersProbeResult(
        scores={
            layer: {score.name: score.estimate.value for score in found.factors}
            for layer, found in recovery.layers.items()
        },
        recovery=recovery,
        kinds={name: kind_in_words(f, name in kinds) for name, f in rep.factors.items()},
        notes=tuple(notes),
    )


def _controls(
    config: ProbeLayersConfig, layers: Mapping[str, Path]
) -> tuple[dict[str, str], dict[str, dict[str, Path]]]:
    """Where controls of all layers are, and where those of each layer are."""
    shared: dict[str, str] = {}
    own: dict[str, dict[str, Path]] = {}
    for name, path in config.control_paths().items():
        folders = layer_folders(Path(path))
        if folders is None:
            shared[name] = path
            continue
        for layer in folders:
            if layer not in layers:
                raise unknown_name(f"layer of control {name!r}", layer, layers)
        own[name] = folders
    for layer, place in layers.items():
        for name, folder in _made_with(place).items():
            if name not in shared and name not in OBSERVATIONS:
                own.setdefault(name, {}).setdefault(layer, folder)
    return shared, own


def _made_with(place: Path) -> dict[str, Path]:
    """Controls that an extraction made with a layer."""
    if not (place / MANIFEST_FILE).exists():
        return {}
    return {name: place / folder for name, folder in read_manifest(place).controls.items()}
