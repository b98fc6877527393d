"""From h to z: maps, read-outs, and their uncertainty."""

from identikit.estimate import Estimate
from identikit.features.npz import load_npz
from identikit.recovery.result import FactorScore, MapScores, Recovery, Scores
from identikit.recovery.score import score

__all__ = ["Estimate", "FactorScore", "MapScores", "Recovery", "Scores", "load_npz", "score"]
