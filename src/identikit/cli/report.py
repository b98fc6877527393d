"""`identikit report`: pages drawn again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from identikit.cli.terminal import progress_count, show_outcome
from identikit.runs.registry import page_of
from identikit.runs.store import Run
from identikit.runs.study import draw
from identikit.studies.sweeps.study import draw_runs


@dataclass(frozen=True, kw_only=True)
class Report:
    """Draw the page and the figures of a saved run again.

    Example: identikit report runs/simulate-diet-vmf-d5-c100-s0-0123456789
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    runs: bool = False
    """Draw the pages of a study's runs too, some seconds each."""
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Draw and print."""
        run = Run.load(self.folder)
        if self.runs:
            with progress_count("pages") as watch:
                draw_runs(run, on_drawn=watch)
        page = page_of(run)
        draw(page, run)
        show_outcome(run, page, as_json=self.json)
