"""`identikit extract`: images, sentences or other data to features."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from identikit.cli.terminal import ERR, OUT, progress_count, say
from identikit.studies.extract.config import ExtractConfig

if TYPE_CHECKING:
    from identikit.studies.extract.run import Extracted, Needs


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Read any layers of any model over images, sentences or other data, for `identikit probe`.

    Example: identikit extract timm:resnet50 --images photos --out features --untrained-twin
    --pixels 32

    Example: identikit extract hf:gpt2 --sentences table.csv --out features --layers all

    A command that was stopped or killed goes on where it stopped when it is given again.
    """

    config: Annotated[ExtractConfig, tyro.conf.arg(name="")]
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Extract what is missing and print what is there."""
        from identikit.studies.extract.run import extract

        with progress_count("samples") as watch:
            found = extract(self.config, on_needs=_announce, on_progress=watch)
        if self.json:
            print(json.dumps(asdict(found), default=str))
        else:
            say(OUT, _words(found))


def _announce(needs: "Needs") -> None:
    """What a pass over several layers is going to take."""
    if needs.samples and needs.layers > 1:
        say(
            ERR,
            f"{needs.layers} layers, {needs.dims:,} dimensions in all: {_size(needs.disk_bytes)} "
            f"on disk, at most {_size(needs.memory_bytes)} of memory beside the model's",
        )


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _words(found: "Extracted") -> str:
    lines = [
        f"{found.n:,} samples, {layer.dim:,} dimensions of {layer.name}: {layer.folder}"
        for layer in found.layers
    ]
    if found.left_out:
        lines.append(
            f"layers that cannot be read with this pooling: {len(found.left_out)} (identikit "
            "layers says why)"
        )
    if found.made:
        lines.append(
            f"{found.made:,} were read now, {found.made / found.seconds:,.1f} a second; the device "
            f"was at work {found.busy:.0%} of the time"
        )
    else:
        lines.append("nothing was missing")
    if found.skipped:
        lines.append(f"left out, for they could not be read: {found.skipped:,} (see the manifest)")
    if found.passed_over:
        counts = (f"{count:,} {end or '(none)'}" for end, count in found.passed_over.items())
        lines.append(f"files passed over, by the ending of their names: {', '.join(counts)}")
    if found.controls:
        lines.append(f"controls: {', '.join(found.controls)}")
    lines += found.remarks
    for name in found.calibrated:
        lines.append(f"{name}: untrained, its batch norms with statistics of these samples")
    if not any(layer.head for layer in found.layers):
        lines.append("no trained classifier reads these features, so none was saved")
    return "\n".join(lines)
