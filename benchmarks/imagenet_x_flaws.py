"""What each flaw of the published ImageNet-X code does to the numbers, one at a time.

Features are made, so the truth is known; labels are the real annotations where it says so. Each
row is the corrected procedure beside the same with one flaw switched on. Features of a row are
standard normal, moved by `shift` along one direction where a target is there: the best linear probe
then gets Phi(shift / 2) of balanced images right.

    OMP_NUM_THREADS=1 python benchmarks/imagenet_x_flaws.py
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from identikit.core.files import write_json
from identikit.runs.provenance import machine, versions
from identikit.studies.paper.imagenet_x.linear_probes import Procedure, TargetProbe, probe_targets
from identikit.studies.paper.imagenet_x.published import published_probe_targets
from identikit.worlds.imagenet_x import ANIMAL, CLASS, FACTORS, ImageNetX, load_imagenet_x

RESULTS = Path(__file__).parent / "results"
SHIFT = 2.0
BEST = float(norm.cdf(SHIFT / 2))
"""Accuracy of the best linear probe."""
HEADER = ["flaw switched on", "measured on", "number", "truth", "corrected", "with the flaw"]
MENDED = Procedure(resamples=200)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One row of the table."""

    flaw: str
    measured_on: str
    quantity: str
    truth: float | str
    corrected: float | str
    flawed: float | str


def moved(
    present: Tensor, d: int, *, shift: float, seed: int, means: float = 0.0, spread: int = 1
) -> Tensor:
    """Normal features, moved along a direction over `spread` of them where the target is there."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(len(present), d, generator=generator)
    h[:, :spread] += shift / spread**0.5 * present[:, None]
    return h + means * torch.randn(d, generator=generator)


def one(h: Tensor, present: Tensor, procedure: Procedure = MENDED) -> TargetProbe:
    return probe_targets(h, {"target": present}, procedure=procedure)["target"]


def dropped_features(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    present = multi.targets()["pattern"]
    h = moved(present, 128, shift=SHIFT, seed=0, means=3.0, spread=128)
    for words, features in (
        ("signed features of any mean", h),
        ("features moved to be positive", h - h.min()),
    ):
        flawed = one(features, present, replace(MENDED, positive_mean_only=True))
        yield Effect(
            flaw="features with mean ≤ 0 dropped as dead",
            measured_on=f"{words}, “pattern” (multi), 128 dimensions",
            quantity="accuracy",
            truth=BEST,
            corrected=one(features, present).accuracy.value,
            flawed=flawed.accuracy.value,
        )


def one_factor_an_image(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    for name in ("pattern", "background", "multiple_objects"):
        there, named = multi.targets()[name], top.targets()[name]
        h = moved(there, 16, shift=SHIFT, seed=1)
        share = float((there & ~named).sum() / (~named).sum())
        yield Effect(
            flaw="annotation “top”: one factor per image",
            measured_on=f"features that know where “{name}” is; {100 * share:.0f} % of the images "
            "that “top” takes to lack it have it",
            quantity="accuracy",
            truth=BEST,
            corrected=one(h, there).accuracy.value,
            flawed=one(h, named).accuracy.value,
        )
    few = {
        words: sum(2 * round(0.3 * int(own.targets()[name].sum())) < 100 for name in FACTORS)
        for words, own in (("corrected", multi), ("flawed", top))
    }
    yield Effect(
        flaw="annotation “top”: one factor per image",
        measured_on="the annotations, whole set",
        quantity="factors of 16 with fewer than 100 test images",
        truth="",
        **few,
    )


def class_above_mean(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    targets = multi.targets()
    h = moved(targets[ANIMAL], 16, shift=SHIFT, seed=2)
    yield Effect(
        flaw="“class” is a class number above the mean",
        measured_on="features that know animals from other things (corrected: target “animal”)",
        quantity="accuracy",
        truth=BEST,
        corrected=one(h, targets[ANIMAL]).accuracy.value,
        flawed=one(h, targets[CLASS]).accuracy.value,
    )


def standardised_before(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    present = multi.targets()["brighter"]
    pairs = []
    for seed in range(20):
        h = moved(present, 512, shift=0.0, seed=seed)
        pairs.append(
            [
                one(h, present, replace(MENDED, seed=seed, standardise_on=where)).accuracy.value
                for where in ("training", "all")
            ]
        )
    corrected, flawed = np.mean(pairs, axis=0).tolist()
    yield Effect(
        flaw="standardised before the split",
        measured_on="noise, 512 dimensions, “brighter” (multi), mean of 20 data sets",
        quantity="accuracy",
        truth=0.5,
        corrected=corrected,
        flawed=flawed,
    )


def one_penalty(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    for name, d in (("style", 1024), ("style", 64), ("color", 1024)):
        present = multi.targets()[name]
        h = moved(present, d, shift=SHIFT, seed=3)
        yield Effect(
            flaw="C = 1 for every width and number of images",
            measured_on=f"“{name}” (multi), {d} dimensions",
            quantity="accuracy",
            truth=BEST,
            corrected=one(h, present).accuracy.value,
            flawed=one(h, present, replace(MENDED, penalty="one")).accuracy.value,
        )


def splits_taken_for_samples(data_sets: int) -> Iterator[Effect]:
    """400 images, 20 dimensions, `data_sets` times: noise, then signal."""
    present = torch.arange(400) < 200
    for shift in (0.0, 1.0):
        found = [
            one(
                moved(present, 20, shift=shift, seed=1000 + seed),
                present,
                replace(MENDED, seed=seed),
            )
            for seed in range(data_sets)
        ]
        accuracy = np.array([[s[0] for s in own.scores] for own in found])
        truth = 0.5 if shift == 0 else float(accuracy.mean())
        where = f"{'noise' if shift == 0 else 'signal'}, 400 images, {data_sets} data sets"
        error = accuracy.std(axis=1) / accuracy.shape[1] ** 0.5
        plain = np.abs(accuracy.mean(axis=1) - truth) <= 1.96 * error
        intervals = [own.accuracy.low <= truth <= own.accuracy.high for own in found]
        images_alone = [
            _shrunk(own.accuracy.low, own) <= truth <= _shrunk(own.accuracy.high, own)
            for own in found
        ]
        for source, held in (
            ("the standard error over re-splits", plain),
            ("resampled test images alone, the fits as they are", images_alone),
        ):
            yield Effect(
                flaw=f"interval from {source}",
                measured_on=where,
                quantity="share of 95 % intervals that hold the truth",
                truth=0.95,
                corrected=float(np.mean(intervals)),
                flawed=float(np.mean(held)),
            )
        if shift == 0:
            yield Effect(
                flaw="t-test that takes re-splits for independent",
                measured_on=where,
                quantity="share of data sets called above or below chance at 0.05",
                truth=0.05,
                corrected=float(np.mean([own.p_value < 0.05 for own in found])),
                flawed=float(np.mean([own.p_plain < 0.05 for own in found])),
            )


def _shrunk(end: float, own: TargetProbe) -> float:
    """An end of the interval before it was stretched."""
    return own.accuracy.value + (end - own.accuracy.value) / own.stretched[0]


def few_test_images(data_sets: int) -> Iterator[Effect]:
    """A split's accuracy with 24 test images (40 that show a factor) beside 100 and more."""
    spread = {}
    for count in (40, 170):
        present = torch.arange(2000) < count
        spread[count] = float(
            np.std(
                [
                    one(moved(present, 20, shift=1.0, seed=5000 + seed), present).accuracy.value
                    for seed in range(data_sets)
                ]
            )
        )
    yield Effect(
        flaw="factors with 24 test images are drawn like the others",
        measured_on=f"40 images that show a factor (corrected: 170), {data_sets} data sets",
        quantity="standard deviation of the mean accuracy",
        truth=0.0,
        corrected=spread[170],
        flawed=spread[40],
    )


def scores_of_ties(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    """A dead unit that answers to one image in a thousand, and nothing else."""
    present = multi.targets()["style"]
    h = (torch.rand(len(present), 1, generator=torch.Generator().manual_seed(6)) < 1e-3).float()
    flawed = published_probe_targets(h, {"style": present}, procedure=MENDED)["style"]
    corrected = one(h, present)
    where = "one unit that answers to an image in a thousand, “style” (multi)"
    yield Effect(
        flaw="Pearson's r of 0 and 1",
        measured_on=where,
        quantity="correlations of 10 that are not defined",
        truth=0.0,
        corrected=float(sum(not np.isfinite(s[1]) for s in corrected.scores)),
        flawed=float(sum(s[1] is None for s in flawed.scores)),
    )
    yield Effect(
        flaw="area under straight lines between points of the precision-recall curve",
        measured_on=where,
        quantity="PR AUC",
        truth=0.5,
        corrected=corrected.estimates[6].value,
        flawed=float(np.mean([s[6] for s in flawed.scores])),
    )


def unseeded_projection(multi: ImageNetX, top: ImageNetX) -> Iterator[Effect]:
    """Pixels that know a factor along one direction of 3,072, and eight projections of them."""
    present = multi.targets()["style"]
    pixels = moved(present, 3072, shift=3.0, seed=7)
    generator = torch.Generator().manual_seed(8)
    found = [
        one(pixels @ torch.randn(3072, 256, generator=generator) / 3072**0.5, present)
        for _ in range(8)
    ]
    values = [own.accuracy.value for own in found]
    yield Effect(
        flaw="“input” is a random projection without a seed",
        measured_on="3,072 pixels that know “style” (multi); flawed: 8 projections to 256",
        quantity="accuracy, for projections least to most",
        truth=float(norm.cdf(1.5)),
        corrected=one(pixels, present).accuracy.value,
        flawed=f"{min(values):.3f} to {max(values):.3f}",
    )


ON_ANNOTATIONS: tuple[Callable[[ImageNetX, ImageNetX], Iterator[Effect]], ...] = (
    dropped_features,
    one_factor_an_image,
    class_above_mean,
    standardised_before,
    one_penalty,
    scores_of_ties,
    unseeded_projection,
)


def effects_of_all(data_sets: int) -> Iterator[Effect]:
    yield from splits_taken_for_samples(data_sets)
    yield from few_test_images(data_sets)
    multi, top = load_imagenet_x("multi"), load_imagenet_x("top")
    for effects in ON_ANNOTATIONS:
        yield from effects(multi, top)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS / "imagenet_x_flaws")
    options = parser.parse_args()
    torch.set_num_threads(1)
    effects = []
    for effect in effects_of_all(options.data_sets):
        print(effect, flush=True)
        effects.append(effect)
    rows = [HEADER, ["---"] * len(HEADER)]
    rows += [[v if isinstance(v, str) else f"{v:.3g}" for v in asdict(e).values()] for e in effects]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    options.out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    write_json(
        options.out.with_suffix(".json"),
        {"machine": machine(), "versions": versions(), "effects": [asdict(e) for e in effects]},
    )


if __name__ == "__main__":
    main()
