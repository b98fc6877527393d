"""Probing all layers of a model, each beside a control, against a loop with scikit-learn.

The shape of a language model of 31 levels over 768 sentences: five factors (two of numbers, two
binary, one of seven levels), one control for each layer.

ours    `identikit.score_layers`: fits, 1,000 resamples behind each interval, paired differences to
        the control, 6,200 shuffles behind each p-value, Holm's correction, the best layers
theirs  the same probes with `Ridge` and `LogisticRegression`: every penalty on every fold, a fit to
        all training rows, the held-out score; no intervals, p-values or differences. It reads
        `--their-sets` of the sets of features and is scaled.

Ratios are of processor time; the clock stands beside it.

    OMP_NUM_THREADS=2 python benchmarks/probe_layers.py
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, log_loss, r2_score, roc_auc_score

import identikit
from identikit.core.files import write_json
from identikit.core.randomness import stream
from identikit.core.threads import processor_threads
from identikit.probing.classifier import EVIDENCE
from identikit.probing.classifier import PENALTIES as OF_CLASSES
from identikit.probing.regression import PENALTIES
from identikit.runs.provenance import machine, versions
from identikit.statistics.split import Split, random_split, training_folds

RESULTS = Path(__file__).parent / "results" / "probe_layers.json"
Array = NDArray[Any]


def data(n: int, d: int, count: int) -> tuple[list[dict[str, Array]], dict[str, Array]]:
    """Rectified features of 20 latents, of every layer and of its control, and the factors."""
    generator = np.random.default_rng(0)
    latent = generator.normal(size=(n, 20))
    sets = []
    for _ in range(2):
        found = {}
        for k in range(count):
            weights = generator.normal(size=(20, d)) / 4
            noise = generator.normal(size=(n, d))
            found[f"level {k}"] = np.maximum(latent @ weights + noise, 0).astype(np.float32)
        sets.append(found)
    levels = (latent[:, 3] * 2).round().clip(-3, 3).astype(int)
    return sets, {
        "length": latent[:, 0] + 0.3 * generator.normal(size=n),
        "number": (latent[:, 1] > 0).astype(int),
        "negated": (latent[:, 2] > 0.8).astype(int),
        "word": np.array([f"word {level}" for level in levels]),
        "frequency": latent[:, 4],
    }


def theirs(h: Array, z: dict[str, Array], split: Split, folds: list[Split]) -> dict[str, float]:
    """Held-out scores of one set of features."""
    train, test = split.train.numpy(), split.test.numpy()
    rows = [(fold.train.numpy(), fold.test.numpy()) for fold in folds]
    return {
        name: _regress(h[train], h[test], values[train], values[test], rows)
        if values.dtype.kind == "f"
        else _classify(h[train], h[test], values[train], values[test], rows)
        for name, values in z.items()
    }


def _regress(x: Array, x_test: Array, y: Array, y_test: Array, rows: list[Any]) -> float:
    x, x_test = x.astype(np.float64), x_test.astype(np.float64)
    size = float(np.square(x - x.mean(axis=0)).sum())
    errors = [
        sum(
            np.square(y[out] - Ridge(alpha=p * size).fit(x[fit], y[fit]).predict(x[out])).sum()
            for fit, out in rows
        )
        for p in PENALTIES
    ]
    best = Ridge(alpha=PENALTIES[int(np.argmin(errors))] * size).fit(x, y)
    return float(r2_score(y_test, best.predict(x_test)))


def _classify(x: Array, x_test: Array, y: Array, y_test: Array, rows: list[Any]) -> float:
    """Principal coordinates of equal size, of each fold's own rows, or with their sizes."""
    (x_white, x_equal), (held_white, held_equal) = _turned(x, x, x_test)
    folds = [(_turned(x[fit], x[fit], x[out]), y[fit], y[out]) for fit, out in rows]
    tried = []
    for kind, x_own, x_held in ((0, x_white, held_white), (1, x_equal, held_equal)):
        for p in OF_CLASSES:
            loss = 0.0 if kind else EVIDENCE
            for (fit, out), y_fit, y_out in folds:
                model = _logistic(fit[kind], y_fit, p)
                share = model.predict_proba(out[kind])
                loss += log_loss(y_out, share, labels=model.classes_) * len(y_out)
            tried.append((loss, p, x_own, x_held))
    _, p, x_own, x_held = min(tried, key=lambda one: one[0])
    model = _logistic(x_own, y, p)
    share = model.predict_proba(x_held)
    if len(model.classes_) == 2:
        return float(roc_auc_score(y_test, share[:, 1]))
    gain = share / np.array([(y == level).mean() for level in model.classes_])
    return float(balanced_accuracy_score(y_test, model.classes_[gain.argmax(axis=1)]))


def _turned(x: Array, *parts: Array) -> list[tuple[Array, Array]]:
    """Rows along the principal axes of x: each of size 1, and the largest."""
    pca = PCA().fit(x.astype(np.float64))
    size = np.sqrt(pca.explained_variance_)
    kept = size > 1e-6 * size[0]
    turned = [pca.transform(part.astype(np.float64))[:, kept] for part in parts]
    return [(each / size[kept], each / size[0]) for each in turned]


def _logistic(x: Array, y: Array, penalty: float) -> LogisticRegression:
    return LogisticRegression(C=1 / (len(x) * penalty), max_iter=10_000).fit(x, y)


def compare(options: argparse.Namespace) -> dict[str, Any]:
    (layers, twins), z = data(options.rows, options.columns, options.layers)
    some = list(layers)[:: max(1, options.layers // options.their_sets)][: options.their_sets]
    identikit.score_layers({"warm": layers[some[0]]}, z, resamples=100)
    clock, start = time.perf_counter(), time.process_time()
    found = identikit.score_layers(layers, z, controls={"untrained": twins})
    ours, clock = time.process_time() - start, time.perf_counter() - clock
    everyone = torch.arange(options.rows)
    split = random_split(everyone, train_share=0.5, generator=stream(0, "split"))
    folds = training_folds(everyone[split.train], seed=0)
    apart, start = [], time.process_time()
    for layer in some:
        with processor_threads(1):  # several would wait for each other at work
            scores = theirs(layers[layer], z, split, folds)
        mine = {s.name: s.estimate.value for s in found.layers[layer].factors}
        apart.append({name: abs(scores[name] - mine[name]) for name in z})
    seconds = (time.process_time() - start) * 2 * options.layers / len(some)
    return {
        "rows": options.rows,
        "columns": options.columns,
        "layers": options.layers,
        "ours_processor_s": ours,
        "ours_clock_s": clock,
        "scikit_learn_processor_s": seconds,
        "scikit_learn_sets_timed": len(some),
        "times_ours": seconds / ours,
        "scores apart": {name: max(each[name] for each in apart) for name in z},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=768)
    parser.add_argument("--columns", type=int, default=576)
    parser.add_argument("--layers", type=int, default=31)
    parser.add_argument("--their-sets", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    report = {
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        **compare(options),
    }
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
