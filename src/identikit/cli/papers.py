"""`identikit papers`: the literature around a paper."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from identikit.cli.terminal import OUT, say


@dataclass(frozen=True, kw_only=True)
class Papers:
    """Make one page of a paper, the papers that cite it and those it cites.

    Example: identikit papers 2410.21869

    arXiv, Semantic Scholar and OpenAlex are asked; answers are kept for a day. Of 2410.21869, the
    paper behind identikit, a snapshot is shipped, so that its page needs no network.
    """

    paper: Annotated[str, tyro.conf.Positional]
    """An arXiv identifier, a DOI, a BibTeX file (.bib), or a papers.json that was saved before."""
    out: Path | None = None
    """Folder of the page, by default papers/ and the paper's identifier; notes in it are kept."""
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Find, write and print."""
        from identikit.literature.lens import find
        from identikit.literature.page import write

        found = find(self.paper)
        name = re.sub(r"[^\w.-]", "_", found.paper.names[0].partition(":")[2])[:80]
        page = write(found, self.out or Path("papers") / name)
        counts = Counter(paper.relation for paper in found.papers[1:])
        if self.json:
            print(json.dumps(counts | {"title": found.paper.title, "page": str(page)}))
            return
        links = f"{counts['citing']:,} papers cite it, it cites {counts['cited']:,}."
        for sentence in (found.paper.title, links, *found.sources, f"page: {page}"):
            say(OUT, sentence)
