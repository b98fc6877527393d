"""The page of a probe of layers: a curve for each factor, what is best read where, every number."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from identikit.core.finding import overall
from identikit.probing.recovery import Recovery
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance
from identikit.studies.probe.layers_result import LayersProbeResult


def layers_page(run: Run, result: LayersProbeResult) -> Page:
    """The page of a saved `identikit probe` run of several layers."""
    layers = result.recovery.layers
    first = next(iter(layers.values()))
    return Page(
        title="What is linearly in these layers",
        subtitle=f"{len(layers)} layers, {first.n_train + first.n_test:,} samples",
        headline=result.headline,
        findings=overall(result.findings),
        sections=(_curves(result), _every_layer(layers), _what_was_read(result)),
        provenance=provenance(run),
    )


def _curves(result: LayersProbeResult) -> Section:
    return Section(
        heading="Layer by layer",
        lead="Every layer and every control is read on the same samples: fitted on one part, "
        "scored on the other. The largest of many scores is too large by what chance gave it, so "
        "the layer named for a factor is the one that cross-validation inside the training part "
        "prefers, and its score above is that of held-out samples, which had no say in it.",
        figures=(result.recovery.plot(),),
        notes=(
            "Each band is that of its layer alone; neighbouring layers go up and down together.",
        ),
    )


def _every_layer(layers: Mapping[str, Recovery]) -> Section:
    names = list(dict.fromkeys(name for recovery in layers.values() for name in recovery.controls))
    tests = sum(len(recovery.factors) for recovery in layers.values())
    return Section(
        heading="Every layer",
        lead=f"p is corrected by Holm over all {tests} factors and layers together: if all below "
        "0.05 are taken for real, the chance that any is not is at most 0.05.",
        tables=(
            Table(caption="Score of each factor in each layer", frame=_scores(layers)),
            *(
                Table(caption=f"The same of {name}", frame=_scores(layers, control=name))
                for name in names
            ),
            Table(caption="Every layer and factor", frame=_everything(layers, names)),
        ),
        notes=_cautions(layers),
    )


def _scores(layers: Mapping[str, Recovery], *, control: str | None = None) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for layer, recovery in layers.items():
        scores = recovery.factors if control is None else recovery.controls.get(control, ())
        named = {f"{score.name} ({score.measure})": score.estimate for score in scores}
        rows.append({"layer": layer} | named)
    return pd.DataFrame(rows, dtype=object)


def _everything(layers: Mapping[str, Recovery], controls: list[str]) -> pd.DataFrame:
    rows = [
        {
            "layer": layer,
            "factor": finding.quantity,
            "score": score.estimate,
            "chance": score.chance,
            **{f"above {name}": score.above.get(name) for name in controls},
            "p (Holm)": score.p_holm,
            "verdict": str(finding.verdict),
        }
        for layer, recovery in layers.items()
        for score, finding in zip(recovery.factors, recovery.findings, strict=True)
    ]
    return pd.DataFrame(rows, dtype=object)


def _cautions(layers: Mapping[str, Recovery]) -> tuple[str, ...]:
    """What any layer's numbers need care for, with the layers."""
    said: dict[str, list[str]] = {}
    for layer, recovery in layers.items():
        words = [recovery.status, *(f"{s.name}: {s.status}" for s in recovery.factors)]
        for status in words:
            if status.rpartition(": ")[2] != "ok":
                said.setdefault(status, []).append(layer)
    return tuple(
        f"{status} ({'all layers' if len(names) == len(layers) else ', '.join(names)})."
        for status, names in said.items()
    )


def _what_was_read(result: LayersProbeResult) -> Section:
    layers = result.recovery.layers
    first = next(iter(layers.values()))
    frame = pd.DataFrame(
        {
            "factor": list(result.kinds),
            "kind": list(result.kinds.values()),
            "scored by": [score.measure for score in first.factors],
        }
    )
    sizes = pd.DataFrame(
        {
            "layer": list(layers),
            "dimensions": [recovery.dim for recovery in layers.values()],
            "of them that vary": [recovery.rank for recovery in layers.values()],
        }
    )
    return Section(
        heading="What was read",
        lead=f"Fitted on {first.n_train:,} samples and scored on {first.n_test:,}, the same in "
        "every layer. Where a kind was inferred and is wrong, give it: --kinds NAME=KIND, such as "
        "azimuth=circular:360.",
        tables=(
            Table(caption="Factors and their kinds", frame=frame),
            Table(caption="Layers", frame=sizes),
        ),
        notes=result.notes,
    )
