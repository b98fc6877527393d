"""A recovery as a table: predicted, recovered, explained."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from identikit.core.estimate import Estimate, Scores, fixed, format_brief
from identikit.core.finding import Finding
from identikit.core.serialization import plain_table
from identikit.probing.result import OK, MapScores, RecoveryScores


def render(recovery: RecoveryScores, findings: Sequence[Finding]) -> RenderableType:
    """The factors' table, with the maps of latents and head below it where they exist."""
    parts: list[RenderableType] = [_factors(recovery, findings)]
    parts += [Text(f"{finding.quantity}: {finding.explained}") for finding in findings]
    maps = {"latents": recovery.latents, "head rows": recovery.head}
    if any(maps.values()):
        parts.append(_maps({name: m for name, m in maps.items() if m is not None}))
    if recovery.prediction is not None:
        parts.append(Text(f"predicted: {recovery.prediction}", style="dim"))
    if recovery.status != OK:
        parts.append(Text(recovery.status))
    parts.append(
        Text(
            f"held out: {recovery.n_test} samples, fitted on {recovery.n_train}, "
            f"d_h = {recovery.dim}; [95 % interval] given the fitted map",
            style="dim",
        )
    )
    return Group(*parts)


def _factors(recovery: RecoveryScores, findings: Sequence[Finding]) -> Table:
    split = any(score.row_space is not None for score in recovery.factors)
    table = plain_table()
    table.add_column("factor", no_wrap=True)
    table.add_column("measure")
    table.add_column("predicted", justify="right", no_wrap=True)
    table.add_column("recovered", justify="right", no_wrap=True)
    tasks = any(score.control_task is not None for score in recovery.factors)
    for name in (
        *(("row space", "complement") if split else ()),
        *(("random items",) if tasks else ()),
        *recovery.controls,
        "chance",
    ):
        table.add_column(name, justify="right")
    table.add_column("verdict", no_wrap=True)
    controls = list(zip(*recovery.controls.values(), strict=True))
    for j, (score, finding) in enumerate(zip(recovery.factors, findings, strict=True)):
        inside = (_brief(score.row_space), _brief(score.complement)) if split else ()
        beside = (f"{fixed(c.estimate.value, 3)}" for c in (controls[j] if controls else ()))
        table.add_row(
            score.name,
            score.measure,
            "-" if finding.predicted is None else format_brief(finding.predicted),
            str(score.estimate),
            *inside,
            *((_brief(score.control_task),) if tasks else ()),
            *beside,
            f"{score.chance:.3g}",
            finding.verdict,
        )
    return table


def _maps(maps: dict[str, MapScores]) -> Table:
    table = plain_table()
    table.add_column("mean over dimensions", no_wrap=True)
    for name in maps:
        table.add_column(name, no_wrap=True, justify="right")
    rows: dict[str, str] = {
        "affine R²": "affine",
        "linear R² (no intercept)": "linear",
        "Procrustes R²": "procrustes",
        "MCC weak (after the affine map)": "mcc_weak",
        "MCC strong (one column each)": "mcc_strong",
    }
    for label, attribute in rows.items():
        means: list[Scores] = [getattr(m, attribute) for m in maps.values()]
        table.add_row(label, *(str(scores.mean) for scores in means))
    errors = [str(m.isometry_error) if m.isometry_error else "-" for m in maps.values()]
    table.add_row("deviation from a scaled isometry", *errors)
    table.add_row("rank of d_h", *(f"{m.rank} of {len(m.coefficient)}" for m in maps.values()))
    table.add_row(
        "independent points: fitted on, held out",
        *(f"{m.n_train}, {m.n_test}" for m in maps.values()),
    )
    if any(m.status != OK for m in maps.values()):
        table.add_row("status", *(m.status for m in maps.values()))
    return table


def _brief(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{fixed(estimate.value, 3)}"
