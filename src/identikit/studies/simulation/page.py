"""The page of a simulation: what theory predicted, what was recovered, and why they differ."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from identikit.core.estimate import Scores, format_number
from identikit.probing.recovery import Recovery
from identikit.probing.result import MapScores
from identikit.report.figures import (
    Figure,
    head_scatter,
    latents_scatter,
    latents_sphere,
    training_curves,
)
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.pages import provenance, recovery_bars
from identikit.theory.explain import CLOSE, Cause
from identikit.worlds.config import OFF_THE_SPHERE

GENERATORS = {
    "identity": "x = z",
    "orthogonal-mlp": "an orthogonal generator",
    "sprites": "rendered sprites",
    "rooms": "rendered rooms",
}
"""In words, but for the paper's own."""


def simulation_page(run: Run) -> Page:
    """The page of a saved `identikit simulate` run."""
    result, arrays, world = run.result, run.arrays(), run.config["world"]
    recovery = Recovery.from_dict(result["recovery"])
    names = [score.name for score in recovery.factors]
    objective, oracle = run.config["objective"], run.config["objective"] == "oracle"
    words = {"diet": "DIET", "oracle": "told the latents"}.get(objective, objective)
    return Page(
        title="What "
        + ("an oracle" if oracle else "cross-entropy")
        + " recovered of a simulated world",
        subtitle=f"{words}, {world['dim']} latents on {_sphere(world)}, {world['classes']} "
        f"classes, {_conditional(world)}{_violations(world)}; seed {run.config['seed']}, "
        f"{result['steps']:,} steps",
        verdict=_verdict(result),
        verdict_tone=_tone(result),
        rows=_rows(result, recovery, classes=world["classes"]),
        sections=(
            Section(
                heading="The factors",
                lead="Each point is a sample that fitted nothing: its true latents against what "
                "an affine map reads out of the representation.",
                figures=_latent_figures(arrays, names),
            ),
            _training_section(result),
            Section(
                heading="Each factor with its controls",
                lead="What needs no learning stands beside what was learned.",
                figures=(recovery_bars(recovery, measure="R²"),),
            ),
            *_head_section(arrays, result, names),
            _assumption_section(result["prediction"]["assumptions"]),
            _score_section(recovery),
        ),
        provenance=provenance(run),
    )


def _training_section(result: dict[str, Any]) -> Section:
    history, lead = pd.DataFrame(result["history"]), "Recovery against its ceiling"
    if result["excess_loss"] is None:
        history, lead = history.drop(columns="loss"), f"{lead}."
    else:
        lead += (
            ", and the loss against the loss of the true posterior: how far the run is from the "
            "best that any network could do."
        )
    curves = training_curves(history, ceiling=result["ceiling_r2"])
    notes = () if result["label_statement"] is None else (result["label_statement"],)
    return Section(heading="Training", lead=lead, figures=(curves,), notes=notes)


def _violations(world: dict[str, Any]) -> str:
    """What sets this world apart from the paper's, in a few words each."""
    words = []
    if world["conditional"] == "gaussian" and world["covariance"] == "per-class":
        words.append("a covariance per class")
    if world["components"] > 1:
        words.append(f"{world['components']} clusters per class")
    if world["swapped_share"]:
        words.append(f"{world['swapped_share']:.0%} of labels swapped")
    if world["label_exponent"]:
        words.append(f"Zipf labels of exponent {world['label_exponent']:g}")
    if world["clusters"] != "uniform":
        words.append(f"{world['clusters']} clusters")
    if world["generator"] != "mlp":
        words.append(GENERATORS[world["generator"]])
    return "".join(f", {word}" for word in words)


def _sphere(world: dict[str, Any]) -> str:
    spherical = world["conditional"] not in OFF_THE_SPHERE
    return "the sphere" if spherical else f"R^{world['dim']}"


def _conditional(world: dict[str, Any]) -> str:
    name, kind = world["conditional"], world["conditional"]
    if name == "vmf":
        return f"von Mises-Fisher of concentration {world['kappa']:g}"
    if name in ("normal", "laplace", "generalized-normal"):
        kind = f"projected {name.replace('generalized', 'generalised')}"
    return f"{kind} of scale {world['scale']:g}"


def _verdict(result: dict[str, Any]) -> str:
    """The explanation, with the two numbers in front where it does not give them itself."""
    if result["cause"] in (Cause.NONE, Cause.WORLD):
        return str(result["explanation"])
    got, most = (format_number(result[key]) for key in ("r2_latents", "ceiling_r2"))
    return f"R² {got} was recovered, {most} was predicted. {result['explanation']}"


def _tone(result: dict[str, Any]) -> Any:
    if result["r2_latents"] >= result["ceiling_r2"] - CLOSE:
        return "good"
    return "bad" if result["r2_latents"] < 0.5 * result["ceiling_r2"] else "warning"


def _rows(result: dict[str, Any], recovery: Recovery, *, classes: int) -> tuple[ComparisonRow, ...]:
    latents, head = recovery.latents, recovery.head
    assert latents is not None
    prediction = result["prediction"]
    rows = [
        ComparisonRow(
            quantity="Latents from h (affine R²)",
            predicted=result["ceiling_r2"],
            recovered=latents.affine.mean,
            explained=result["explanation"],
        ),
        *(() if result["excess_loss"] is None else _loss_rows(result, recovery, classes=classes)),
        ComparisonRow(
            quantity="Latents from x itself (affine R²)",
            predicted=None,
            recovered=result["identity_r2"],
            explained="Needs no learning: what an affine map finds in the observations.",
        ),
    ]
    if head is not None and result["r2_head"] is not None:
        rows.insert(
            1,
            ComparisonRow(
                quantity="Cluster vectors from head rows (affine R²)",
                predicted=prediction["ceiling"]["r2_head"],
                recovered=head.affine.mean,
                explained="Scored on classes that did not fit the map"
                + (
                    "."
                    if result["n_labels"] == head.n_train + head.n_test
                    else ": rows of one class are copies of one vector."
                ),
            ),
        )
    if result["normalized"]:
        rows.insert(
            1,
            ComparisonRow(
                quantity="Latents from h by a scaled rotation (Procrustes R²)",
                predicted=prediction["ceiling"]["procrustes_r2"],
                recovered=latents.procrustes.mean,
                explained="With unit-norm features and rows theory leaves only a rotation, "
                "where its assumptions hold.",
            ),
        )
    return tuple(rows)


def _loss_rows(
    result: dict[str, Any], recovery: Recovery, *, classes: int
) -> tuple[ComparisonRow, ComparisonRow]:
    bayes, dims = result["bayes_loss"], min(recovery.dim, classes - 1)
    floor = round(result["prediction"]["ceiling"]["excess"], 6)
    return (
        ComparisonRow(
            quantity="Loss (nats)",
            predicted=bayes,
            recovered=bayes + result["excess_loss"],
            explained=f"The Bayes loss is what the true posterior costs; the run is "
            f"{format_number(result['excess_loss'])} above it"
            + (f", {format_number(floor)} of which no h of this width avoids." if floor else "."),
        ),
        ComparisonRow(
            quantity="Dimensions of h that theory covers",
            predicted=dims,
            recovered=result["covered_rank"],
            explained="The head sees h only through the differences of its rows, and the best "
            "rows of one class are equal: at most one dimension fewer than there are classes.",
        ),
    )


def _latent_figures(arrays: dict[str, NDArray[Any]], names: list[str]) -> tuple[Figure, ...]:
    true, recovered = arrays["true"], arrays["recovered"]
    scatter = latents_scatter(true, recovered, names=names)
    on_sphere = np.allclose(np.linalg.norm(true, axis=1), 1, atol=1e-3)
    if true.shape[1] == 3 and on_sphere:
        return (latents_sphere(true, recovered), scatter)
    return (scatter,)


def _head_section(
    arrays: dict[str, NDArray[Any]], result: dict[str, Any], names: list[str]
) -> tuple[Section, ...]:
    if result["r2_head"] is None:
        return ()
    return (
        Section(
            heading="The head",
            lead="The classifier's own rows are images of the cluster vectors: the mean row of "
            "each class, mapped into their space, against the true vector.",
            figures=(head_scatter(arrays["mapped_rows"], arrays["class_vectors"], names=names),),
            notes=("The map drawn here was fitted to all classes; the score above holds out.",),
        ),
    )


def _assumption_section(checks: list[dict[str, Any]]) -> Section:
    frame = pd.DataFrame(
        [
            {
                "assumption": check["name"],
                "holds": bool(check["holds"]),
                "measured": check["detail"],
                "consequence": check["consequence"],
            }
            for check in checks
        ]
    )
    return Section(
        heading="What theory assumes",
        lead="Where an assumption fails, the ceiling above says what is left to recover.",
        tables=(Table(caption="Assumptions of the theorem, checked on this world", frame=frame),),
    )


def _score_section(recovery: Recovery) -> Section:
    assert recovery.latents is not None
    tables = [Table(caption="From h to the latents", frame=_map_frame(recovery.latents))]
    if recovery.head is not None:
        tables.append(
            Table(caption="From head rows to cluster vectors", frame=_map_frame(recovery.head))
        )
    notes = tuple(
        f"{what}: {scores.status}."
        for what, scores in (("Latents", recovery.latents), ("Head", recovery.head))
        if scores is not None and scores.status != "ok"
    )
    return Section(
        heading="Every score",
        lead="Held out, with 95 % bootstrap intervals.",
        tables=tuple(tables),
        notes=notes,
    )


def _map_frame(scores: MapScores) -> pd.DataFrame:
    named: dict[str, Scores] = {
        "affine R²": scores.affine,
        "linear R² (no intercept)": scores.linear,
        "Procrustes R²": scores.procrustes,
        "MCC, weak (after an affine map)": scores.mcc_weak,
        "MCC, strong (as is)": scores.mcc_strong,
    }
    rows = [
        {"score": label, "mean": found.mean}
        | dict(zip(scores.names, found.per_factor, strict=True))
        for label, found in named.items()
    ]
    if scores.isometry_error is not None:
        rows.append(
            {"score": "distance from a scaled isometry", "mean": scores.isometry_error}
            | dict.fromkeys(scores.names)
        )
    return pd.DataFrame(rows)
