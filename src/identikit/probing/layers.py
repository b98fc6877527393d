"""`score_layers(layers, Z)`: what is linearly in each of several representations of the samples.

All are read by one task: the same split, folds, resamples and shuffles, whose work is done once.
Holm's correction is over all factors in all layers. The largest of many scores is too large by what
chance gave it, so each factor's best layer is the one of least loss in cross-validation inside the
training part, and what is reported of it are the held-out samples, which had no say in that.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from identikit.core.errors import InputError, unknown_name
from identikit.core.threads import processor_threads
from identikit.features.columns import as_labels, as_mask
from identikit.features.inputs import as_factors, as_features
from identikit.probing.layer_recovery import BestLayer, LayerRecovery
from identikit.probing.linear_probes import corrected
from identikit.probing.recovery import Recovery
from identikit.probing.score import require_length, require_refits
from identikit.probing.task import ProbingTask, Results
from identikit.statistics.permutation import PER_FACTOR

T = TypeVar("T")


def score_layers(
    layers: Mapping[str, Any],
    Z: Any,
    *,
    kinds: Mapping[str, str] | None = None,
    controls: Mapping[str, Any] | None = None,
    groups: Any = None,
    items: Any = None,
    train_mask: Any = None,
    seed: int = 0,
    train_share: float = 0.5,
    resamples: int = 1000,
    refits: int = 0,
) -> LayerRecovery:
    """Read the factors Z out of every layer, on the same held-out samples.

    Args:
        layers: Features (n, d) of the same n samples by the name of the layer, in the order of
            computation. Each is asked for once and let go of, one for each thread of PyTorch at a
            time, so a mapping may load them as they are asked for.
        Z: Factors, as for `score`.
        kinds: The same.
        controls: Other features of the same samples by name: one for all layers, such as pixels;
            or a mapping with one for each layer (or some), such as those of an untrained twin.
        groups: As for `score`.
        items: The same.
        train_mask: The same.
        seed: The same.
        train_share: The same.
        resamples: The same.
        refits: The same.

    Raises:
        InputError: anything that cannot be scored, with what would do.
    """
    require_refits(refits)
    if not layers:
        raise InputError("layers is empty; give features of one layer or more, by its name.")
    factors = as_factors(Z, kinds=kinds)
    n = factors.n_samples
    shared, own = _sorted(controls or {}, layers)
    task = ProbingTask.of(
        factors,
        groups=None if groups is None else as_labels(groups, name="groups", n=n),
        items=None if items is None else as_labels(items, name="items", n=n),
        train_mask=None if train_mask is None else as_mask(train_mask, name="train_mask", n=n),
        seed=seed,
        train_share=train_share,
        resamples=resamples,
        shuffles=max(resamples, PER_FACTOR * len(factors) * len(layers)),
        many=True,
    )
    beside = {
        name: task.read(_features(values, f"control {name!r}", n)).results
        for name, values in shared.items()
    }

    def read(layer: str) -> tuple[Recovery, list[float]]:
        h = _features(layers[layer], f"layer {layer!r}", n)
        readings = task.read(h)
        mine: dict[str, Results] = dict(beside)
        for name, values in own.items():
            if layer in values:
                what = f"control {name!r} of layer {layer!r}"
                mine[name] = task.read(_features(values[layer], what, n)).results
        losses = {r.score.name: r.loss for part in readings.results for r in part}
        recovery = task.recovery(h, readings, beside=mine, refits=refits)
        return recovery, [losses[name] for name in factors]

    done = _each(read, list(layers))
    found = {layer: recovery for layer, (recovery, _) in zip(layers, done, strict=True)}
    losses = [own_losses for _, own_losses in done]
    loss = torch.tensor(losses, dtype=torch.float64)
    return LayerRecovery(layers=_corrected(found), best=_best(found, loss.argmin(dim=0).tolist()))


def _each(read: Callable[[str], T], layers: list[str]) -> list[T]:
    """A layer for each thread of this process at a time: work on one is too little for several."""
    threads = torch.get_num_threads()
    with processor_threads(1), ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(read, layers))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _sorted(
    controls: Mapping[str, Any], layers: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """Controls of all layers, and those that have one for each."""
    own = {name: values for name, values in controls.items() if isinstance(values, Mapping)}
    for name, values in own.items():
        for layer in values:
            if layer not in layers:
                raise unknown_name(f"layer of control {name!r}", layer, layers)
    return {name: values for name, values in controls.items() if name not in own}, own


def _features(values: Any, name: str, n: int) -> Tensor:
    h = as_features(values, name=name)
    require_length(name, len(h), n, of="the factors")
    return h


def _corrected(found: Mapping[str, Recovery]) -> dict[str, Recovery]:
    """With p-values corrected for all factors in all layers."""
    scores = iter(corrected([score for r in found.values() for score in r.factors]))
    return {
        name: replace(r, factors=tuple(next(scores) for _ in r.factors))
        for name, r in found.items()
    }


def _best(found: Mapping[str, Recovery], places: list[int]) -> tuple[BestLayer, ...]:
    """Each factor's score in the layer of its place, corrected for these scores."""
    names = list(found)
    scores = corrected([found[names[k]].factors[j] for j, k in enumerate(places)])
    return tuple(
        BestLayer(layer=names[k], score=score) for k, score in zip(places, scores, strict=True)
    )
