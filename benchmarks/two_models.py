"""Two networks trained in one world: do the parts that their heads cover agree, and nothing else?

Theory (THEORY of `docs/comparing.md`) predicts linear R² 1 on the covered parts of any two optima,
whatever labels they were trained on, as long as these identify the latents, and Procrustes R² 1
where features and rows have unit norm. Each row trains encoders in the same world with seeds of
their own (initial weights, batches) and compares them on fresh samples.
Results go to benchmarks/results/two_models.json; with --save also the features, for
`identikit compare`.

    OMP_NUM_THREADS=1 python benchmarks/two_models.py
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import identikit
from identikit.core.files import write_json
from identikit.core.randomness import stream
from identikit.encoders.config import EncoderConfig
from identikit.encoders.mlp import MLP
from identikit.objectives.config import HeadConfig
from identikit.objectives.curriculum import build_head
from identikit.runs.provenance import machine, versions
from identikit.similarity.comparison import Comparison
from identikit.training.config import TrainingConfig
from identikit.training.fit import fit_network
from identikit.worlds.config import WorldConfig
from identikit.worlds.world import ClusterWorld

RESULTS = Path(__file__).parent / "results" / "two_models.json"
INSTANCES = 2000
SAMPLES = 4000


@dataclass(frozen=True, kw_only=True)
class Model:
    """How one encoder is trained."""

    classes: int = 100
    dim: int = 5
    """Of h."""
    objective: str = "supervised"
    unit_norm: bool = False
    """Features and rows."""
    seed: int = 1
    steps: int = 1500
    """0: untrained."""


PAIRS: dict[str, tuple[Model, Model]] = {
    "supervised, two seeds": (Model(), Model(seed=2)),
    "DIET, two seeds": (Model(objective="diet"), Model(objective="diet", seed=2)),
    "supervised and DIET": (Model(), Model(objective="diet", seed=2)),
    "unit norm, two seeds": (Model(unit_norm=True), Model(unit_norm=True, seed=2)),
    "supervised, one of 100 steps": (Model(), Model(seed=2, steps=100)),
    "supervised and untrained": (Model(), Model(seed=2, steps=0)),
    "8 classes, 16 dimensions, two seeds": (
        Model(classes=8, dim=16),
        Model(classes=8, dim=16, seed=2),
    ),
    "8 classes, 16 dimensions, DIET and supervised": (
        Model(classes=8, dim=16),
        Model(classes=8, dim=16, objective="diet", seed=2),
    ),
}


def world_of(model: Model) -> ClusterWorld:
    """The same for every seed of a number of classes; labels differ by objective."""
    labels = INSTANCES if model.objective == "diet" else model.classes
    return ClusterWorld(WorldConfig(classes=model.classes), labels=labels, seed=0)


def trained(model: Model, x: torch.Tensor) -> dict[str, Any]:
    """Features of x, the head and the class of each of its rows."""
    world, seed = world_of(model), model.seed
    whitening = world.sample(SAMPLES, generator=stream(seed, "whitening"))
    encoder = MLP(EncoderConfig(), x.shape[1], model.dim, generator=stream(seed, "encoder"))
    encoder.fit_whitening(whitening.x)
    head = build_head(
        HeadConfig(unit_features=model.unit_norm, unit_rows=model.unit_norm),
        world.n_labels,
        model.dim,
        generator=stream(seed, "head"),
        label_prior=world.label_prior,
    )

    def draw(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        sample = world.sample(n, generator=generator)
        return sample.x, sample.label

    if model.steps:
        config = replace(TrainingConfig(), steps=model.steps)
        fit_network(encoder, head, draw=draw, config=config, seed=seed)
    with torch.no_grad():
        h = head.features(encoder(x))
    return {"h": h, "W": head.rows().detach(), "head_class": world.class_of_label}


def compared(name: str, save: Path | None) -> tuple[Comparison, tuple[float, float]]:
    """The comparison, and the affine R² of the true latents from each model's features."""
    pair = PAIRS[name]
    fresh = world_of(pair[0]).sample(SAMPLES, generator=stream(0, "fresh"))
    a, b = (trained(model, fresh.x) for model in pair)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for letter, arrays in (("a", a), ("b", b)):
            stem = name.replace(",", "").replace(" ", "-")
            np.savez(save / f"{stem}-{letter}.npz", **{k: v.numpy() for k, v in arrays.items()})
    found = identikit.compare(
        a["h"],
        b["h"],
        head_a=a["W"],
        head_b=b["W"],
        head_class_a=a["head_class"],
        head_class_b=b["head_class"],
    )
    r2 = [identikit.score(m["h"], fresh.z, resamples=100).mean() for m in (a, b)]
    return found, (r2[0], r2[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(PAIRS), nargs="+", default=list(PAIRS))
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start, results = time.process_time(), {}
    for name in options.only:
        found, latents = compared(name, options.save)
        results[name] = {
            "r2_of_latents": latents,
            "comparison": found.to_frame().to_dict("records"),
            "unit_norm": found.unit_norm,
            "ranks": {space.name: (space.rank_a, space.rank_b) for space in found.spaces},
        }
        print(
            f"{name}: R² of the latents {latents[0]:.4f}, {latents[1]:.4f}\n{found}\n", flush=True
        )
    if options.only == list(PAIRS):
        report = {
            "cpu_seconds": round(time.process_time() - start, 1),
            "machine": machine(),
            "versions": versions(),
            "results": results,
        }
        write_json(RESULTS, report)


if __name__ == "__main__":
    main()
