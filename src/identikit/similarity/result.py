"""The scores of a comparison: on the whole spaces, the head row spaces and the rest.

Frozen, made of plain numbers and strings only, so that it goes to JSON and back unchanged.
"""

from dataclasses import asdict, dataclass

import pandas as pd

from identikit.core.estimate import Estimate

MEASURES: dict[str, str] = {
    "r2_ab": "linear R², A → B",
    "r2_ba": "linear R², B → A",
    "r2_mean_ab": "linear R² of dimensions, A → B",
    "r2_mean_ba": "linear R² of dimensions, B → A",
    "procrustes_ab": "Procrustes R², A → B",
    "procrustes_ba": "Procrustes R², B → A",
    "cca": "mean canonical correlation",
    "svcca": "SVCCA",
    "cka": "CKA",
    "knn": "mutual nearest neighbours",
    "cka_biased": "biased CKA",
}
"""From the names in Python to those in tables, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """One score of how alike two spaces are; 1 is alike up to the maps that it allows."""

    measure: str
    """A key of `MEASURES`."""
    estimate: Estimate
    """Held out, but for CKA, which fits nothing. The biased CKA has no interval of its own: its
    ends are its value."""
    chance: float | None
    """Mean over shuffles of the rows of B, everything fitted again; None without shuffles."""
    ceiling: float | None
    """What the ranks (R²) or the spectra (Procrustes, CKA) of the two spaces allow at best,
    whatever they hold; None where that is not known."""

    @property
    def label(self) -> str:
        """Its name in tables."""
        return MEASURES[self.measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceScores:
    """How alike one part of A and the same part of B are."""

    name: str
    """`whole`, `head row space` or `complement`."""
    rank_a: int
    """Directions in which this part of A varies, above rounding."""
    rank_b: int
    scores: tuple[Similarity, ...]
    canonical: tuple[Estimate, ...]
    """Held-out correlations of the pairs of directions, in the order of their fitted ones."""
    canonical_fitted: tuple[float, ...]
    """On the rows fitted: too high, the more so the fewer rows."""
    singular_values: tuple[float, ...]
    """Of the linear map from A to B over their root mean square; all 1 for a scaled rotation."""
    penalties: tuple[float, float]
    """Of the ridge from A to B and from B to A, as a share of the features' total variance; 0
    where least squares did."""

    def __getitem__(self, measure: str) -> Similarity:
        """The score of that name.

        Raises:
            KeyError: it could not be determined, or there is no such measure.
        """
        return {score.measure: score for score in self.scores}[measure]

    def get(self, measure: str) -> Similarity | None:
        """The score of that name; None where there is none."""
        return next((score for score in self.scores if score.measure == measure), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodDistances:
    """How far two posteriors over the same labels are from each other."""

    labels: int
    """Over which LLV and distance are taken."""
    kl: float
    """In nats, from A's posterior to B's, mean over samples."""
    llv: float
    distance: float
    """Of the representations, as the heads read them."""

    @property
    def bound(self) -> float:
        """What the distance cannot exceed at this LLV."""
        return min(1.0, 2 * self.llv**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonScores:
    """How alike two representations of the same samples are."""

    names: tuple[str, str]
    """Of A and of B."""
    spaces: tuple[SpaceScores, ...]
    """The whole; with both heads also what they cover, and the rest where both have one."""
    n_train: int
    n_test: int
    dims: tuple[int, int]
    """Columns of A and of B."""
    unit_norm: bool | None
    """Whether features and head rows of both have one norm each: then theory promises a scaled
    rotation between the covered parts, not just a linear map. None without both heads."""
    likelihoods: LikelihoodDistances | None = None
    """Of softmax(W h) of both; None where the two heads have not as many labels each."""
    status: tuple[str, ...] = ()
    """What to mind, one sentence each."""

    def space(self, name: str) -> SpaceScores | None:
        """The scores of `whole`, `head row space` or `complement`; None where there are none."""
        return next((space for space in self.spaces if space.name == name), None)

    def to_frame(self) -> pd.DataFrame:
        """One row per space and measure."""
        return pd.DataFrame(
            [
                {
                    "space": space.name,
                    "measure": score.measure,
                    **asdict(score.estimate),
                    "chance": score.chance,
                    "ceiling": score.ceiling,
                }
                for space in self.spaces
                for score in space.scores
            ]
        )
