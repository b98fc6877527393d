"""What `compare_layers` returns: a matrix over pairs of layers for each score, and what is best.

Frozen, made of plain numbers and strings only, so that it goes to JSON and back unchanged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float
from rich.console import Group
from rich.text import Text

from identikit.core.estimate import fixed
from identikit.core.finding import LEVEL, Finding, Headline, Verdict
from identikit.core.serialization import Plain, as_text
from identikit.report.shown import Shown, place_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from identikit.report.style import Figure

LABELS = {
    "r2_ab": "linear R², A → B",
    "r2_ba": "linear R², B → A",
    "cka": "CKA",
    "knn": "mutual nearest neighbours",
}
"""From the names in Python to those in tables, in their order."""
Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScores:
    """One score of all pairs of layers, (layers of A, layers of B)."""

    measure: str
    """A key of `LABELS`."""
    score: Matrix
    chance: Matrix
    """Mean over shuffles of the rows of B."""
    p: Matrix
    """Corrected for the number of pairs by the largest over pairs in each shuffle."""
    chance_of_best: float
    """Mean, over shuffles, of the largest score of all pairs."""

    @property
    def calibrated(self) -> Float[np.ndarray, "la lb"]:
        """(score - chance) / (1 - chance): 0 is chance, 1 is alike as far as the score can tell."""
        score, chance = np.array(self.score), np.array(self.chance)
        return np.asarray((score - chance) / (1 - chance))

    @property
    def best(self) -> tuple[int, int]:
        """The pair of the largest score: layer of A, layer of B."""
        score = np.array(self.score)
        a, b = np.unravel_index(np.nanargmax(score), score.shape)
        return int(a), int(b)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LayerComparison(Shown, Plain):
    """How alike each layer of one model is to each of another."""

    names: tuple[str, str]
    """Of A and of B."""
    layers: tuple[tuple[str, ...], tuple[str, ...]]
    """Of A and of B, in the order of computation."""
    dims: tuple[tuple[int, ...], tuple[int, ...]]
    """Columns of each layer."""
    kept: tuple[tuple[float, ...], tuple[float, ...]]
    """Share of each layer's variance in the axes that were compared."""
    axes: int
    """Principal axes of each layer that were compared, at most."""
    n_train: int
    n_test: int
    n_near: int
    """Samples whose neighbours among each other were looked at."""
    groups: int | None
    """How many groups were shuffled as wholes; None for samples by themselves."""
    scores: tuple[PairScores, ...]
    """One for each of `LABELS`, in their order."""
    status: tuple[str, ...] = ()
    """What to mind, one sentence each."""

    def of(self, measure: str) -> PairScores:
        """The matrix of that score.

        Raises:
            KeyError: there is no such score.
        """
        return {found.measure: found for found in self.scores}[measure]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The most alike pair by each score; then of each layer of A, its most alike layer of B."""
        return (*map(self._best, self.scores), *self._each())

    def _best(self, scores: PairScores) -> Finding:
        a, b = scores.best
        value, pairs = scores.score[a][b], len(self.layers[0]) * len(self.layers[1])
        p, chance = scores.p[a][b], scores.chance_of_best
        words = (
            f"{self.layers[0][a]} of A and {self.layers[1][b]} of B, the most alike of {pairs} "
            f"pairs; p = {fixed(p, 3)}, and chance is that of the largest of as many. What "
            "cross-entropy promises is about what the head reads of the last layer, not of these."
        )
        return Finding(
            quantity=LABELS[scores.measure],
            recovered=value,
            chance=chance,
            explained=words,
            verdict=_verdict(p),
        )

    def _each(self) -> Iterator[Finding]:
        for a, layer in enumerate(self.layers[0]):
            for scores in self.scores:
                b = int(np.nanargmax(scores.score[a]))
                yield Finding(
                    quantity=LABELS[scores.measure],
                    recovered=scores.score[a][b],
                    chance=scores.chance[a][b],
                    explained=f"Most alike is {self.layers[1][b]} of B, p = "
                    f"{fixed(scores.p[a][b], 3)}.",
                    verdict=_verdict(scores.p[a][b]),
                    place=layer,
                )

    @property
    def headline(self) -> Headline:
        """How many pairs are more alike than shuffles allow, and where the best lie."""
        pairs = len(self.layers[0]) * len(self.layers[1])
        parts = []
        for scores in self.scores:
            above = sum(p <= LEVEL for row in scores.p for p in row)
            a, b = scores.best
            best = f" (most alike: {self.layers[0][a]} and {self.layers[1][b]})" if above else ""
            parts.append(f"{LABELS[scores.measure]} {above}{best}")
        sentence = f"Of {pairs} pairs of layers, more alike than shuffled samples: "
        words = f"{sentence}{'; '.join(parts)}."
        return Headline(sentence=words, word="Measured", tone="neutral")

    def to_frame(self) -> pd.DataFrame:
        """One row per pair of layers and score."""
        return pd.DataFrame(
            [
                {
                    "layer of A": one,
                    "layer of B": other,
                    "score": LABELS[scores.measure],
                    "value": scores.score[a][b],
                    "chance": scores.chance[a][b],
                    "calibrated": float(scores.calibrated[a, b]),
                    "p": scores.p[a][b],
                }
                for a, one in enumerate(self.layers[0])
                for b, other in enumerate(self.layers[1])
                for scores in self.scores
            ]
        )

    def plot(self, measure: str = "cka") -> "Figure":
        """A heat map of one calibrated score over all pairs of layers.

        Args:
            measure: A key of `LABELS`.
        """
        from identikit.report.figures import matrix

        figure = matrix(
            self.of(measure).calibrated,
            rows=self.layers[0],
            columns=self.layers[1],
            labels=(f"layer of {self.names[0]}", f"layer of {self.names[1]}"),
            quantity=f"{LABELS[measure]}, calibrated",
        )
        words = "Each cell is (score - chance) / (1 - chance): pale is chance, dark is 1."
        return replace(figure, name=measure, title=LABELS[measure], caption=words)

    def __rich__(self) -> "RenderableType":
        lines = (Text(f"{f.quantity}: {f.explained}") for f in self.findings if not f.place)
        rule = f"A = {self.names[0]}, B = {self.names[1]}; each layer of A with its most alike of B"
        return Group(place_table(self.findings), Text(rule, style="dim"), *lines)

    def __str__(self) -> str:
        return as_text(self)


def _verdict(p: float) -> Verdict:
    return Verdict.MEASURED if p <= LEVEL else Verdict.NOT_SHOWN
