"""From folders to layer curves: each layer is mapped, read and let go of.

A control that an extraction made with each layer, such as its untrained twin, stands beside that
layer; the observations and features that were given for all layers are read once.
"""

from typing import Any

from identikit.core.errors import InputError
from identikit.features.layer_controls import layer_controls
from identikit.features.layer_list import OnDisk, layer_paths
from identikit.features.load import load_features
from identikit.probing.layers import score_layers
from identikit.studies.probe.config import ProbeLayersConfig
from identikit.studies.probe.layers_result import LayersProbeResult
from identikit.studies.probe.run import kind_in_words, observed


def probe_layers(config: ProbeLayersConfig) -> LayersProbeResult:
    """Read every factor out of every layer.

    Raises:
        InputError: files, layers or factors that cannot be used.
    """
    kinds, layers = config.kinds_by_name(), layer_paths(config.features, each=True)
    if not layers:
        raise InputError(f"{config.features[0]} lists no layers. Extract them again.")
    shared, own = layer_controls(config.control_paths(), layers)
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
        name: OnDisk(paths, loaded.same_samples) for name, paths in own.items()
    }
    recovery = score_layers(
        OnDisk(layers, loaded.same_samples),
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
