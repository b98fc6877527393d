"""The page of an ImageNet-X run: what theory promises of each factor, and what is there."""

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from identikit.core.estimate import Spread, format_number
from identikit.report.figures import BarSeries, Figure, grouped_bars
from identikit.report.page import Page, Section, Table
from identikit.report.style import CONTROL, CURVES
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.paper.imagenet_x.linear_probes import ENOUGH, SCORES
from identikit.studies.paper.imagenet_x.result import (
    ImageNetXResult,
    Represented,
    Role,
    accuracy,
    words_for,
)
from identikit.worlds.imagenet_x import LICENCE

SHOWN: tuple[Role, ...] = ("trained", "untrained", "pixels", "projection")
"""Roles in the figure."""


def imagenet_x_page(run: Run, result: ImageNetXResult) -> Page:
    """The page of a saved `identikit reproduce imagenet-x` run."""
    return Page(
        title="What networks know of how ImageNet's images vary",
        subtitle=f"ImageNet-X, {result.images:,} images ({_percent(result.share)} of those "
        f"annotated), {len(result.targets)} targets, annotation "
        f"“{run.config['annotation']}”",
        headline=result.headline,
        findings=result.findings,
        sections=(
            _figure_section(result),
            *_coverage_section(result),
            _score_section(result),
            _published_section(result),
            _image_section(result, images=run.config["images"]),
        ),
        provenance=provenance(run),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _figure_section(result: ImageNetXResult) -> Section:
    return Section(
        heading="Each factor",
        lead="Accuracy of logistic regression on images that it was not fitted to, mean over "
        f"{len(result.first.corrected[result.targets[0]].scores)} splits; both levels of a "
        "target are equally frequent, so that guessing gets half of them right.",
        figures=(_figure(result),),
        notes=(
            "Marks of “the class alone” are linear probes from the true class and nothing else. "
            "A network that names the class must know as much; what is above is not promised.",
            "Intervals resample images, and are stretched to those of the corrected resampled "
            "t-test where these are wider, since other images would also have been fitted to.",
            *(
                [
                    f"† fewer than {ENOUGH} test images in a split: "
                    f"{', '.join(map(words_for, _few(result)))}. No conclusion is drawn from them."
                ]
                if _few(result)
                else []
            ),
            *(
                [f"Left out, shown or lacked by too few images: {', '.join(result.left_out)}."]
                if result.left_out
                else []
            ),
        ),
    )


def _few(result: ImageNetXResult) -> list[str]:
    first = result.first
    return [target for target in result.targets if not first.corrected[target].enough]


def _figure(result: ImageNetXResult) -> Figure:
    order = sorted(result.targets, key=lambda t: -result.first.corrected[t].accuracy.value)
    models = list(dict.fromkeys(each.model for each in result.all_of("trained", "untrained")))
    colours = dict(zip(models, CURVES * len(models), strict=False))
    known = result.of("class")
    few = _few(result)
    drawn = grouped_bars(
        [words_for(target) + (" †" if target in few else "") for target in order],
        [
            BarSeries(
                label=each.name,
                values=tuple(accuracy(each, target) for target in order),
                colour=colours.get(each.model, CONTROL),
                filled=each.role in ("trained", "pixels"),
            )
            for each in result.all_of(*SHOWN)
        ],
        score="Accuracy",
        chance=0.5,
        predicted=None
        if known is None
        else [known.corrected[target].accuracy.value for target in order],
        predicted_label="the class alone",
    )
    return replace(drawn, name="factors", title="Each factor, by representation")


def _coverage_section(result: ImageNetXResult) -> Iterable[Section]:
    covered = result.all_of("head row space")
    if not covered:
        return
    columns: dict[str, list[object]] = {"target": [words_for(target) for target in result.targets]}
    for each in result.all_of("trained", "head row space", "complement", "class"):
        columns[f"{each.name} ({each.dim})"] = [accuracy(each, t) for t in result.targets]
    frame = pd.DataFrame(columns)
    yield Section(
        heading="Inside and outside what the head reads",
        lead="Theory speaks of the directions of h that the head tells apart, and of these only "
        "that they reveal the class. What can be read from the rest, or beyond what the class "
        "gives away, is inductive bias.",
        tables=(Table(caption="Accuracy inside and outside the head's row space", frame=frame),),
        notes=tuple(
            f"{each.model}: the head reads {each.dim} dimensions"
            + (
                "; the complement has none."
                if result.of("complement", each.model) is None
                else f" of {each.dim + _dim(result.of('complement', each.model))}."
            )
            for each in covered
        ),
    )


def _dim(each: Represented | None) -> int:
    return 0 if each is None else each.dim


def _score_section(result: ImageNetXResult) -> Section:
    return Section(
        heading="Every score",
        lead="Means over the splits with 95 % intervals over images. p is that of accuracy above "
        "one half (one-sided t-test, corrected for splits that share images), and Holm's for all "
        "tests of this page together.",
        tables=tuple(_table(result, each) for each in result.represented),
        notes=(
            "A classifier that names one level only has correlation and precision 0.",
            f"† fewer than {ENOUGH} test images in a split.",
            *(
                f"{each.name}: the fit did not converge for {', '.join(stopped)}."
                for each in result.represented
                if (stopped := [t for t, r in each.corrected.items() if not r.converged])
            ),
        ),
    )


def _table(result: ImageNetXResult, each: Represented) -> Table:
    rows = [
        {
            "target": words_for(target),
            **dict(zip(SCORES, own.estimates, strict=True)),
            "p": own.p_value,
            "p (Holm)": result.corrected[each.name, target],
            "test images": own.n_test,
            "": "" if own.enough else "†",
        }
        for target, own in each.corrected.items()
    ]
    return Table(caption=f"{each.name}, {each.dim} dimensions", frame=pd.DataFrame(rows))


def _published_section(result: ImageNetXResult) -> Section:
    shown = [each for each in result.represented if each.published]
    targets = dict.fromkeys(target for each in shown for target in each.published)
    rows = []
    for target in targets:
        row: dict[str, object] = {"target": words_for(target)}
        for each in shown:
            own = each.published.get(target)
            row[each.name] = None if own is None else _published(result, each, target)
            row[f"{each.name}, corrected"] = accuracy(each, target)
        n_test = [each.published[target].n_test for each in shown if target in each.published]
        rows.append(row | {"test images": n_test[0]})
    dropped = [
        f"{each.name} {max(own.dropped for own in each.published.values()):,} of {each.dim:,}"
        for each in shown
    ]
    stopped = [
        f"{each.name} {sum(own.unconverged for own in each.published.values())}" for each in shown
    ]
    undefined = sum(
        scores[1] is None
        for each in shown
        for own in each.published.values()
        for scores in own.scores
    )
    return Section(
        heading="The paper's procedure, as published",
        lead="The same features by the paper's own code's steps: one factor per image (“top”), "
        "features with a mean not above 0 dropped, standardised on all images, one penalty for "
        "all, mean ± standard error over splits, and a star where a t-test that takes "
        f"the splits for independent is below {format_number(result.bonferroni)} (Bonferroni).",
        tables=(Table(caption="Accuracy as published and corrected", frame=pd.DataFrame(rows)),),
        notes=(
            f"Features dropped: {', '.join(dropped)}.",
            f"Fits that ran out of iterations: {', '.join(stopped)}.",
            f"Correlations that are not defined: {undefined}.",
            "The paper's fifth representation, “input”, is a random projection of the pixels; "
            "here its seed is known.",
        ),
    )


def _published(result: ImageNetXResult, each: Represented, target: str) -> str:
    own = each.published[target]
    spread = Spread(own.accuracy, own.standard_error, 2)
    return f"{spread}{' *' if own.p_value < result.bonferroni else ''}"


def _image_section(result: ImageNetXResult, *, images: str) -> Section:
    positives = pd.DataFrame(
        {
            "target": [words_for(target) for target in result.positives],
            "images that show it": list(result.positives.values()),
            "share": [count / result.images for count in result.positives.values()],
        }
    )
    notes = [
        f"The annotations are those of the package imagenet-x, under {LICENCE}: for "
        "non-commercial use.",
        "“class” is the paper's target, a class number above the mean number; no property of an "
        "image is behind it. “animal” is one that there is.",
    ]
    if result.share < 1:
        notes.insert(
            0,
            f"Part of the set: {result.images:,} of {result.annotated:,} annotated images "
            f"({_percent(result.share)}). Numbers are not those of the whole.",
        )
    if result.damaged:
        names = ", ".join(result.damaged[:5]) + (", ..." if len(result.damaged) > 5 else "")
        notes.insert(0, f"{len(result.damaged):,} files could not be read: {names}.")
    return Section(
        heading="The images",
        lead=f"{result.images:,} validation images of ImageNet from {images}.",
        tables=(Table(caption="How often each target is there", frame=positives),),
        notes=tuple(notes),
    )
