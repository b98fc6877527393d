"""The page of analogies: additivity, and what offsets find beside a nearest neighbour alone."""

from identikit.core.finding import overall
from identikit.report.page import Page, Section, Table
from identikit.runs.store import Run
from identikit.studies.analogies.result import AnalogiesResult
from identikit.studies.pages import provenance

_GRID = (
    "Corners a and b, and d and c, differ in one factor by the same levels, and all other factors "
    "differ between the two pairs: a step that another factor decides is not the same step. No "
    "sample is in two parallelograms, so that intervals are of independent ones."
)
_WORDS = (
    "Differences from a to b are compared between all pairs of a concept. The causal inner product "
    "is that of vectors multiplied by the inverse root of a covariance: of the output embedding "
    "where it was given, else of all vectors."
)


def analogies_page(run: Run, result: AnalogiesResult) -> Page:
    """The page of a saved `identikit analogies` run."""
    found = result.analogies
    layers = len({score.layer for score in found.scores})
    of = "factors" if found.grid else "concepts"
    count = len({score.name for score in found.scores})
    return Page(
        title="Is a change one step, whatever else is seen?",
        subtitle=f"{count} {of}{f', {layers} layers' if layers > 1 else ''}",
        headline=result.headline,
        findings=overall(result.findings),
        sections=(
            Section(
                heading="Additivity",
                lead=f"1: the same step always, as in any code that adds up over factors; 0: steps "
                f"have nothing to do with each other. {_GRID if found.grid else _WORDS}",
                figures=(found.plot(),),
            ),
            Section(
                heading="Every number",
                lead="Offset is the share of questions a : b = c : ? whose answer is nearest to "
                "b - a + c, with a, b and c left out as answers. An offset may hit because the "
                "answer is near c or near b, whatever the offset: only what is above both of "
                "these columns speaks of analogy.",
                tables=(Table(caption="Analogies", frame=found.to_frame()),),
                notes=(
                    "Intervals of shares count questions with one answer as one question (Wilson).",
                ),
            ),
        ),
        provenance=provenance(run),
    )
