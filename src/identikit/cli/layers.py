"""`identikit layers`: where a model can be read."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.markup import escape

from identikit.cli.terminal import OUT
from identikit.core.serialization import plain_table
from identikit.studies.extract.config import LayersConfig

if TYPE_CHECKING:
    from identikit.studies.extract.layers import Readable

OTHERS = 56
"""Characters that kind, output and dimensions take beside a layer's name, at least."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """List the layers of a model, in the order of computation, with their output shapes.

    Example: identikit layers timm:resnet50

    No weights are downloaded. The first layer is the one that `identikit extract` reads unless it
    is told another.
    """

    config: Annotated[LayersConfig, tyro.conf.arg(name="")]
    json: bool = False
    """Print one JSON object, for scripts."""

    def run(self) -> None:
        """Print them."""
        from identikit.studies.extract.layers import list_layers

        found = list_layers(self.config)
        if self.json:
            layers = [asdict(readable.layer) | {"dim": readable.dim} for readable in found]
            print(json.dumps({"model": self.config.model, "layers": layers}))
            return
        table = plain_table(padding=(0, 2, 0, 0))
        table.add_column("layer", no_wrap=True)
        for name in ("kind", "output of a sample", "dimensions of h"):
            table.add_column(name, overflow="fold")
        for readable in found:
            dim = "" if readable.dim is None else f"{readable.dim:,}"
            layer = readable.layer
            table.add_row(escape(layer.name), layer.kind, escape(_shape(readable)), dim)
        longest = max(len(readable.layer.name) for readable in found)
        table.width = max(OUT.width, longest + OTHERS)  # a name is copied, so never broken
        OUT.print(table, crop=False)


def _shape(readable: "Readable") -> str:
    layer = readable.layer
    if layer.shape is None or layer.problem is not None:
        return layer.problem or "no row per sample"
    times = f", the last of {layer.calls} calls" if layer.calls > 1 else ""
    return " x ".join("tokens" if size is None else f"{size}" for size in layer.shape) + times
