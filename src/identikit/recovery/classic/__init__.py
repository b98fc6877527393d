"""The classic scores of disentanglement, each by its paper, each with its variant named.

`metric.ClassicMetric` makes any of them a torchmetrics object; it is not imported here, because
torchmetrics takes seconds to import.
"""

from identikit.recovery.classic.beta_vae import BetaVAE, beta_vae
from identikit.recovery.classic.dci import DCI, dci
from identikit.recovery.classic.explicitness import Explicitness, explicitness
from identikit.recovery.classic.factor_vae import FactorVAE, factor_vae
from identikit.recovery.classic.irs import IRS, irs
from identikit.recovery.classic.mig import MIG, mig
from identikit.recovery.classic.modularity import Modularity, modularity
from identikit.recovery.classic.sap import SAP, sap

__all__ = [
    "DCI",
    "IRS",
    "MIG",
    "SAP",
    "BetaVAE",
    "Explicitness",
    "FactorVAE",
    "Modularity",
    "beta_vae",
    "dci",
    "explicitness",
    "factor_vae",
    "irs",
    "mig",
    "modularity",
    "sap",
]
