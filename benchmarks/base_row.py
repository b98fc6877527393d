"""Training on the base row: seconds and steps to R2 0.95 and 0.99, and where a step's time goes.

    OMP_NUM_THREADS=1 python benchmarks/base_row.py
    OMP_NUM_THREADS=1 python benchmarks/base_row.py --unit-norm
    OMP_NUM_THREADS=1 python benchmarks/base_row.py --seeds 0 1 --set training.steps=800

Base row: N = 10,240 instances, C = 100 classes, d = 5, vMF kappa = 10, DIET. R2 is the
held-out affine one from h to z (Procrustes with --unit-norm). Seconds are the processor's, of the
training loop without evaluation, whatever else runs; evaluation happens every 50 steps.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from identikit.core.linalg import least_squares, procrustes, r2_score
from identikit.core.randomness import stream
from identikit.encoders.mlp import MLP
from identikit.objectives.curriculum import build_head
from identikit.runs.provenance import machine, versions
from identikit.training.fit import Fit, fit_network
from identikit.training.recipes import RECIPES, Recipe, recipe
from identikit.worlds.config import WorldConfig
from identikit.worlds.world import ClusterWorld

N_LABELS = 10_240
N_HELD_OUT = 8_192


class BaseRow:
    """The base row's world with an encoder and a head to be trained on it."""

    def __init__(self, recipe: Recipe, *, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self.world = ClusterWorld(WorldConfig(), labels=N_LABELS, seed=seed)
        dim = self.world.dim
        self.encoder = MLP(recipe.encoder, dim, dim, generator=stream(seed, "encoder"))
        self.head = build_head(recipe.head, N_LABELS, dim, generator=stream(seed, "head"))
        whitening = self.world.sample(N_HELD_OUT, generator=stream(seed, "whitening"))
        self.encoder.fit_whitening(whitening.x)
        self.held_out = self.world.sample(N_HELD_OUT, generator=stream(seed, "evaluation"))

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Training pairs."""
        sample = self.world.sample(n, generator=generator)
        return sample.x, sample.label

    def evaluate(self) -> dict[str, float]:
        """R2 on the second half of the held-out samples of a map fitted on the first."""
        h = self.head.features(self.encoder(self.held_out.x))
        score = _procrustes_r2 if self.recipe.head.unit_rows else _affine_r2
        return {"r2": score(h, self.held_out.z)}

    def fit(self, *, steps: int | None = None, **options: Any) -> Fit:
        """Train; `steps` replaces the recipe's."""
        config = self.recipe.training
        if steps is not None:
            config = dataclasses.replace(config, steps=steps)
        return fit_network(
            self.encoder,
            self.head,
            draw=self.draw,
            config=config,
            seed=self.seed,
            evaluate=self.evaluate if "evaluate_every" in options else None,
            clock=time.process_time,
            **options,
        )


def _affine_r2(h: Float[Tensor, "n d_h"], z: Float[Tensor, "n d_z"]) -> float:
    half = len(h) // 2
    fitted = least_squares(h[:half], z[:half])
    return float(r2_score(fitted.predict(h[half:]), z[half:].double()).mean())


def _procrustes_r2(h: Float[Tensor, "n d_h"], z: Float[Tensor, "n d_z"]) -> float:
    half = len(h) // 2
    fitted = procrustes(h[:half], z[:half])
    return float(r2_score(fitted.predict(h[half:]), z[half:].double()).mean())


def measure(chosen: Recipe, seeds: list[int]) -> list[dict[str, Any]]:
    """One result per seed: final R2, and when 0.95 and 0.99 were reached."""
    results = []
    for seed in seeds:
        done = BaseRow(chosen, seed=seed).fit(evaluate_every=50)
        result = {"seed": seed, "r2": round(done.history[-1]["r2"], 4), "steps": done.steps}
        result["seconds"] = round(done.seconds - done.evaluation_seconds, 2)
        for target in (0.95, 0.99):
            hit = next((r for r in done.history if r["r2"] >= target), None)
            key = f"to_{target}"
            result[f"steps_{key}"] = hit["step"] if hit else None
            result[f"seconds_{key}"] = round(hit["training_seconds"], 2) if hit else None
        print(json.dumps(result), flush=True)
        results.append(result)
    return results


def medians(results: list[dict[str, Any]]) -> dict[str, float | None]:
    """Median over seeds of every number; a target never reached counts as infinite."""
    summary: dict[str, float | None] = {}
    for key in results[0].keys() - {"seed"}:
        middle = median(float("inf") if r[key] is None else r[key] for r in results)
        summary[key] = middle if middle < float("inf") else None
    return dict(sorted(summary.items()))


def encoder_share(chosen: Recipe, *, repeats: int = 200) -> dict[str, float]:
    """Milliseconds of a whole training step and of the encoder's forward and backward in it."""
    row = BaseRow(chosen, seed=0)
    row.fit(steps=32)  # warm-up
    step = row.fit(steps=repeats).seconds / repeats
    row.encoder.train()
    x, _ = row.draw(chosen.training.batch_size, stream(0, "share"))
    y = row.encoder(x)
    direction = torch.ones_like(y)
    y.backward(direction)  # the first with a direction imports for half a second
    start = time.process_time()
    for _ in range(repeats):
        row.encoder.zero_grad()
        row.encoder(x).backward(direction)
    encoder = (time.process_time() - start) / repeats
    return {
        "step_ms": round(1e3 * step, 3),
        "encoder_ms": round(1e3 * encoder, 3),
        "encoder_share": round(encoder / step, 3),
    }


def with_settings(chosen: Recipe, settings: list[str]) -> Recipe:
    """The recipe with settings such as `training.steps=800` or `head.negatives=null`."""
    for setting in settings:
        path, _, value = setting.partition("=")
        part, _, name = path.partition(".")
        try:
            parsed = json.loads(value)
        except json.JSONDecodeError:
            parsed = value
        changed = dataclasses.replace(getattr(chosen, part), **{name: parsed})
        chosen = dataclasses.replace(chosen, **{part: changed})
    return chosen


def main() -> None:
    """Run the seeds, print one line each and the medians, and write them all to --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="fast")
    parser.add_argument("--unit-norm", action="store_true", help="unit-norm features and rows")
    parser.add_argument("--set", nargs="*", default=[], metavar="PART.NAME=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chosen = with_settings(recipe(options.recipe), options.set)
    if options.unit_norm:
        chosen = with_settings(chosen, ["head.unit_features=true", "head.unit_rows=true"])
    results = measure(chosen, options.seeds)
    summary = {"median": medians(results), **encoder_share(chosen)}
    print(json.dumps(summary))
    if options.out:
        origin = {"machine": machine(), "threads": options.threads, "versions": versions()}
        report = {**origin, "recipe": dataclasses.asdict(chosen), **summary, "seeds": results}
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
