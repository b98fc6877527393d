"""The folder of a run of `identikit train`: its encoder, with the head that was trained on it.

RUN/model.json          the fields of `ImageNetwork`
RUN/model.safetensors   the weights of `Classified`, or of the encoder alone where there is no head
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from identikit.core.config import from_dict
from identikit.core.errors import InputError
from identikit.core.files import read_regular, write_atomically, write_json
from identikit.encoders.adapters.image_encoder import Classified, ImageEncoder, ImageNetwork
from identikit.encoders.adapters.short_side import ShortSide
from identikit.encoders.adapters.source import Built
from identikit.encoders.adapters.weights import load_weights, read_weights

MODEL_FILE, WEIGHTS_FILE = "model.json", "model.safetensors"


def is_trained_run(folder: Path) -> bool:
    """Whether a folder is that of a run that trained an encoder."""
    return (folder / MODEL_FILE).is_file() and (folder / WEIGHTS_FILE).is_file()


def write_trained(
    folder: Path, network: ImageNetwork, encoder: ImageEncoder, head: Tensor | None
) -> None:
    """Write an encoder into the folder of a run.

    Args:
        folder: Of the run.
        network: What was built.
        encoder: As it was trained.
        head: Rows (labels, d_h), if there is a head.

    Raises:
        InputError: the files cannot be written.
    """
    state = encoder.state_dict()
    if head is not None:
        state = {f"encoder.{name}": value for name, value in state.items()} | {"head.weight": head}
    whole = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    write_atomically(folder / WEIGHTS_FILE, save(whole))
    write_json(folder / MODEL_FILE, asdict(network))


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """The network of a run; images are prepared as they were for training, without augmentation."""

    folder: Path

    def build(self, *, pretrained: bool, classes: int | None = None) -> Built:
        """Build it; see `Source`. Without its weights it is as before the first step.

        Raises:
            InputError: files that are damaged.
        """
        try:
            content = json.loads(read_regular(self.folder / MODEL_FILE))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.folder / MODEL_FILE} cannot be read: {error}.") from error
        spec = from_dict(ImageNetwork, content)
        labels = classes or spec.labels
        encoder = spec.build()
        network: nn.Module = encoder if labels is None else Classified(encoder, labels)
        if pretrained:
            weights = self.folder / WEIGHTS_FILE
            load_weights(network, read_weights(weights), source=weights)
        return Built(network=network, transform=ShortSide(spec.shape[1]), forward=network)
