"""A bundle checked, run again here, and compared number by number."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate, Spread
from identikit.core.finding import Finding, Quantity
from identikit.runs.bundle import RUN, Input, config_of, input_at, opened
from identikit.runs.difference import interval
from identikit.runs.lookup import study_of
from identikit.runs.store import Run
from identikit.runs.study import run_study

DIGITS = 6
"""To so many a number without an interval must agree, where it does not to the last one."""


class Agreement(StrEnum):
    """How a number of a bundle and the one that came out here agree."""

    LAST_DIGIT = "to the last digit"
    INTERVAL = "within its interval"
    ROUNDED = f"to {DIGITS} digits"
    """It has no interval."""
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of a finding, there and here; None where one of them lacks it."""

    name: str
    bundle: Quantity | None
    here: Quantity | None
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of a bundle's numbers."""

    study: str
    numbers: tuple[Number, ...]
    versions: dict[str, tuple[str, str]]
    """Of packages that are not the same there and here."""

    @property
    def agrees(self) -> bool:
        """Whether every number does, one way or another."""
        return all(number.agreement is not Agreement.NOT for number in self.numbers)

    def count(self, agreement: Agreement) -> int:
        """How many numbers agree in that way."""
        return sum(number.agreement is agreement for number in self.numbers)


def verify(bundle: Path, *, place: Path, **options: Any) -> Verification:
    """Check every digest of a bundle, run it again, and compare the findings.

    Args:
        bundle: A file that `export` wrote.
        place: Folder in which it is run, and taken up again after it was stopped.
        options: For `run_study`: tell, warn, open_executor.

    Raises:
        InputError: no whole bundle, a study or version that is not here, or inputs that are not
            those of the bundle.
    """
    with opened(bundle) as (folder, contents):
        run = Run.load(folder / RUN)
        config = config_of(run)
        _require_inputs(bundle, contents.inputs)
        done = run_study(study_of(run.command), config.with_digest(), root=place, **options)
        if done.run.unfinished:
            raise InputError(
                f"the run did not end ({done.result.status}). The same command goes on."
            )
        pair = run.origin["versions"], done.run.origin["versions"]
        return Verification(
            study=run.command,
            numbers=tuple(_compared(run.outcome.findings, done.run.outcome.findings)),
            versions={
                name: (str(pair[0].get(name, "none")), str(pair[1].get(name, "none")))
                for name in {**pair[0], **pair[1]}
                if pair[0].get(name) != pair[1].get(name)
            },
        )


def _compared(there: tuple[Finding, ...], here: tuple[Finding, ...]) -> Iterator[Number]:
    pair = [dict(_numbers(findings)) for findings in (there, here)]
    for name in {**pair[0], **pair[1]}:
        a, b = (one.get(name) for one in pair)
        yield Number(name=name, bundle=a, here=b, agreement=_agreement(a, b))


def _numbers(findings: tuple[Finding, ...]) -> Iterator[tuple[str, Quantity | None]]:
    for finding in findings:
        yield f"{finding.label}, recovered", finding.recovered
        if finding.predicted is not None:
            yield f"{finding.label}, predicted", finding.predicted
        for control in finding.controls:
            yield f"{finding.label}, {control.name}", control.recovered


def _agreement(there: Quantity | None, here: Quantity | None) -> Agreement:
    if there == here:
        return Agreement.LAST_DIGIT
    if there is None or here is None:
        return Agreement.NOT
    _, low, high = interval(there)
    value = interval(here)[0]
    if isinstance(there, Estimate | Spread) and math.isfinite(high - low):
        return Agreement.INTERVAL if low <= value <= high else Agreement.NOT
    close = math.isclose(
        interval(there)[0], value, rel_tol=10.0**-DIGITS, abs_tol=10.0 ** -(2 * DIGITS)
    )
    return Agreement.ROUNDED if close else Agreement.NOT


def _require_inputs(bundle: Path, inputs: Iterable[Input]) -> None:
    """Nothing, if the files that the run was made of are here and as they were."""
    for one in inputs:
        if not Path(one.path).exists():
            raise InputError(
                f"{bundle} was made of {one.path}, which is not here. Put it there (seen from this "
                "folder), and run it again."
            )
        if input_at(Path(one.path)).sha256 != one.sha256:
            raise InputError(f"{one.path} is not what {bundle} was made of.")
