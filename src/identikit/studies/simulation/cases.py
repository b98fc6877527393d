"""What a case of theorem 1 promises beyond R²: lengths, one rotation, no constant, equal rows."""

from identikit.core.estimate import Estimate
from identikit.core.finding import Finding, Verdict, judge_interval, judge_prediction
from identikit.probing.cases import CaseScores
from identikit.theory.cases import Case, Promise

LENGTH_MARGIN = 0.05
"""Relative error of a length that counts as none."""
ROTATION_MARGIN = 0.02
"""Relative squared error that counts as none."""
VECTOR_MARGIN = ROTATION_MARGIN**0.5
"""Relative length of a vector whose square counts as none."""


def case_findings(
    case: Case, scores: CaseScores, promise: Promise, *, stopped: bool, built_in: str
) -> tuple[Finding, ...]:
    """What is promised and what was measured; beside nothing, where nothing is promised.

    Args:
        case: Of the head.
        scores: What was measured.
        promise: Of the case in this world.
        stopped: Whether training was, so that nothing can be told yet.
        built_in: What to say of rows that training tied.
    """

    def finding(
        quantity: str,
        measure: str,
        predicted: float | None,
        got: Estimate,
        explained: str,
        *,
        within: float = LENGTH_MARGIN,
    ) -> Finding:
        verdict = Verdict.MEASURED
        if stopped:
            verdict = Verdict.UNDECIDED
        elif predicted is not None:
            verdict = judge_interval(got, predicted, within=within)
        return Finding(
            quantity=quantity,
            measure=measure,
            predicted=predicted,
            recovered=got,
            explained=explained,
            verdict=verdict,
        )

    found = [*_temperature(scores, promise, stopped=stopped)]
    for quantity, got, length in (
        ("Length of h", scores.length_of_h, promise.length_of_h),
        ("Length of the rows", scores.length_of_rows, promise.length_of_rows),
    ):
        if length is not None and length != 1:
            found.append(
                finding(
                    quantity,
                    "of κ / β",
                    1.0,
                    Estimate(got.value / length, got.low / length, got.high / length),
                    f"The mean singular value of the map is {got}; κ / β is {length:.4g}. What is "
                    "not held at unit norm takes up the concentration.",
                )
            )
    if case is not Case.C4:
        zero = 0.0 if promise.one_rotation else None
        for whose, error, length in (
            ("h", scores.error_of_h, promise.length_of_h),
            ("the rows", scores.error_of_rows, promise.length_of_rows),
        ):
            beside = "their mean" if length is None else f"{length:.4g}"
            found.append(
                finding(
                    f"Singular values of the map to {whose}",
                    "mean absolute error",
                    None if length is None else 0.0,
                    error,
                    f"Relative to {beside}: 0 for a rotation of that length.",
                )
            )
        found.append(
            finding(
                "One rotation for h and rows",
                "relative squared error",
                zero,
                scores.one_rotation,
                f"With a rotation of its own each, the error is {scores.own_rotations}; sharing "
                f"one adds {scores.apart}.",
                within=ROTATION_MARGIN,
            )
        )
    found.append(
        finding(
            "Constant of the rows",
            "|ψ| of their length",
            promise.constant,
            scores.constant,
            _why_this_constant(case, promise),
            within=VECTOR_MARGIN,
        )
    )
    if scores.unequal_rows is not None:
        found.append(
            finding(
                "Rows of one class",
                "spread within over between",
                0.0,
                scores.unequal_rows,
                f"Instances of one class share one row at the optimum.{built_in}",
                within=VECTOR_MARGIN,
            )
        )
    return tuple(found)


def _why_this_constant(case: Case, promise: Promise) -> str:
    if not case.unit_rows:
        return (
            "The loss does not see a constant vector that all rows share, so theory says nothing "
            "of it."
        )
    if promise.constant is None:
        return "Unit norm would leave the rows no constant, but an assumption does not hold here."
    return "Unit norm leaves the rows no constant."


def _temperature(scores: CaseScores, promise: Promise, *, stopped: bool) -> tuple[Finding, ...]:
    if promise.temperature is None:
        return ()
    ratio = scores.temperature / promise.temperature
    close = abs(ratio - 1) <= LENGTH_MARGIN
    return (
        Finding(
            quantity="Temperature over concentration",
            measure="β / κ",
            predicted=1.0,
            recovered=ratio,
            explained="Where features and rows have unit norm the learned inverse temperature is "
            f"the world's concentration: {scores.temperature:.4g} for {promise.temperature:.4g}.",
            verdict=Verdict.UNDECIDED if stopped else judge_prediction(ratio, 1.0, close=close),
        ),
    )
