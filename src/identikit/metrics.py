"""Scores as torchmetrics objects, for a training loop of one's own."""

from identikit.disentanglement.metric import ClassicMetric
from identikit.probing.metric import LinearRecovery

__all__ = ["ClassicMetric", "LinearRecovery"]
