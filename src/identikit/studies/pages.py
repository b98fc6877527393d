"""From saved runs to pages: what the pages of all studies share."""

from identikit.report.page import Provenance
from identikit.runs.store import Run


def provenance(run: Run) -> Provenance:
    """Where the run came from, as it was saved with it."""
    return Provenance(config=run.config, **run.origin)
