"""What a cell says, and what all of them say together: findings from the numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from identikit.core.estimate import Estimate, as_text, fixed, with_ends
from identikit.core.finding import Finding, Headline, Verdict, judge_interval
from identikit.report.shown import Said
from identikit.statistics.repetitions import over_seeds
from identikit.studies.superposition.methods import PartScores

MARGIN = 0.02
"""Of a score, within which two count as one."""
TRANSITION_MARGIN = 1.0
"""Of k, likewise: it is a whole number."""
PROBE, AMORTISED, ITS_ATOMS, CODES, ORACLE = (
    "linear probe",
    "autoencoder",
    "its atoms, solved",
    "sparse codes",
    "true atoms, solved",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """One way to read factors, in one cell."""

    name: str
    seen: PartScores
    held_out: PartScores | None
    """Of combinations that are not in training; None where none are held out."""
    cosine: float | None
    """Of each true atom with the one matched to it, mean; None without atoms."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CellResult(Said):
    """One world, read in every way."""

    status: Literal["completed"]
    methods: tuple[MethodResult, ...]
    most_linear: float
    """Mean R² that a linear map of any h of so many dimensions can have at most."""
    linear: float | None
    """Mean R² of the best linear map of this h; None where a network made it."""
    linear_mcc: float | None
    """Mean r of the same."""
    linear_held_out: float | None
    """Mean R² of the same map on the combinations held out."""
    threshold: float
    """Factors there at once up to which l1 finds them all, for many dimensions."""
    transition: float | None
    """The same as measured; None for a network."""
    linearity: float | None
    """R² of a network's h by the best affine map of the factors."""
    linearity_held_out: float | None = None
    """The same map's on the combinations held out."""
    alike: float
    """Mean |r| of sparse codes learned again from other samples (and by another network), matched
    one to one."""
    shuffled: float
    """The same of shuffled rows."""
    coherence: float
    """Largest cosine of two atoms."""

    def of(self, name: str) -> MethodResult:
        """The method of that name."""
        return next(method for method in self.methods if method.name == name)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Mean |r| by each method, and the linear probe beside what it can have."""
        probe = _probe(PROBE, (self,), self.methods[0].seen.r2)
        return (
            probe,
            *(
                Finding(
                    quantity=method.name,
                    measure="MCC",
                    recovered=method.seen.mcc,
                    explained=f"{fixed(method.seen.support, 2)} of the factors there are among "
                    "the largest predictions.",
                    verdict=Verdict.MEASURED,
                )
                for method in self.methods
            ),
        )

    @property
    def headline(self) -> Headline:
        """Probe and codes in a sentence."""
        values = [f"{name} {self.of(name).seen.mcc}" for name in (PROBE, CODES, ORACLE)]
        return Headline(
            sentence=f"Mean |r| with the factors: {'; '.join(values)}.",
            word="Measured",
            tone="neutral",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What the table keeps of a cell."""

    world: str
    """What sets it apart from others of the table, without the seed."""
    factors: int
    dim: int
    active: int
    supports: str
    network: bool | Literal["rendered"]
    seed: int
    path: str
    """Of its run, relative to where the table stands."""
    result: CellResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """A cell that could not be made."""

    world: str
    seed: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One world, with one record per seed."""

    records: tuple[CellRecord, ...]

    @property
    def first(self) -> CellRecord:
        """Any record, for what they share."""
        return self.records[0]

    def over(self, value: Callable[[CellResult], float | None]) -> Estimate | float | None:
        """A score, at most 1, over seeds; None where any has none."""
        return over_known([value(record.result) for record in self.records], largest=1.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SuperpositionResult(Said):
    """The table: its cells, and what they say together."""

    status: Literal["completed", "incomplete"]
    failed: int
    """Cells that could not be made."""
    found: int
    """Cells that had been made before."""
    cells: tuple[CellRecord | FailedCell, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """World by world, in the order of the table."""
        made = [cell for cell in self.cells if isinstance(cell, CellRecord)]
        worlds = dict.fromkeys(cell.world for cell in made)
        return tuple(Line(records=tuple(c for c in made if c.world == world)) for world in worlds)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of probes in every world; of l1; of combinations held out; of codes learned again."""
        lines = self.lines
        probes = [
            _probe(
                f"{line.first.world}: linear probe",
                [record.result for record in line.records],
                line.over(lambda result: result.of(PROBE).seen.r2.value),
            )
            for line in lines
        ]
        return (*probes, *_transitions(lines), *_held_out(lines), *_consistent(lines))

    @property
    def headline(self) -> Headline:
        """What combinations never seen together cost each method."""
        drops = {
            (network, name): _falls(_drop(split, name))
            for network, split in _splits(self.lines).items()
            for name in _names(split)
        }
        if not drops:
            sentence = "No combinations were held out, and nothing is claimed."
            return Headline(sentence=sentence, word="Measured", tone="neutral")
        said = []
        for network, maker in MAKERS.items():
            words = f", from a {maker}" if network else ""
            for falls, opening in HEADLINES.items():
                names = [name for (own, name), f in drops.items() if own == network and f is falls]
                said += [f"{opening}{words}: {'; '.join(names)}."] if names else []
        return Headline(sentence=" ".join(said), word="Measured", tone="neutral")


MAKERS: dict[bool | str, str] = {
    False: "matrix",
    True: "network",
    "rendered": "network that sees images",
}
"""What makes h of the factors."""
DROP = "lost where combinations are new: "
"""Opens the quantity of findings on what each method loses there."""
HEADLINES = {
    True: "Worse on factors never seen together",
    False: "As good on them",
    None: "Undecided",
}
WORDS = {
    True: "It does worse on factors that it never saw together.",
    False: f"It does as well, to within {MARGIN}, on factors that it never saw together.",
    None: "Whether it does as well on factors that it never saw together is not decided.",
}


def over_known(
    values: Sequence[float | None], *, largest: float = math.inf
) -> Estimate | float | None:
    """As `over_seeds`; None where any is missing."""
    known = [value for value in values if value is not None]
    return over_seeds(known, largest=largest) if known and len(known) == len(values) else None


def _judged(value: Estimate | float, predicted: float, *, within: float) -> Verdict:
    """By the interval over seeds; one seed has none and decides nothing."""
    if not isinstance(value, Estimate):
        return Verdict.UNDECIDED
    return judge_interval(value, predicted, within=within)


def _judged_below(value: Estimate | float, most: float) -> Verdict:
    """The same of a bound, which is kept however far below it a value lies."""
    if not isinstance(value, Estimate):
        return Verdict.UNDECIDED
    if value.high <= most + MARGIN:
        return Verdict.AS_PREDICTED
    return Verdict.MORE if value.low > most + MARGIN else Verdict.UNDECIDED


def _falls(drop: object) -> bool | None:
    """Whether something is lost, by the interval over seeds; None where that is not decided."""
    if not isinstance(drop, Estimate):
        return None
    if drop.low > MARGIN:
        return True
    return False if drop.high < MARGIN else None


def _over_worlds(
    lines: Sequence[Line], value: Callable[[CellResult], float | None]
) -> Estimate | float | None:
    """The mean over worlds of each seed, and its interval over seeds."""
    seeds = sorted({record.seed for line in lines for record in line.records})
    means = []
    for seed in seeds:
        own = [value(r.result) for line in lines for r in line.records if r.seed == seed]
        means.append(fmean(v for v in own if v is not None) if None not in own else None)
    return over_known(means)


def _probe(
    quantity: str, results: Sequence[CellResult], recovered: Estimate | float | None
) -> Finding:
    assert recovered is not None
    known = [result.linear for result in results if result.linear is not None]
    most = fmean(result.most_linear for result in results)
    if known:
        predicted = fmean(known)
        verdict = _judged(recovered, predicted, within=MARGIN)
        words = f"The best linear map of this h; of any h of as many dimensions {fixed(most, 3)}."
    else:
        predicted = most
        verdict = _judged_below(recovered, most)
        linear = fmean(result.linearity or 0.0 for result in results)
        words = (
            "No h of so many dimensions allows more than that, however it was made. The network's "
            f"own is an affine map of the factors with R² {fixed(linear, 2)}."
        )
    return Finding(
        quantity=quantity,
        measure="R²",
        predicted=predicted,
        recovered=recovered,
        explained=words,
        verdict=verdict,
    )


def _transitions(lines: Sequence[Line]) -> list[Finding]:
    """Of every K and d: up to how many factors codes by the true atoms find them all."""
    found = []
    sizes = dict.fromkeys((line.first.factors, line.first.dim) for line in lines)
    for factors, dim in sizes:
        same = [r for line in lines for r in line.records if (r.factors, r.dim) == (factors, dim)]
        by_seed = {
            record.seed: record.result.transition
            for record in same
            if record.result.transition is not None and "coherence" not in record.world
        }
        measured = over_known(list(by_seed.values()))
        if measured is None:
            continue
        predicted = same[0].result.threshold
        found.append(
            Finding(
                quantity=f"{factors} in {dim}: factors there at once that l1 finds in half of "
                "the samples",
                measure="k",
                predicted=predicted,
                recovered=measured,
                explained="The weak threshold, which is sharp for many dimensions; atoms are the "
                "true ones.",
                verdict=_judged(measured, predicted, within=TRANSITION_MARGIN),
            )
        )
    return found


def _splits(lines: Sequence[Line]) -> dict[bool | str, list[Line]]:
    """Worlds that hold combinations out, by what made h."""
    split = [line for line in lines if line.first.supports == "halves"]
    by_maker = {made: [line for line in split if line.first.network == made] for made in MAKERS}
    return {made: own for made, own in by_maker.items() if own}


def _names(lines: Sequence[Line]) -> list[str]:
    return [method.name for method in lines[0].first.result.methods]


def _held_out(lines: Sequence[Line]) -> list[Finding]:
    """What each method loses in MCC where combinations are new: mean over worlds, by seed."""
    return [
        _drop_finding(split, name) for split in _splits(lines).values() for name in _names(split)
    ]


def _drop(split: Sequence[Line], name: str) -> Estimate | float:
    def lost(result: CellResult) -> float | None:
        method = result.of(name)
        return (
            None if method.held_out is None else method.seen.mcc.value - method.held_out.mcc.value
        )

    drop = _over_worlds(split, lost)
    assert drop is not None
    return drop


def _drop_finding(split: Sequence[Line], name: str) -> Finding:
    drop, network = _drop(split, name), split[0].first.network
    words = [WORDS[_falls(drop)]]
    if name == PROBE:
        words.append(_affine_words(split) if network else _linear_words(split))
    if name == AMORTISED:
        words.append(_blame(split))
    told = name == ORACLE and not network
    return Finding(
        quantity=f"{DROP}{name}{f', from a {MAKERS[network]}' if network else ''}",
        measure="MCC",
        predicted=0.0 if told else None,
        recovered=drop,
        explained=" ".join(words),
        verdict=_judged(drop, 0.0, within=MARGIN) if told else Verdict.MEASURED,
    )


def _affine_words(split: Sequence[Line]) -> str:
    """How nearly a network's h is a map that no combination changes."""
    seen = _said(_over_worlds(split, lambda result: result.linearity))
    new = _said(_over_worlds(split, lambda result: result.linearity_held_out))
    return (
        f"h is an affine map of the factors with R² {seen}, and that map has {new} where they are "
        "new."
    )


def _linear_words(split: Sequence[Line]) -> str:
    """The same in R², where it follows from the covariances."""

    def lost(result: CellResult) -> float | None:
        probe = result.of(PROBE)
        return None if probe.held_out is None else probe.seen.r2.value - probe.held_out.r2.value

    def told(result: CellResult) -> float | None:
        if result.linear is None or result.linear_held_out is None:
            return None
        return result.linear - result.linear_held_out

    got, by_theory = (_said(_over_worlds(split, value)) for value in (lost, told))
    return f"In R² it loses {got}; the best linear map {by_theory}, by covariances alone."


def _blame(split: Sequence[Line]) -> str:
    """What, on new combinations, better codes of an autoencoder's atoms gain, and true atoms."""

    def gap(better: str, worse: str) -> Estimate | float | None:
        def of(result: CellResult) -> float | None:
            ends = result.of(better).held_out, result.of(worse).held_out
            return ends[0].mcc.value - ends[1].mcc.value if ends[0] and ends[1] else None

        return _over_worlds(split, of)

    encoder, atoms = gap(ITS_ATOMS, AMORTISED), gap(ORACLE, ITS_ATOMS)
    return f"Codes solved for with its atoms gain {_said(encoder)}, true atoms {_said(atoms)} more."


def _said(value: Estimate | float | None) -> str:
    return "nothing known" if value is None else as_text(value)


def _consistent(lines: Sequence[Line]) -> list[Finding]:
    """Codes learned again from other samples, and where networks made h by another of them."""
    found = []
    for network, maker in MAKERS.items():
        own = [line for line in lines if line.first.network == network]
        if not own:
            continue
        alike = _over_worlds(own, lambda result: result.alike)
        chance = _over_worlds(own, lambda result: result.shuffled)
        found.append(
            Finding(
                quantity=f"{CODES} learned again from "
                f"{f'another {maker}' if network else 'other samples'}",
                measure="|r|",
                recovered=alike,
                chance=None if chance is None else with_ends(chance)[0],
                explained="Codes of the same samples, matched one to one.",
                verdict=Verdict.MEASURED,
            )
        )
    return found
