"""Ridge probes of many factors over a grid of penalties, against scikit-learn.

Every factor's best penalty by K-fold cross-validation, from one pass over the features, beside
the bare product X'X in float64 (the least that exact normal equations need), and beside what
people write: `RidgeCV(alphas, cv=K)` (a `GridSearchCV` over `Ridge`, one choice for all factors).
Its fits cost the same for every penalty, so `--their-penalties` of them are timed and scaled.
With `--streamed ROWS`, also the same statistics from a float16 file on disk: throughput, that of
reading the file (out of the system's cache before each of the two), and peak memory. Seconds are
of processor time on one thread.

    OMP_NUM_THREADS=1 python benchmarks/probe_linear.py
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold

from identikit.core.files import write_json
from identikit.probing import linear
from identikit.probing.moments import FoldMoments, PartMoments
from identikit.runs.provenance import machine, versions
from identikit.statistics.split import Split
from memory import peak_mib

RESULTS = Path(__file__).parent / "results" / "probe_linear.json"
FOLDS = 5
BLOCK = 8192  # rows


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def data(n: int, d: int, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Correlated features and factors that they hold to different degrees."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(0, -1.5, d)
    h = torch.randn(n, d, generator=generator) * scale + 0.5
    z = h @ torch.randn(d, k, generator=generator) / d**0.5
    return h, (z + torch.randn(n, k, generator=generator)).double()


def splits(n: int) -> list[Split]:
    parts = KFold(FOLDS, shuffle=True, random_state=0).split(np.empty((n, 1)))
    return [Split(train=torch.as_tensor(a), test=torch.as_tensor(b)) for a, b in parts]


def ours(h: torch.Tensor, z: torch.Tensor, alphas: torch.Tensor) -> dict[str, Any]:
    """Seconds of the pass over the data and of everything after it; the choices."""
    everyone = torch.arange(len(h))
    folds = [*splits(len(h)), Split(train=everyone, test=everyone[:0])]
    gathering, statistics = timed(lambda: FoldMoments.of(h, z, splits=folds))

    def solve() -> tuple[torch.Tensor, torch.Tensor]:
        _, errors = linear.cross_validated(statistics.pairs(range(FOLDS)), penalties=alphas)
        maps, _ = linear.ridge(statistics.train(FOLDS), penalties=alphas)
        return errors / len(h), maps

    solving, (errors, maps) = timed(solve)
    return {"gathering_s": gathering, "solving_s": solving, "errors": errors, "maps": maps}


def theirs(
    h: torch.Tensor, z: torch.Tensor, alphas: list[float], dtype: type
) -> tuple[float, list[float]]:
    """Seconds of a grid search, and its errors (mean over folds and factors)."""
    x, y = h.numpy().astype(dtype), z.numpy().astype(dtype)
    search = GridSearchCV(
        Ridge(),
        {"alpha": alphas},
        cv=KFold(FOLDS, shuffle=True, random_state=0),
        scoring="neg_mean_squared_error",
        refit=False,
    )
    seconds, _ = timed(lambda: search.fit(x, y))
    return seconds, (-search.cv_results_["mean_test_score"]).tolist()


def bare_product(h: torch.Tensor) -> float:
    """Seconds of X'X in float64, in the blocks that fit into memory."""
    total = torch.zeros(h.shape[1], h.shape[1], dtype=torch.float64)
    seconds = 0.0
    for rows in torch.split(h, BLOCK):
        block = rows.double()
        seconds += timed(lambda block=block: total.addmm_(block.T, block))[0]
    return seconds


def compare(options: argparse.Namespace) -> dict[str, Any]:
    h, z = data(options.rows, options.columns, options.factors)
    alphas = torch.logspace(-1, 5, options.penalties, dtype=torch.float64)
    mine = ours(h, z, alphas)
    whole = mine["gathering_s"] + mine["solving_s"]
    product = bare_product(h)
    some = alphas[:: max(1, options.penalties // options.their_penalties)][
        : options.their_penalties
    ]
    report: dict[str, Any] = {
        "rows": options.rows,
        "columns": options.columns,
        "factors": options.factors,
        "penalties": options.penalties,
        "folds": FOLDS,
        "ours_s": whole,
        "of_which_gathering_s": mine["gathering_s"],
        "bare_product_s": product,
        "ours_over_bare_product": whole / product,
    }
    for dtype in (np.float32, np.float64):
        seconds, errors = theirs(h, z, some.tolist(), dtype)
        full = seconds * options.penalties / len(some)
        own = mine["errors"].mean(dim=1)[torch.isin(alphas, some)]
        off = (own - own.new_tensor(errors)).abs() / own
        report[f"scikit_learn_{np.dtype(dtype).name}"] = {
            "timed_penalties": len(some),
            "timed_s": seconds,
            "all_penalties_s": full,
            "times_ours": full / whole,
            "largest_relative_difference_of_errors": off.max().item(),
        }
    return report


def streamed(rows: int, columns: int, factors: int, folder: Path) -> dict[str, float]:
    """In a process of its own, so that nothing else counts as memory."""
    path = folder / "h.f16"
    block = np.random.default_rng(0).normal(size=(BLOCK, columns)).astype(np.float16)
    with path.open("wb") as file:
        for start in range(0, rows, BLOCK):
            np.roll(block, start // BLOCK, axis=1)[: rows - start].tofile(file)
    command = [sys.executable, __file__, "--reads", str(path), "--columns", str(columns)]
    command += ["--factors", str(factors)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def read(path: Path, columns: int, factors: int) -> dict[str, float]:
    """Throughput of the statistics of five folds, and of reading the file alone."""
    before = peak_mib()
    release(path)
    rows, reading = 0, time.perf_counter()
    for block in blocks(path, columns):
        rows += len(block)
    reading = time.perf_counter() - reading
    sample = torch.from_numpy(next(blocks(path, columns))).float()
    product = bare_product(sample) / len(sample)
    moments = PartMoments.empty(parts=FOLDS, d=columns, k=factors)
    generator = torch.Generator().manual_seed(0)
    release(path)
    wall, seconds = time.perf_counter(), time.process_time()
    for block in blocks(path, columns):
        z = torch.randn(len(block), factors, generator=generator)
        part = torch.randint(FOLDS, (len(block),), generator=generator)
        moments.add(torch.from_numpy(block), z, part=part)
    wall, seconds = time.perf_counter() - wall, time.process_time() - seconds
    return {
        "rows": rows,
        "columns": columns,
        "gib": path.stat().st_size / 2**30,
        "cpu_s": seconds,
        "wall_s": wall,
        "rows_per_second": rows / wall,
        "reading_alone_rows_per_second": rows / reading,
        "bare_product_rows_per_cpu_second": 1 / product,
        "times_bare_product": seconds / (rows * product),
        "peak_mib_before": before,
        "peak_mib": peak_mib(),
    }


def release(path: Path) -> None:
    """Take the file out of the system's cache, so that it is read from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def blocks(path: Path, columns: int) -> Iterator[np.ndarray]:
    """The file's rows, so many at a time."""
    with path.open("rb") as file:
        while len(found := np.fromfile(file, np.float16, BLOCK * columns)):
            yield found.reshape(-1, columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--factors", type=int, default=16)
    parser.add_argument("--penalties", type=int, default=20)
    parser.add_argument("--their-penalties", type=int, default=1)
    parser.add_argument("--streamed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--reads", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.reads:
        print(json.dumps(read(options.reads, options.columns, options.factors)))
        return
    report = {"machine": machine(), "threads": 1, "versions": versions(), **compare(options)}
    if options.streamed:
        with tempfile.TemporaryDirectory() as folder:
            report["streamed_float16"] = streamed(
                options.streamed, options.columns, options.factors, Path(folder)
            )
    write_json(options.out, report)
    print(options.out.read_text())


if __name__ == "__main__":
    main()
