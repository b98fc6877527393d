"""What the grid says of each score: where it is too high, where too low, and what moves it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from identikit.core.estimate import Spread, fixed
from identikit.core.finding import Finding, Headline, Verdict, listed
from identikit.report.shown import Said
from identikit.studies.scores.constructions import STRUCTURES, Setting
from identikit.studies.scores.measure import SCORES, Cell

MARGIN = 0.1
"""Distance from the truth from which a score lies."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ScoresResult(Said):
    """All constructions and what the scores say of them."""

    status: Literal["completed"] = "completed"
    cells: tuple[Cell, ...]

    @property
    def grid(self) -> tuple[Setting, ...]:
        """Constructions of the grid."""
        return tuple(s for s in self._settings if s.codes is None)

    @property
    def sizes(self) -> tuple[Setting, ...]:
        """Constructions of other sizes."""
        return tuple(s for s in self._settings if s.codes is not None)

    @property
    def _settings(self) -> tuple[Setting, ...]:
        return tuple(dict.fromkeys(cell.setting for cell in self.cells))

    def values(self, name: str, setting: Setting) -> list[float]:
        """What a score says, seed by seed; a score below 0 counts as 0."""
        return [max(0.0, c.scores[name]) for c in self.cells if c.setting == setting]

    def error(self, name: str, setting: Setting) -> float:
        """Mean of what it says less what is so."""
        return fmean(self.values(name, setting)) - setting.truth(SCORES[name])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """One for each score."""
        return tuple(self._finding(name) for name in SCORES)

    @property
    def headline(self) -> Headline:
        """Which scores are right everywhere."""
        right = [f.quantity for f in self.findings if f.verdict is Verdict.AS_PREDICTED]
        n = len(self.grid)
        sentence = f"{len(right)} of {len(SCORES)} scores are right of all {n} constructions"
        sentence += f": {listed(right)}." if right else "."
        return Headline(sentence=sentence, word="Measured", tone="neutral")

    def _finding(self, name: str) -> Finding:
        seeds = dict.fromkeys(cell.seed for cell in self.cells)
        right = [
            fmean(
                abs(max(0.0, cell.scores[name]) - cell.setting.truth(SCORES[name])) <= MARGIN
                for cell in self.cells
                if cell.seed == seed and cell.setting.codes is None
            )
            for seed in seeds
        ]
        return Finding(
            quantity=name,
            measure="share of constructions told right",
            predicted=1.0,
            recovered=Spread.of(right),
            explained=" ".join(words for words in self._explained(name) if words),
            verdict=Verdict.AS_PREDICTED if min(right) == 1 else Verdict.LESS,
        )

    def _explained(self, name: str) -> Sequence[str]:
        """Errors where factors are independent, where a structure has others, and sizes."""
        plain = {s.encoder: self.error(name, s) for s in self.grid if s.structure == "independent"}
        words = [f"Read as the share of factors that are there up to {SCORES[name]}."]
        words += [
            f"{side.capitalize()} for {listed(_signed(errors))}."
            for side, errors in _sides(plain).items()
        ]
        for structure in list(STRUCTURES)[1:]:
            errors = {s.encoder: self.error(name, s) for s in self.grid if s.structure == structure}
            moved = {
                encoder: by
                for encoder, by in errors.items()
                if abs(by) > MARGIN and abs(by - plain[encoder]) > MARGIN
            }
            if moved:
                words.append(f"Otherwise where factors are {structure}: {listed(_signed(moved))}.")
        words.append(self._at_other_sizes(name, "nothing", "Codes that know nothing reach", max))
        words.append(self._at_other_sizes(name, "padded", "The factors themselves fall to", min))
        return words if any(words[1:]) else (*words, "Right everywhere.")

    def _at_other_sizes(
        self, name: str, encoder: str, says: str, worst_of: Callable[..., Setting]
    ) -> str:
        own = [s for s in self.sizes if s.encoder == encoder]
        if not own:
            return ""
        worst = worst_of(own, key=lambda s: self.error(name, s))
        if abs(self.error(name, worst)) <= MARGIN:
            return ""
        value = fixed(fmean(self.values(name, worst)), 2)
        return (
            f"{says} {value} with {worst.samples:,} samples of {worst.codes} codes and "
            f"{worst.factors} factors."
        )


def _sides(errors: dict[str, float]) -> dict[str, dict[str, float]]:
    sides = {
        "too high": {name: by for name, by in errors.items() if by > MARGIN},
        "too low": {name: by for name, by in errors.items() if by < -MARGIN},
    }
    return {side: found for side, found in sides.items() if found}


def _signed(errors: dict[str, float]) -> list[str]:
    return [f"{name} ({'+' if by > 0 else ''}{fixed(by, 2)})" for name, by in errors.items()]
