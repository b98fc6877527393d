"""The classic scores of disentanglement, each by its paper, each with its variant named.

`metric.ClassicMetric` makes any of them a torchmetrics object; it is not imported here, because
torchmetrics takes seconds to import.
"""

from identikit.disentanglement.beta_vae import BetaVAE, beta_vae
from identikit.disentanglement.dci import DCI, dci
from identikit.disentanglement.explicitness import Explicitness, explicitness
from identikit.disentanglement.factor_vae import FactorVAE, factor_vae
from identikit.disentanglement.infomec import InfoMEC, infomec
from identikit.disentanglement.irs import IRS, irs
from identikit.disentanglement.mig import MIG, mig
from identikit.disentanglement.modularity import Modularity, modularity
from identikit.disentanglement.sap import SAP, sap
from identikit.disentanglement.tmex import TMEX, tmex

__all__ = [
    "DCI",
    "IRS",
    "MIG",
    "SAP",
    "TMEX",
    "BetaVAE",
    "Explicitness",
    "FactorVAE",
    "InfoMEC",
    "Modularity",
    "beta_vae",
    "dci",
    "explicitness",
    "factor_vae",
    "infomec",
    "irs",
    "mig",
    "modularity",
    "sap",
    "tmex",
]
