"""What encoders are told, and the names of those that can be asked for."""

from dataclasses import dataclass
from typing import Annotated, Literal

from identikit.core.choice import Range, check_ranges

Pool = Literal["auto", "mean", "cls", "last", "span", "flatten"]
"""How space or tokens of a layer become one vector; `last` and `span` are of text alone."""
Channels = Literal["first", "last"]
"""Which axis of a layer's output holds the channels."""
STAGED_ENCODERS = ("pixels", "linear", "mlp", "resnet18")
"""Those of `staged`; all but the first learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Shape of a simulation's encoder."""

    architecture: Literal["plain", "paper", "cnn", "flow"] = "plain"
    """plain: hidden layers of one width; paper: 10d, 4 x 50d, 10d with batch norm; cnn: strided
    convolutions of width / 4, width / 2, ... channels and a hidden layer, for images; flow: hidden
    layers as wide as x, which start as the invertible network that makes x most nearly normal."""
    width: Annotated[int, Range(1)] = 64
    """Units of a hidden layer (plain, cnn)."""
    depth: Annotated[int, Range(1)] = 3
    """Number of hidden layers (plain, flow) or convolutions (cnn)."""
    negative_slope: float = 0.2
    """Slope of the leaky ReLU below zero."""
    whiten: bool = True
    """Whether inputs are whitened, by moments fitted once before training (all but cnn)."""
    flow_steps: Annotated[int, Range(1)] = 1500
    """Of the start of a flow, which sees observations and no label."""

    def __post_init__(self) -> None:
        check_ranges(self, of="encoder ")

    @property
    def narrowest(self) -> int | None:
        """Units of the narrowest layer, where the config says: no more dimensions come through."""
        return self.width if self.architecture == "plain" else None
