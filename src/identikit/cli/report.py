"""`identikit report`: pages drawn again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from identikit.cli.terminal import progress_count, show_run
from identikit.runs.lookup import page_of
from identikit.runs.store import Run


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
        from identikit.runs.study import draw

        run = Run.load(self.folder)
        if self.runs:
            from identikit.studies.sweeps.study import draw_runs

            with progress_count("pages") as watch:
                draw_runs(run, on_drawn=watch)
        draw(page_of(run), run)
        show_run(run, as_json=self.json)
