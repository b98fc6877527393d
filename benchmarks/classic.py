"""The classic metrics beside disentanglement_lib's, on 10,000 x 64 codes with 6 factors.

    pip install --no-deps disentanglement_lib gin-config absl-py six
    OMP_NUM_THREADS=1 python benchmarks/classic.py [--library PATH] [--only dci mig ...]

Their package is taken from where it is installed, or from the folder PATH that holds it (it asks
for TensorFlow, which its metrics only need for a decorator: `--no-deps`). Both sides get the same
codes and factors, a full grid of 5 x 5 x 5 x 5 x 4 x 4 levels, the same split of the rows, and
the same numbers of votes and points, on one thread, in one process; times are of the processor,
medians of eleven calls where a side takes less than two seconds. Theirs runs with its own variant;
where ours has that variant too, it has a row. Writes results/classic.json and .md; with --only, the
other rows stay as they were.
"""

import argparse
import json
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from identikit import disentanglement as classic
from identikit.core.files import write_json
from identikit.disentanglement.table import split_rows
from identikit.runs.provenance import machine, versions

RESULTS = Path(__file__).parent / "results"
SIZES = (5, 5, 5, 5, 4, 4)
CODES, NOISE = 64, 0.3
BATCH, POINTS, FRESH = 64, 10_000, 5_000
SHORT, REPEATS = 2.0, 11

Score = dict[str, float]


class Grid:
    """Every combination of levels once, in the form in which their metrics ask for data."""

    num_factors = len(SIZES)

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.levels = np.stack([g.ravel() for g in np.indices(SIZES)], axis=1)
        z = (self.levels - self.levels.mean(axis=0)) / self.levels.std(axis=0)
        mixed = z @ rng.normal(size=(len(SIZES), CODES)) / len(SIZES) ** 0.5
        mixed[:, : len(SIZES)] = z
        self.codes = mixed + NOISE * rng.normal(size=mixed.shape)

    def sample_factors(self, num: int, state: np.random.RandomState) -> NDArray[Any]:
        """Factors of independent draws."""
        return np.stack([state.randint(size, size=num) for size in SIZES], axis=1)

    def sample_observations_from_factors(self, factors: NDArray[Any], _: Any) -> NDArray[Any]:
        """An observation is its row in the grid."""
        return np.ravel_multi_index(tuple(factors.T), SIZES)

    def sample_observations(self, num: int, state: np.random.RandomState) -> NDArray[Any]:
        """Observations of independent draws."""
        return self.sample_observations_from_factors(self.sample_factors(num, state), state)

    def sample(self, num: int, state: np.random.RandomState) -> tuple[NDArray[Any], NDArray[Any]]:
        """Factors and their observations."""
        factors = self.sample_factors(num, state)
        return factors, self.sample_observations_from_factors(factors, state)

    def represent(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The encoder: a look-up."""
        return self.codes[rows]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def load(library: Path | None) -> None:
    """Make their metrics importable, with gin's decorator in the place where they look for it."""
    import gin

    if library is not None:
        sys.path.insert(0, str(library))
    shim = types.ModuleType("gin.tf")

    def configurable(*args: Any, blacklist: Any = None, **kwargs: Any) -> Any:
        return gin.config.configurable(*args, denylist=blacklist, **kwargs)

    vars(shim).update(configurable=configurable, REQUIRED=gin.REQUIRED)
    sys.modules["gin.tf"], gin.tf, gin.configurable = shim, shim, configurable
    from disentanglement_lib.evaluation.metrics import utils

    gin.bind_parameter("discretizer.discretizer_fn", utils._histogram_discretize)
    gin.bind_parameter("discretizer.num_bins", 20)


def theirs(name: str, grid: Grid) -> Callable[[], Score]:
    """Their metric on the same numbers; codes and factors are transposed there."""
    from disentanglement_lib.evaluation.metrics import (
        beta_vae,
        dci,
        factor_vae,
        irs,
        mig,
        modularity_explicitness,
        sap_score,
        utils,
    )

    h, z = grid.codes.T, grid.levels.T
    train, test = split_rows(len(grid.codes), share=1 / 3, generator=generator())
    halves = (h[:, train], z[:, train], h[:, test], z[:, test])
    state = np.random.RandomState(0)

    def modularity() -> Score:
        information = utils.discrete_mutual_info(utils.make_discretizer(h), z)
        return {"score": modularity_explicitness.modularity(information)}

    def explicitness() -> Score:
        x, mean, size = utils.normalize_data(halves[0])
        x_test, _, _ = utils.normalize_data(halves[2], mean, size)
        areas = [
            modularity_explicitness.explicitness_per_factor(x, a, x_test, b)[1]
            for a, b in zip(halves[1], halves[3], strict=True)
        ]
        return {"score": float(np.mean(areas))}

    def robustness(quantile: float) -> Callable[[], Score]:
        found = irs.scalable_disentanglement_score
        return lambda: {"score": found(utils.make_discretizer(z).T, h.T, quantile)["avg_score"]}

    calls: dict[str, Callable[[], Score]] = {
        "dci": lambda: dci._compute_dci(*halves),
        "mig": lambda: mig._compute_mig(h, z),
        "modularity": modularity,
        "explicitness": explicitness,
        "sap": lambda: sap_score._compute_sap(*halves, False),
        "irs": robustness(1.0),
        "irs, quantile 0.99": robustness(0.99),
        "factor_vae": lambda: factor_vae.compute_factor_vae(
            grid, grid.represent, state, None, BATCH, POINTS, FRESH, len(grid.codes)
        ),
        "beta_vae": lambda: beta_vae.compute_beta_vae_sklearn(
            grid, grid.represent, state, None, BATCH, POINTS, FRESH
        ),
    }
    calls["mig, equal-width-20"] = calls["mig"]
    calls["irs, with chance"] = calls["irs"]
    calls["sap, linear"] = lambda: sap_score._compute_sap(h, z, h, z, True)  # holds no rows out
    return calls[name]


def public(name: str, grid: Grid) -> Callable[[], Any] | None:
    """Their public call, which also gathers the codes, 16 at a time as in their configurations."""
    from disentanglement_lib.evaluation.metrics import irs, mig, sap_score

    given, n = (grid, grid.represent, np.random.RandomState(0), None), len(grid.codes)
    calls: dict[str, Callable[[], Any]] = {
        "mig": lambda: mig.compute_mig(*given, n),
        "sap, linear": lambda: sap_score.compute_sap(*given, n, 16, 16, True),
        "irs": lambda: irs.compute_irs(*given, 1.0, n, 16),
        "irs, quantile 0.99": lambda: irs.compute_irs(*given, 0.99, n, 16),
    }
    calls["mig, equal-width-20"] = calls["mig"]
    return calls.get(name)


def ours(name: str, grid: Grid) -> Callable[[], Any]:
    """The same metric here."""
    data = (grid.codes, grid.levels)
    votes = {"batch": BATCH, "fresh": FRESH}
    calls: dict[str, Callable[[], Any]] = {
        "dci": lambda: classic.dci(*data, generator=generator()),
        "mig": lambda: classic.mig(*data),
        "mig, equal-width-20": lambda: classic.mig(*data, variant="equal-width-20"),
        "modularity": lambda: classic.modularity(*data),
        "explicitness": lambda: classic.explicitness(*data, generator=generator()),
        "sap": lambda: classic.sap(*data, generator=generator()),
        "sap, linear": lambda: classic.sap(*data, generator=generator(), variant="linear"),
        "irs": lambda: classic.irs(*data),
        "irs, with chance": lambda: classic.irs(*data, generator=generator()),
        "irs, quantile 0.99": lambda: classic.irs(*data, quantile=0.99),
        "factor_vae": lambda: classic.factor_vae(
            *data, generator=generator(), votes=POINTS, **votes
        ),
        "beta_vae": lambda: classic.beta_vae(*data, generator=generator(), points=POINTS, **votes),
    }
    return calls[name]


NAMES = (
    "dci",
    "mig",
    "mig, equal-width-20",
    "modularity",
    "explicitness",
    "sap",
    "sap, linear",
    "irs",
    "irs, with chance",
    "irs, quantile 0.99",
    "factor_vae",
    "beta_vae",
)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a call, the median of eleven where it is short, and its result."""
    seconds: list[float] = []
    while not seconds or (seconds[0] < SHORT and len(seconds) < REPEATS):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), result


def scores(result: Any) -> Score:
    """The numbers of a result that are single numbers."""
    found = (
        result if isinstance(result, dict) else {f: getattr(result, f) for f in result.__slots__}
    )
    return {f: float(v) for f, v in found.items() if isinstance(v, float)}


def measure(name: str, grid: Grid) -> dict[str, Any]:
    """Both sides, one after the other."""
    mine, my_result = timed(ours(name, grid))
    their, their_result = timed(theirs(name, grid))
    whole = public(name, grid)
    known = {"seconds_their_public_call": timed(whole)[0]} if whole else {}
    return {
        **known,
        "seconds": mine,
        "seconds_disentanglement_lib": their,
        "times_faster": their / mine,
        "scores": scores(my_result),
        "scores_disentanglement_lib": scores(their_result),
    }


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, help="folder that holds disentanglement_lib")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="METRIC")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load(arguments.library)
    path = RESULTS / "classic.json"
    known = json.loads(path.read_text())["metrics"] if path.exists() else {}
    grid = Grid()
    for name in arguments.only:
        known[name] = measure(name, grid)
        report = {
            "machine": machine(),
            "threads": 1,
            "versions": versions(),
            "metrics": {n: known[n] for n in NAMES if n in known},
        }
        write_json(path, report)
        (RESULTS / "classic.md").write_text(as_markdown(report))
        print(name, json.dumps(known[name]), flush=True)


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [
        f"{report['machine']}, one thread, torch {report['versions']['torch']}: 10,000 codes of "
        f"{CODES} dimensions, 6 factors; processor seconds, ours beside disentanglement_lib's "
        "arithmetic on the same arrays, and beside its public call, which gathers them first.",
        "",
        "| metric | ours, s | theirs, s | times faster | their public call, s | times faster "
        "| ours | theirs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in report["metrics"].items():
        mine, their = (
            ", ".join(f"{f.replace('_', ' ')} {v:.3f}" for f, v in row[key].items())
            for key in ("scores", "scores_disentanglement_lib")
        )
        whole = row.get("seconds_their_public_call")
        call = f"{whole:.3g} | {whole / row['seconds']:.1f}" if whole else "|"
        lines.append(
            f"| {name} | {row['seconds']:.3g} | {row['seconds_disentanglement_lib']:.3g} "
            f"| {row['times_faster']:.1f} | {call} | {mine} | {their} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
