"""`identikit site`: a folder of runs as a static site."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from identikit.cli.terminal import ERR, progress_count, say
from identikit.core.errors import InputError
from identikit.runs.store import DEFAULT_ROOT


@dataclass(frozen=True, kw_only=True)
class Site:
    """Make a static, offline site of a folder of runs.

    Example: identikit site runs --out site

    Runs that were never drawn get a page of their findings; `identikit report` draws them.
    """

    root: Annotated[Path, tyro.conf.Positional] = DEFAULT_ROOT
    """Folder of all runs."""
    out: Path = Path("site")
    """Folder of the site, new, empty, or an earlier site."""
    watch: bool = False
    """Keep the site as the runs are, until Ctrl-C; its tables then load themselves again."""
    every: float = 5.0
    """Seconds between two looks, with --watch."""
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Write the site and print where it is."""
        from identikit.runs import site

        if not 0 <= self.every < math.inf:
            raise InputError(f"every must be at least 0 seconds; got {self.every}.")
        made = site.Site(self.root, self.out)
        with progress_count("pages") as tell:
            count = made.update(watched=self.watch, tell=tell)
        said = {"runs": count, "page": str(self.out / "index.html")}
        print(json.dumps(said) if self.json else f"{count:,} runs: {said['page']}", flush=True)
        if self.watch:
            say(ERR, "watching; Ctrl-C ends it")
            try:
                while True:
                    time.sleep(self.every)
                    made.update(watched=True)
            except KeyboardInterrupt:
                made.update()
