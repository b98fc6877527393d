"""From h to z: maps, read-outs, and their uncertainty."""

from identikit.estimate import Estimate
from identikit.features import load_npz
from identikit.recovery.compare import compare
from identikit.recovery.comparison import Comparison
from identikit.recovery.result import FactorScore, MapScores, Recovery, Scores
from identikit.recovery.score import score

__all__ = [
    "Comparison",
    "Estimate",
    "FactorScore",
    "MapScores",
    "Recovery",
    "Scores",
    "compare",
    "load_npz",
    "score",
]
