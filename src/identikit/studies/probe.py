"""Anybody's features: what is linearly in them, inside and outside what theory covers."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from identikit.errors import InputError
from identikit.features import load_npz
from identikit.files import file_digest
from identikit.recovery.explain import explain_factor
from identikit.recovery.result import FactorScore, Recovery
from identikit.recovery.score import score
from identikit.report.figures import Figure
from identikit.report.page import ComparisonRow, Page, Section, Table
from identikit.studies.pages import provenance, recovery_bars
from identikit.studies.store import Draft, Run
from identikit.studies.study import Outcome, Study, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    """Which features to probe, and how."""

    features: Annotated[Path, tyro.conf.Positional]
    """An .npz with `h` (n, d_h), one array of n values per factor, and, where known, the head
    `W` (labels, d_h), `head_class`, `class_vectors` and the observations `x`."""
    kinds: tuple[str, ...] = ()
    """Kinds where inference guesses wrong, as NAME=KIND: azimuth=circular:360."""
    seed: int = 0
    """Of the split and the bootstrap."""
    train_share: float = 0.5
    """Share of the samples that the read-outs are fitted on."""
    sha256: Annotated[str, tyro.conf.Suppress] = ""
    """Of the file, so that a changed file is another run; filled in by `with_digest`."""

    def with_digest(self) -> "ProbeConfig":
        """The same config with the file's digest.

        Raises:
            InputError: the file cannot be read.
        """
        return replace(self, sha256=file_digest(self.features))

    def kinds_by_name(self) -> dict[str, str]:
        """The kinds as a mapping.

        Raises:
            InputError: an entry that is not NAME=KIND.
        """
        pairs = [entry.partition("=") for entry in self.kinds]
        for name, sign, kind in pairs:
            if not (name and sign and kind):
                raise InputError(
                    f"kinds takes NAME=KIND, such as azimuth=circular:360; "
                    f"got {name + sign + kind!r}."
                )
        return {name: kind for name, _, kind in pairs}


def probe(config: ProbeConfig) -> Recovery:
    """Read every factor of the file out of its features.

    Raises:
        InputError: a file or factors that cannot be used.
    """
    representation = load_npz(config.features, kinds=config.kinds_by_name())
    return score(representation, seed=config.seed, train_share=config.train_share)


def probe_summary(recovery: Recovery) -> dict[str, Any]:
    """The numbers a script asks for, by name."""
    return {
        "status": "completed",
        "scores": {s.name: s.estimate.value for s in recovery.factors},
        "recovery": recovery.to_dict(),
    }


def probe_page(run: Run) -> Page:
    """The page of a saved `identikit probe` run."""
    recovery = Recovery.from_dict(run.result["recovery"])
    frame = recovery.to_frame().drop(columns=["status"])
    measures = list(dict.fromkeys(s.measure for s in recovery.factors))
    found = [s for s in recovery.factors if s.estimate.low > s.chance]
    return Page(
        title="What is linearly in these features",
        subtitle=f"{Path(run.config['features']).name}: {recovery.n_train + recovery.n_test:,} "
        f"samples, {recovery.dim} dimensions",
        verdict=f"{len(found)} of {len(recovery.factors)} factors are read out better than chance"
        + (f": {', '.join(s.name for s in found)}." if found else "."),
        verdict_tone="good" if len(found) == len(recovery.factors) else "warning",
        rows=tuple(
            ComparisonRow(
                quantity=f"{s.name} ({s.measure})",
                predicted=_covered(s),
                recovered=s.estimate,
                explained=explain_factor(s),
            )
            for s in recovery.factors
        ),
        sections=(
            *(
                Section(
                    heading=f"Factors scored by {measure}",
                    lead="Fitted on one part of the samples, scored on the other.",
                    figures=(_named(recovery, measure, k),),
                )
                for k, measure in enumerate(measures)
            ),
            Section(
                heading="Every score",
                lead="Covered is the part of h inside the row space of the head, the only part "
                "that theory speaks of; the rest is what lies outside it.",
                tables=(Table(caption="All factors, features and intervals", frame=frame),),
                notes=tuple(f"{s.name}: {s.status}." for s in recovery.factors if s.status != "ok"),
            ),
        ),
        provenance=provenance(run),
    )


def _covered(score: FactorScore) -> str | None:
    return None if score.covered is None else f"from the covered part: {score.covered}"


def _named(recovery: Recovery, measure: str, index: int) -> Figure:
    return replace(recovery_bars(recovery, measure=measure), name=f"factors-{index + 1}")


def _compute(config: ProbeConfig, draft: Draft, on_progress: Watch | None) -> Outcome:
    return probe_summary(probe(config)), {}


PROBE: Study[Any] = Study(
    command="probe",
    compute=_compute,
    page=probe_page,
    label=lambda config: config.features.stem,
)
