"""Logistic regression for many problems at once that share features.

    min_{W, b}  sum_n u_n (-log softmax(W x_n + b)_{y_n}) / sum_n u_n  +  1/2 sum_j q_j |w_j|²

A problem is a task (labels y and weights u of the rows: a factor, a fold, a repetition) with
penalties q. Two classes are one logit, as in scikit-learn; more are a softmax over all classes, in
which classes without weight are masked. x is (n, p). `problem` says what goes in and comes out,
`batch` makes losses and their derivatives, `search` finds the optimum, `tuning` the held-out loss
along a grid of penalties.
"""

from identikit.probing.logistic.batch import Correlations
from identikit.probing.logistic.problem import LogisticFits, Start, Tasks, losses
from identikit.probing.logistic.search import TOLERANCE, fit_logistic
from identikit.probing.logistic.tuning import held_out_losses

__all__ = [
    "TOLERANCE",
    "Correlations",
    "LogisticFits",
    "Start",
    "Tasks",
    "fit_logistic",
    "held_out_losses",
    "losses",
]
