"""The figures of a report, each drawn twice: interactive for the screen, static for paper.

Every function returns a `Figure`; change its name or words with `dataclasses.replace`.
"""

from identikit.report.figures.bars import FactorBar, factor_bars
from identikit.report.figures.groups import BarSeries, grouped_bars
from identikit.report.figures.images import image_grid, picture
from identikit.report.figures.layers import LayerCurve, layer_curves
from identikit.report.figures.matrix import matrix
from identikit.report.figures.pairs import head_scatter, latents_scatter
from identikit.report.figures.points import Points, points
from identikit.report.figures.spectrum import Spectrum, spectrum
from identikit.report.figures.sphere import circle_scatter, latents_sphere
from identikit.report.figures.sweep import Curve, sweep
from identikit.report.figures.training import training_curves
from identikit.report.style import Figure

__all__ = [
    "BarSeries",
    "Curve",
    "FactorBar",
    "Figure",
    "LayerCurve",
    "Points",
    "Spectrum",
    "circle_scatter",
    "factor_bars",
    "grouped_bars",
    "head_scatter",
    "image_grid",
    "latents_scatter",
    "latents_sphere",
    "layer_curves",
    "matrix",
    "picture",
    "points",
    "spectrum",
    "sweep",
    "training_curves",
]
