"""From saved runs to pages: what the pages of all studies share."""

import pandas as pd

from identikit.report.page import Provenance
from identikit.runs.store import Run
from identikit.theory.assumptions import AssumptionCheck


def provenance(run: Run) -> Provenance:
    """Where the run came from, as it was saved with it."""
    return Provenance(config=run.config, **run.origin)


def assumption_frame(checks: tuple[AssumptionCheck, ...]) -> pd.DataFrame:
    """What theory assumes of a world, whether it holds, and what follows if it does not."""
    return pd.DataFrame(
        {
            "assumption": [check.name for check in checks],
            "holds": [check.holds for check in checks],
            "measured": [check.detail for check in checks],
            "if not": [check.consequence for check in checks],
        }
    )
