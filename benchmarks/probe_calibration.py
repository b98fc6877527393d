"""How often do p-values of `score` call noise real?

Features and factors are drawn apart, so every rejection is wrong: by kind of factor, with whole
groups held out (values constant within groups, or varying in them as in crossed designs), with 40
objects of 20 views each, held out whole or split by sample, with items in groups, with many
samples whose values are rotated, and for five factors at once after Holm; for ten factors of which
five are real, the mean share of wrong ones among those found after Benjamini-Hochberg; how often
selectivity misses 0 for values that belong to objects and nothing else; how often independent
samples and objects are said to look repeated; and what share of real factors is found: of 60, of
five in a crossed design, of a value of objects.

    OMP_NUM_THREADS=1 python benchmarks/probe_calibration.py
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch

from identikit import Factors, score
from identikit.core.factors import Factor, Kind
from identikit.core.files import write_json
from identikit.probing.repeats import repeats
from identikit.probing.result import FactorScore
from identikit.runs.provenance import machine, versions
from identikit.statistics.permutation import Pairing, Permutations, Units

RESULTS = Path(__file__).parent / "results" / "probe_calibration.json"
N, DIM, SHUFFLES, LEVEL = 200, 4, 200, 0.05


def normal(n: int, k: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, k, generator=generator, dtype=torch.float64)


def of_kind(z: torch.Tensor, kind: Kind, name: str) -> Factor:
    """A factor of that kind from a normal column."""
    if kind is Kind.CIRCULAR:
        return Factor(name=name, kind=kind, values=z, period=5.0)
    if kind is Kind.BINARY:
        z = (z > 0.5).double()
    elif kind is not Kind.CONTINUOUS:
        z = z.round().clamp(-1, 1) + 1
    return Factor(name=name, kind=kind, values=z)


def alone(kind: Kind) -> Callable[[int], float]:
    def case(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        h, z = normal(N, DIM, generator), normal(N, 1, generator)[:, 0]
        (found,) = scores(h, [of_kind(z, kind, "f")], seed)
        return float(p(found) <= LEVEL)

    return case


def grouped(seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    groups = torch.arange(2 * N) // 10
    h, z = (normal(2 * N // 10, k, generator)[groups] for k in (DIM, 1))
    h = h + 0.1 * normal(2 * N, DIM, generator)
    (found,) = scores(h, [of_kind(z[:, 0], Kind.CONTINUOUS, "f")], seed, groups=groups)
    return float(p(found) <= LEVEL)


def crossed(seed: int) -> float:
    """Ten objects from twenty angles each: features know the object, not the angle."""
    generator = torch.Generator().manual_seed(seed)
    groups, angle = torch.arange(N) // 20, (torch.arange(N) % 20).double()
    h = 3 * normal(10, DIM, generator)[groups] + normal(N, DIM, generator)
    (found,) = scores(h, [of_kind(angle, Kind.CONTINUOUS, "f")], seed, groups=groups)
    return float(p(found) <= LEVEL)


def crossed_power(seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    groups = torch.arange(N) // 20
    z = torch.stack([(torch.arange(N) * step % 20).double() for step in (1, 3, 7, 9, 11)], dim=1)
    h = z @ normal(5, 8, generator) + 0.1 * normal(N, 8, generator)
    factors = [of_kind(z[:, j], Kind.CONTINUOUS, f"f{j}") for j in range(5)]
    found = scores(h, factors, seed, groups=groups)
    return sum((s.p_holm or 0.0) <= LEVEL for s in found) / 5


def sixty(seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    z = normal(2 * N, 60, generator)
    factors = [of_kind(z[:, j], Kind.CONTINUOUS, f"f{j}") for j in range(60)]
    found = scores(z + 0.1 * normal(2 * N, 60, generator), factors, seed)
    return sum((s.p_holm or 0.0) <= LEVEL for s in found) / 60


def objects(seed: int) -> FactorScore:
    """Features of 40 objects in 20 views, and values of the objects that have nothing to do."""
    generator = torch.Generator().manual_seed(seed)
    item = torch.arange(800) // 20
    h = normal(40, 16, generator)[item] + 0.3 * normal(800, 16, generator)
    factor = of_kind(normal(40, 1, generator)[item, 0], Kind.CONTINUOUS, "f")
    return score(h, Factors([factor]), items=item, resamples=SHUFFLES, seed=seed).factors[0]


def by_sample(*, real: bool) -> Callable[[int], float]:
    """The same with samples of each object on both sides: whether the verdict is a finding."""

    def case(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        item = torch.arange(800) // 20
        known = normal(40, 16, generator)
        h = known[item] + 0.3 * normal(800, 16, generator)
        z = known[item, :1] if real else normal(40, 1, generator)[item]
        factors = Factors([of_kind(z[:, 0], Kind.CONTINUOUS, "f")])
        mask = torch.rand(800, generator=generator) < 0.5
        given = {"resamples": SHUFFLES, "seed": seed, "items": item}
        split = score(h, factors, train_mask=mask, **given)
        if split.findings[0].verdict != "undecided":
            return 1.0
        return float(p(score(h, factors, **given).factors[0]) <= LEVEL) if real else 0.0

    return case


def nested(seed: int) -> float:
    """Twenty categories of five objects in four views: features know both, not the value."""
    generator = torch.Generator().manual_seed(seed)
    item = torch.arange(400) // 4
    h = (normal(100, DIM, generator) + normal(20, DIM, generator)[torch.arange(100) // 5])[item]
    h = h + 0.3 * normal(400, DIM, generator)
    factor = of_kind(normal(100, 1, generator)[item, 0], Kind.CONTINUOUS, "f")
    found = score(
        h, Factors([factor]), groups=item // 5, items=item, resamples=SHUFFLES, seed=seed
    ).factors[0]
    return float(p(found) <= LEVEL)


def rotated(kind: Kind) -> Callable[[int], float]:
    """Enough samples held out for rotations; of a binary factor one in twenty is positive."""

    def case(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        h, z = normal(450, DIM, generator), normal(450, 1, generator)[:, 0]
        if kind is Kind.BINARY:
            z = z - 1.15
        (found,) = scores(h, [of_kind(z, kind, "f")], seed)
        return float(p(found) <= LEVEL)

    return case


def said_to_be_repeated(*, objects: bool) -> Callable[[int], float]:
    """From ten yes or no and two numbers in steps alone: features are noise."""

    def case(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        own = torch.arange(800) // 20 if objects else torch.arange(800)
        n = int(own.max()) + 1
        z = torch.cat([normal(n, 10, generator) > 0, (2 * normal(n, 2, generator)).round()], dim=1)
        z = z[own][torch.randperm(800, generator=generator)]
        factors = [Factor(name=f"f{j}", kind=Kind.ORDINAL, values=z[:, j]) for j in range(12)]
        return float(bool(repeats(normal(800, 8, generator), Factors(factors))))

    return case


def found_in_objects(seed: int) -> float:
    return float(p(objects(seed)) <= LEVEL)


def selective(seed: int) -> float:
    selectivity = objects(seed).selectivity
    if selectivity is None:
        raise RuntimeError("score gave no selectivity")
    return float(not selectivity.low <= 0 <= selectivity.high)


def holm(seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    h, z = normal(N, DIM, generator), normal(N, 5, generator)
    found = scores(h, [of_kind(z[:, j], Kind.CONTINUOUS, f"f{j}") for j in range(5)], seed)
    return float(min(s.p_holm or 0.0 for s in found) <= LEVEL)


def false_discoveries(seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    h, z = normal(N, DIM, generator), normal(N, 10, generator)
    z[:, :5] += h[:, :1]
    found = scores(h, [of_kind(z[:, j], Kind.CONTINUOUS, f"f{j}") for j in range(10)], seed)
    called = [j for j, s in enumerate(found) if (s.p_fdr or 0.0) <= LEVEL]
    return sum(j >= 5 for j in called) / max(1, len(called))


def scores(
    h: torch.Tensor, factors: list[Factor], seed: int, groups: torch.Tensor | None = None
) -> tuple[FactorScore, ...]:
    return score(h, Factors(factors), groups=groups, resamples=SHUFFLES, seed=seed).factors


def p(found: FactorScore) -> float:
    if found.p_value is None:
        raise RuntimeError("score gave no p-value")
    return found.p_value


CASES: dict[str, Callable[[int], float]] = {
    **{str(kind): alone(kind) for kind in Kind},
    "continuous, groups of ten": grouped,
    "continuous, crossed with groups": crossed,
    "continuous, of 40 objects given as items": found_in_objects,
    "continuous, of the same, split by sample": by_sample(real=False),
    "continuous, of items in groups": nested,
    "continuous, 225 held out, rotated": rotated(Kind.CONTINUOUS),
    "binary of 5 %, 225 held out, rotated": rotated(Kind.BINARY),
    "selectivity of the same misses 0": selective,
    "independent samples said to be repeated": said_to_be_repeated(objects=False),
    "found: objects said to be repeated": said_to_be_repeated(objects=True),
    "found: a value of objects, by items held out whole": by_sample(real=True),
    "found: five crossed with groups, after Holm": crossed_power,
    "found: sixty, after Holm": sixty,
    "any of five, after Holm": holm,
    "share of wrong ones, after Benjamini-Hochberg": false_discoveries,
}


def tails() -> dict[str, dict[str, float]]:
    """Share of 10,000 unrelated pairs of score and factor with p at most so much."""
    found = {}
    for n in (51, 201):
        for name, of in (("continuous", torch.exp), ("binary of 5 %", lambda z: z > 1.645)):
            p: list[float] = []
            for seed in range(5):
                generator = torch.Generator().manual_seed(seed)
                u, v = (normal(2000, n, generator)[..., None] for _ in range(2))
                units = Units(torch.arange(n), torch.zeros(n, dtype=torch.bool))
                shuffles = Permutations(outer=units, shuffles=2000, seed=seed)
                pairs = [Pairing(u=a, v=of(b).double()) for a, b in zip(u.exp(), v, strict=True)]
                p += shuffles.p_values(pairs)[0]
            found[f"{name}, {n} held out"] = {
                str(a): sum(x <= a for x in p) / len(p) for a in (0.05, 0.01, 0.001)
            }
            print(name, n, found[f"{name}, {n} held out"], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", help="one row, or tails, of the results that are there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    only = options.only
    stored = {} if only is None else json.loads(options.out.read_text())
    rows, far = stored.get("rejected", {}), stored.get("tails", {})
    for name, case in CASES.items():
        if only in (None, name):
            rows[name] = sum(case(seed) for seed in range(options.cases)) / options.cases
            print(name, rows[name], flush=True)
    if only in (None, "tails"):
        far = tails()
    result = {
        "machine": machine(),
        "versions": versions(),
        "cases": options.cases,
        "samples": N,
        "held_out": N // 2,
        "shuffles": SHUFFLES,
        "level": LEVEL,
        "standard_error": math.sqrt(LEVEL * (1 - LEVEL) / options.cases),
        "rejected": rows,
        "tails": far,
    }
    write_json(options.out, result)


if __name__ == "__main__":
    main()
