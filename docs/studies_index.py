"""The table of docs/studies/README.md, made of the registry and the catalogue.

`python docs/studies_index.py` writes it; a test compares it with what stands there.
"""

from pathlib import Path

from identikit.cli.commands import reproducible
from identikit.core.estimate import format_cell
from identikit.runs.registry import entry_of
from identikit.studies.catalogue import sweeps

INDEX = Path(__file__).parent / "studies" / "README.md"
START, END = "<!-- made by docs/studies_index.py -->\n", "<!-- end -->\n"
SHARED = {"table2": "tables", "table3": "tables", "table5": "tables"}
"""Studies whose page is another's."""


def table() -> str:
    """A row per study: its page, what it asks and what it costs."""
    rows = [(s.name, s.question, str(s.runs), s.core_minutes) for s in sweeps().values()]
    for short, name in reproducible().items():
        rows.append((short, entry_of(name).help, "", entry_of(name).core_minutes))
    lines = ["| study | question | runs | core-minutes |", "| --- | --- | --: | --: |"]
    for name, question, runs, minutes in rows:
        cost = format_cell(minutes) if minutes is not None else ""
        lines.append(f"| [{name}]({SHARED.get(name, name)}.md) | {question} | {runs} | {cost} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """The index with the table as it is now."""
    before, _, after = text.partition(START)
    return f"{before}{START}\n{table()}\n{END}{after.partition(END)[2]}"


if __name__ == "__main__":
    INDEX.write_text(with_table(INDEX.read_text()))
