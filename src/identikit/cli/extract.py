"""`identikit extract`: images to features."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from identikit.cli.terminal import OUT, progress_count, say
from identikit.studies.extract.config import ExtractConfig

if TYPE_CHECKING:
    from identikit.studies.extract.run import Extracted


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Read any layer of any model over your data, for `identikit probe`.

    Example: identikit extract timm:resnet50 --images photos --out features --untrained-twin
    --pixels 32

    A command that was stopped or killed goes on where it stopped when it is given again.
    """

    config: Annotated[ExtractConfig, tyro.conf.arg(name="")]
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Extract what is missing and print what is there."""
        from identikit.studies.extract.run import extract

        with progress_count("images") as watch:
            found = extract(self.config, on_progress=watch)
        if self.json:
            print(json.dumps(asdict(found), default=str))
        else:
            say(OUT, _words(found))


def _words(found: "Extracted") -> str:
    lines = [f"{found.n:,} images, {found.dim:,} dimensions of {found.layer}: {found.folder}"]
    if found.made:
        lines.append(
            f"{found.made:,} were read now, {found.made / found.seconds:,.1f} a second; the device "
            f"was at work {found.busy:.0%} of the time"
        )
    else:
        lines.append("nothing was missing")
    if found.skipped:
        lines.append(f"left out, for they could not be read: {found.skipped:,} (see the manifest)")
    if found.controls:
        lines.append(f"controls: {', '.join(found.controls)}")
    if not found.head:
        lines.append("no trained classifier reads these features, so none was saved")
    return "\n".join(lines)
