"""What a network trained with cross-entropy must recover, did recover, and why they differ.

`docs/python.md` shows the whole way: a world, its ceiling, training, scores, the explanation.
"""

from typing import TYPE_CHECKING

from identikit.core.lazy import first_used

if TYPE_CHECKING:
    from identikit import metrics as metrics
    from identikit import theory as theory
    from identikit import worlds as worlds
    from identikit.core.errors import InputError
    from identikit.core.factors import Factor, Factors, Kind
    from identikit.core.finding import Finding, Verdict
    from identikit.core.representation import Representation
    from identikit.core.version import __version__
    from identikit.encoders.config import EncoderConfig
    from identikit.features.inputs import circular, ordinal
    from identikit.features.load import load_features
    from identikit.objectives.config import HeadConfig
    from identikit.probing.analogy_result import Analogies
    from identikit.probing.analogy_scores import analogies
    from identikit.probing.callback import ProbeCallback
    from identikit.probing.estimator import LinearProbe, probe_score
    from identikit.probing.layer_recovery import LayerRecovery
    from identikit.probing.layers import score_layers
    from identikit.probing.recovery import Recovery
    from identikit.probing.score import score
    from identikit.runs.run_config import run
    from identikit.similarity.compare import compare
    from identikit.similarity.comparison import Comparison
    from identikit.similarity.layer_comparison import LayerComparison
    from identikit.similarity.layers import compare_layers
    from identikit.studies.compare.config import CompareConfig
    from identikit.studies.probe.config import ProbeConfig
    from identikit.studies.simulation.config import SimulationConfig
    from identikit.studies.simulation.own import Fitted, explain, fit
    from identikit.studies.simulation.result import Evaluation
    from identikit.training.config import TrainingConfig
    from identikit.training.recipes import Recipe
    from identikit.unmixing.result import Unmixing
    from identikit.unmixing.unmix import unmix
    from identikit.worlds.config import WorldConfig
else:
    __getattr__, __dir__ = first_used(
        __name__,
        {
            "Analogies": "probing.analogy_result",
            "CompareConfig": "studies.compare.config",
            "Comparison": "similarity.comparison",
            "EncoderConfig": "encoders.config",
            "Evaluation": "studies.simulation.result",
            "Factor": "core.factors",
            "Factors": "core.factors",
            "Finding": "core.finding",
            "Fitted": "studies.simulation.own",
            "HeadConfig": "objectives.config",
            "InputError": "core.errors",
            "Kind": "core.factors",
            "LayerComparison": "similarity.layer_comparison",
            "LayerRecovery": "probing.layer_recovery",
            "LinearProbe": "probing.estimator",
            "ProbeCallback": "probing.callback",
            "ProbeConfig": "studies.probe.config",
            "Recipe": "training.recipes",
            "Recovery": "probing.recovery",
            "Representation": "core.representation",
            "SimulationConfig": "studies.simulation.config",
            "TrainingConfig": "training.config",
            "Verdict": "core.finding",
            "Unmixing": "unmixing.result",
            "WorldConfig": "worlds.config",
            "analogies": "probing.analogy_scores",
            "circular": "features.inputs",
            "compare": "similarity.compare",
            "compare_layers": "similarity.layers",
            "explain": "studies.simulation.own",
            "fit": "studies.simulation.own",
            "load_features": "features.load",
            "metrics": "metrics",
            "ordinal": "features.inputs",
            "probe_score": "probing.estimator",
            "run": "runs.run_config",
            "score": "probing.score",
            "score_layers": "probing.layers",
            "theory": "theory",
            "unmix": "unmixing.unmix",
            "worlds": "worlds",
            "__version__": "core.version",
        },
    )

__all__ = [
    "Analogies",
    "CompareConfig",
    "Comparison",
    "EncoderConfig",
    "Evaluation",
    "Factor",
    "Factors",
    "Finding",
    "Fitted",
    "HeadConfig",
    "InputError",
    "Kind",
    "LayerComparison",
    "LayerRecovery",
    "LinearProbe",
    "ProbeCallback",
    "ProbeConfig",
    "Recipe",
    "Recovery",
    "Representation",
    "SimulationConfig",
    "TrainingConfig",
    "Unmixing",
    "Verdict",
    "WorldConfig",
    "__version__",
    "analogies",
    "circular",
    "compare",
    "compare_layers",
    "explain",
    "fit",
    "load_features",
    "metrics",
    "ordinal",
    "probe_score",
    "run",
    "score",
    "score_layers",
    "theory",
    "unmix",
    "worlds",
]
