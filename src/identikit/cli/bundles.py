"""`identikit export` and `identikit verify`: a run as one file, and the way back."""

import json
import shutil
import sys
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from identikit.cli.options import Execution
from identikit.cli.runs import Place, Where, Words
from identikit.cli.terminal import ERR, OUT, live, say
from identikit.core.errors import InputError
from identikit.core.estimate import format_cell
from identikit.core.serialization import plain_table
from identikit.runs.store import Run


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a run as one file that others can check and make again.

    Example: identikit export my-baseline

    Example: identikit export my-baseline --to hub --repository me/my-baseline

    Cards of data and, where a network was trained, of the model are in it.
    """

    name: Words
    """Of the run: its name, folder or hash, or the beginning of one of these."""
    out: Path | None = None
    """The file, by default the folder's name and .zip, here."""
    to: Literal["file", "hub"] = "file"
    """hub: push it to the Hugging Face Hub too, as a data set; needs the extra hub."""
    repository: str | None = None
    """There, as OWNER/NAME."""
    private: bool = False
    """Make a new one private."""
    place: Where = field(default_factory=Place)

    def run(self) -> None:
        """Write, push, print."""
        from identikit.runs.bundle import export
        from identikit.runs.hub import push

        if (self.to == "hub") != (self.repository is not None):
            raise InputError("--to hub and --repository OWNER/NAME go together. Give both.")
        run = Run.load(Path(self.name)) if Path(self.name).is_dir() else self.place.run(self.name)
        out = self.out or Path(f"{run.path.name}.zip")
        export(run, out)
        said = {"bundle": str(out), "bytes": out.stat().st_size}
        if self.repository is not None:
            said["repository"] = push(out, self.repository, private=self.private)
        if self.place.json:
            print(json.dumps(said))
        else:
            say(OUT, "\n".join(f"{name}: {value}" for name, value in said.items()))


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check such a file, run it again, and say which numbers agree.

    Example: identikit verify my-baseline.zip

    Files that the run was made of must lie where they lay, seen from this folder. A command that
    was stopped goes on when it is given again. Exit code 1 if a number does not agree.
    """

    bundle: Annotated[Path, tyro.conf.Positional]
    """What `identikit export` wrote."""
    execution: Annotated[Execution, tyro.conf.arg(name="")] = field(default_factory=Execution)
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Verify and print."""
        from identikit.runs.verify import Agreement, verify

        place = self.bundle.parent / f".{self.bundle.name}.verify"
        with live("verify") as tell:
            found = verify(
                self.bundle,
                place=place,
                tell=tell,
                warn=partial(say, ERR),
                open_executor=self.execution.open,
            )
        shutil.rmtree(place, ignore_errors=True)
        if self.json:
            print(json.dumps(asdict(found) | {"agrees": found.agrees}))
        else:
            table = plain_table(padding=(0, 2, 0, 0))
            for name in ("number", "bundle", "here", "agrees"):
                table.add_column(name, overflow="fold")
            for number in found.numbers:
                cells = map(format_cell, (number.bundle, number.here))
                table.add_row(number.name, *cells, str(number.agreement))
            OUT.print(table)
            counts = (f"{found.count(each)} {each}" for each in Agreement)
            say(OUT, f"\nevery digest is as it was written; numbers agree: {', '.join(counts)}.")
            for name, (there, here) in found.versions.items():
                say(OUT, f"{name}: {there} there, {here} here")
        if not found.agrees:
            sys.exit(1)
