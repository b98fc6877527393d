"""One von Mises-Fisher sample around each of 100,000 different means in d = 16.

Against `scipy.stats.vonmises_fisher`, which takes one mean at a time. Both draw around the
same means, on one thread. Run: python benchmarks/vmf_sampling.py
"""

import json
import statistics
import time

import numpy as np
import torch
from scipy import stats

from identikit.worlds.von_mises_fisher import VonMisesFisher

MEANS, DIM, KAPPA = 100_000, 16, 10.0


def measure() -> dict[str, float]:
    """Seconds for both, with one concentration for all means and with one for each."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    means = torch.nn.functional.normalize(torch.randn(MEANS, DIM, generator=generator))
    every = torch.arange(MEANS)
    shared = VonMisesFisher(means, concentration=KAPPA)
    own = VonMisesFisher(means, concentration=torch.full((MEANS,), KAPPA))

    def ours(distribution: VonMisesFisher) -> float:
        start = time.perf_counter()
        distribution.sample(every, generator=generator)
        return time.perf_counter() - start

    ours(shared)
    result = {
        "means": MEANS,
        "dim": DIM,
        "kappa": KAPPA,
        "seconds_shared_concentration": statistics.median(ours(shared) for _ in range(15)),
        "seconds_own_concentrations": statistics.median(ours(own) for _ in range(15)),
        "seconds_scipy": statistics.median(_scipy(means.double().numpy()) for _ in range(3)),
    }
    for kind in ("shared_concentration", "own_concentrations"):
        result[f"times_faster_{kind}"] = result["seconds_scipy"] / result[f"seconds_{kind}"]
    return result


def _scipy(means: np.ndarray) -> float:
    means = means / np.linalg.norm(means, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for mean in means:
        stats.vonmises_fisher.rvs(mean, KAPPA, random_state=rng)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
