"""Do trained networks land on the ceiling that theory computes for their world?

    python benchmarks/ceilings.py --seeds 0 1

trains a network in each of the worlds below (one thread) and writes what was predicted and
recovered to benchmarks/results/ceilings.json, after every run.
"""

import argparse
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from identikit.objectives.head import HeadConfig
from identikit.studies.simulation.config import SimulationConfig
from identikit.studies.simulation.run import simulate
from identikit.training.config import TrainingConfig
from identikit.worlds.world import WorldConfig

RESULTS = Path(__file__).parent / "results" / "ceilings.json"

WORLDS = {
    "von Mises-Fisher": WorldConfig(),
    "projected normal, scale 0.5": WorldConfig(conditional="normal", scale=0.5),
    "projected Laplace, scale 0.5": WorldConfig(conditional="laplace", scale=0.5),
    "projected Laplace, scale 1": WorldConfig(conditional="laplace"),
    "projected generalised normal, exponent 3": WorldConfig(conditional="generalized-normal"),
    "truncated Laplace, scale 0.5": WorldConfig(conditional="truncated-laplace", scale=0.5),
    "Gaussians, one covariance": WorldConfig(conditional="gaussian", scale=0.5),
    "Gaussians, a covariance per class": WorldConfig(
        conditional="gaussian", scale=0.5, covariance="per-class"
    ),
    "10 % of labels swapped": WorldConfig(swapped_share=0.1),
    "30 % swapped among 20 classes": WorldConfig(swapped_share=0.3, swapped_classes=20),
    "two clusters per class": WorldConfig(components=2),
    "two Laplace clusters per class": WorldConfig(components=2, conditional="laplace", scale=0.5),
    "Zipf labels": WorldConfig(label_exponent=1.0),
}


def runs(seed: int, *, steps: int) -> Iterator[tuple[str, SimulationConfig]]:
    training = TrainingConfig(steps=steps, schedule="cosine")
    common: dict[str, Any] = {"objective": "supervised", "seed": seed, "training": training}
    for name, world in WORLDS.items():
        yield name, SimulationConfig(world=world, **common)
    unit = HeadConfig(normalized=True)
    for name in ("von Mises-Fisher", "projected Laplace, scale 0.5"):
        yield f"{name}, unit norm", SimulationConfig(world=WORLDS[name], head=unit, **common)
    wide = SimulationConfig(world=WORLDS["Zipf labels"], representation_dim=6, **common)
    yield "Zipf labels, one dimension more", wide
    diet = SimulationConfig(
        world=WORLDS["projected Laplace, scale 0.5"], seed=seed, training=training
    )
    yield "projected Laplace, scale 0.5, DIET", diet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        for name, config in runs(seed, steps=options.steps):
            result = simulate(config)
            ceiling = result.prediction.ceiling
            summary = result.summary()
            recovered = summary["r2_latents"]
            row = {
                "world": name,
                "seed": seed,
                "ceiling": ceiling.r2_latents,
                "recovered": recovered,
                "gap": ceiling.r2_latents - recovered,
                "ceiling_head": ceiling.r2_head,
                "recovered_head": summary["r2_head"],
                "ceiling_wide": ceiling.r2_wide,
                "excess_of_optimum": ceiling.excess,
                "excess": result.excess.value,
                "ceiling_converged": ceiling.converged,
                "cheapest": result.prediction.sensitivity.cheapest,
                "equipartition": result.prediction.sensitivity.equipartition,
                "typical": result.prediction.sensitivity.typical,
                "cause": result.explanation.cause,
                "seconds": summary["seconds"],
            }
            rows.append(row)
            print(
                f"{name:42s} seed {seed}  ceiling {row['ceiling']:.4f}  recovered {recovered:.4f}"
                f"  excess {row['excess']:.4f} (optimum {ceiling.excess:.4f})  {row['cause']}"
                f"  {row['seconds']:.0f} s",
                flush=True,
            )
            write(rows, options)


def write(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "command": f"python benchmarks/ceilings.py --steps {options.steps} --seeds "
        + " ".join(map(str, options.seeds)),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": 1,
        "runs": rows,
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
