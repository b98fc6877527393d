"""Superposition: what cells read, what is claimed of them and what is not, and a table of cells."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.finding import Verdict
from identikit.core.randomness import stream
from identikit.runs.lookup import page_of
from identikit.runs.run_config import run
from identikit.studies.superposition import cell as cells
from identikit.studies.superposition.cell import run_cell
from identikit.studies.superposition.config import SuperpositionCellConfig, SuperpositionConfig
from identikit.studies.superposition.methods import (
    Method,
    PartScores,
    consistency,
    found_share,
    scores_of,
)
from identikit.studies.superposition.page import curves, numbers
from identikit.studies.superposition.result import (
    AMORTISED,
    CODES,
    DROP,
    ITS_ATOMS,
    ORACLE,
    PROBE,
    CellRecord,
    CellResult,
    FailedCell,
    MethodResult,
    SuperpositionResult,
)
from identikit.unmixing import autoencoder, sparse


def part(mcc: float, r2: float | None = None) -> PartScores:
    r2 = mcc if r2 is None else r2
    return PartScores(mcc=Estimate(mcc, mcc, mcc), r2=Estimate(r2, r2, r2), support=mcc, whole=mcc)


NEW = {PROBE: 0.6, AMORTISED: 0.7, ITS_ATOMS: 0.9, CODES: 0.9, ORACLE: 1.0}
SEEN = NEW | {PROBE: 0.7, AMORTISED: 0.8}


def made(
    seed: int,
    *,
    supports: str = "halves",
    network: bool | Literal["rendered"] = False,
    **changes: Any,
) -> CellRecord:
    """Of a seed; what is read wavers a little from one to the next."""
    apart = 0.001 * seed
    methods = tuple(
        MethodResult(
            name=name,
            seen=part(SEEN[name] + apart, 0.5),
            held_out=part(NEW[name] - apart, 0.4) if supports == "halves" else None,
            cosine=None if name == PROBE else 0.95,
        )
        for name in NEW
    )
    result = CellResult(
        status="completed",
        methods=methods,
        most_linear=0.52,
        linear=0.5,
        linear_mcc=0.7,
        linear_held_out=0.4,
        threshold=8.9,
        transition=9.0 + apart,
        linearity=None,
        alike=0.8 + apart,
        shuffled=0.1,
        coherence=0.6,
    )
    return CellRecord(
        world=f"32 in 16, 2 at once, {supports}{f', {network}' if network else ''}",
        factors=32,
        dim=16,
        active=2,
        supports=supports,
        network=network,
        seed=seed,
        path="",
        result=replace(result, **changes),
    )


def of(*records: CellRecord | FailedCell) -> SuperpositionResult:
    return SuperpositionResult(status="completed", failed=0, found=0, cells=records)


def test_what_is_lost_on_new_combinations_is_claimed_by_the_interval_over_seeds() -> None:
    result = of(*(made(seed) for seed in range(3)))
    probe, amortised, codes, oracle = (
        result[f"{DROP}{name}"] for name in (PROBE, AMORTISED, CODES, ORACLE)
    )
    for worse in (probe, amortised):
        assert worse.explained.startswith("It does worse on factors that it never saw together.")
        assert worse.verdict is Verdict.MEASURED
    assert "In R² it loses 0.100 [0.100, 0.100]; the best linear map 0.100" in probe.explained
    assert "Codes solved for with its atoms gain 0.200 [0.200, 0.200]" in amortised.explained
    assert "true atoms 0.100 [0.100, 0.100] more." in amortised.explained
    for kept in (codes, oracle):
        assert kept.explained.startswith("It does as well, to within 0.02, on factors that")
    assert oracle.verdict is Verdict.AS_PREDICTED
    assert result.headline.sentence == (
        "Worse on factors never seen together: linear probe; autoencoder. "
        "As good on them: its atoms, solved; sparse codes; true atoms, solved."
    )


def test_one_seed_or_seeds_that_disagree_claim_nothing() -> None:
    one = of(made(0))
    assert "is not decided" in one[f"{DROP}{PROBE}"].explained
    assert one[f"{DROP}{ORACLE}"].verdict is Verdict.UNDECIDED
    assert one["32 in 16, 2 at once, halves: linear probe"].verdict is Verdict.UNDECIDED
    apart = of(made(0), made(60))
    assert "is not decided" in apart[f"{DROP}{CODES}"].explained
    assert "Undecided: " in apart.headline.sentence


def test_nothing_is_said_of_combinations_where_none_are_held_out() -> None:
    result = of(*(made(seed, supports="independent") for seed in range(2)))
    assert result.headline.word == "Measured"
    assert "No combinations were held out" in result.headline.sentence
    assert not [f for f in result.findings if f.quantity.startswith(DROP)]


NETWORK = "32 in 16, 2 at once, halves, True: linear probe"


def test_probes_are_held_against_the_best_linear_map_or_against_any_h() -> None:
    name = "32 in 16, 2 at once, halves: linear probe"
    as_told = of(made(0), made(1))[name]
    assert (as_told.predicted, as_told.verdict) == (0.5, Verdict.AS_PREDICTED)
    assert "The best linear map of this h" in as_told.explained
    low = of(*(made(seed, linear=0.9) for seed in range(2)))[name]
    assert low.verdict is Verdict.LESS
    own: dict[str, Any] = {"network": True, "linear": None, "linearity": 0.9, "transition": None}
    network, name = of(*(made(seed, **own) for seed in range(2))), NETWORK
    assert network[name].predicted == pytest.approx(0.52)
    assert "No h of so many dimensions allows more" in network[name].explained
    assert network[name].verdict is Verdict.AS_PREDICTED  # a bound
    above = [made(seed, **own, most_linear=0.3) for seed in range(2)]
    assert of(*above)[name].verdict is Verdict.MORE
    assert "R² 0.90" in network[name].explained
    assert "sparse codes learned again from another network" in [
        finding.quantity for finding in network.findings
    ]
    assert not [f for f in network.findings if f.measure == "k"]


def test_what_networks_lose_is_told_apart_and_not_predicted() -> None:
    image: dict[str, Any] = {"network": "rendered", "linear": None, "linear_held_out": None}
    affine: dict[str, Any] = {"linearity": 0.96, "linearity_held_out": 0.87}
    both = of(
        *(made(seed) for seed in range(2)),
        *(made(seed, **image, **affine, transition=None) for seed in range(2)),
    )
    probe, oracle = (
        both[f"{DROP}{name}, from a network that sees images"] for name in (PROBE, ORACLE)
    )
    assert "an affine map of the factors with R² 0.96" in probe.explained
    assert "that map has 0.87" in probe.explained
    assert "covariances" not in probe.explained
    assert (oracle.predicted, oracle.verdict) == (None, Verdict.MEASURED)
    assert both[f"{DROP}{ORACLE}"].verdict is Verdict.AS_PREDICTED
    assert both.headline.sentence.startswith(
        "Worse on factors never seen together: linear probe; autoencoder. As good on them: "
    )
    assert (
        "Worse on factors never seen together, from a network that sees images: linear probe; "
        "autoencoder. As good" in both.headline.sentence
    )
    alone = of(*(made(seed) for seed in range(2)))
    assert both[f"{DROP}{PROBE}"] == alone[f"{DROP}{PROBE}"]


def test_l1_is_held_against_the_weak_threshold() -> None:
    (kept,) = (f for f in of(made(0), made(1)).findings if f.measure == "k")
    assert (kept.predicted, kept.verdict) == (8.9, Verdict.AS_PREDICTED)
    early = of(*(made(seed, transition=4.0 + 0.01 * seed) for seed in range(2)))
    (less,) = (f for f in early.findings if f.measure == "k")
    assert less.verdict is Verdict.LESS


def test_codes_learned_again_stand_beside_shuffled_rows() -> None:
    again = of(made(0), made(1))["sparse codes learned again from other samples"]
    assert again.chance == pytest.approx(0.1)
    assert isinstance(again.recovered, Estimate)
    assert again.recovered.value == pytest.approx(0.8005)


def test_figures_and_tables_show_both_parts_beside_what_is_predicted() -> None:
    (line,) = of(made(0), made(1)).lines
    seen, new = (curves([line], new=part) for part in (False, True))
    assert (seen.name, new.name) == ("k2-seen", "k2-new")
    assert "autoencoder, factors per dimension 2: 0.800" in seen.alt
    assert "autoencoder, factors per dimension 2: 0.700" in new.alt
    frame = numbers(line).frame
    assert [*frame["method"]] == [*NEW]
    assert {"MCC", "MCC, new", "R², new", "cosine of atoms"} < {*frame}
    (alone,) = of(made(0, supports="independent")).lines
    assert "MCC, new" not in numbers(alone).frame


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"supports": "thirds"}, "unknown supports 'thirds'"),
        ({"dim": 1}, "dim must be from 2 to 1000; got 1"),
        ({"active": 9}, "active must be from 1 to 8"),
        ({"active": 1, "supports": "halves"}, "active must be from 2 to 4"),
        ({"network": True, "coherence": 0.3}, "a network chooses its own; got 0.3"),
        ({"network": "rendered", "coherence": 0.3}, "a network chooses its own; got 0.3"),
        ({"importance": -1.0}, "importance must be from 0 to 5"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SuperpositionCellConfig(**({"factors": 8, "dim": 4, "active": 2} | settings))


def test_a_table_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="must hold a number each"):
        SuperpositionConfig(ratios=())
    with pytest.raises(InputError, match="unknown variant 'web'"):
        SuperpositionConfig(variants=("web",))
    with pytest.raises(InputError, match="seeds must be at least 1"):
        SuperpositionConfig(seeds=0)


def test_every_world_of_the_table_has_a_name_of_its_own() -> None:
    names = [cell.label for cell in SuperpositionConfig(seeds=2).cells]
    assert len({*names}) == len(names) == 2 * (6 + 7)


def test_the_share_found_is_of_those_there_among_as_many_largest() -> None:
    z = torch.tensor([[1.0, 0.5, 0, 0], [0, 0, 2, 0]])
    prediction = torch.tensor([[0.9, 0.1, 0.3, 0.0], [0.0, 0.1, 0.8, 0.7]])
    assert found_share(prediction, z).tolist() == [0.5, 1.0]


def test_factors_are_read_from_the_component_assigned_to_them_and_others_by_their_mean() -> None:
    generator = stream(0, "rows")
    z = torch.rand(500, 3, generator=generator).double()
    y = torch.stack([3 - 2 * z[:, 2], 5 * z[:, 0]], dim=1)
    method = Method(codes=lambda h: h)
    scores, each = scores_of(method, (y, z), {"seen": (y, z)}, generator=generator)
    np.testing.assert_allclose(each["seen"], [1, 0, 1], atol=1e-9)
    assert scores["seen"].mcc.value == pytest.approx(2 / 3)
    assert scores["seen"].r2.value == pytest.approx(2 / 3)


def test_codes_are_alike_up_to_order_and_chance_is_not() -> None:
    y = torch.randn(400, 5, generator=stream(0, "codes"))
    alike, chance = consistency(y, -2 * y.flip(1), stream(0, "shuffle"))
    assert alike == pytest.approx(1)
    assert chance < 0.2


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"TRAIN": 500, "TEST": 200, "MOMENTS": 2000, "TRIES": 10, "STEPS": 20, "BATCH": 64}
    for name, value in changes.items():
        monkeypatch.setattr(cells, name, value)
    monkeypatch.setattr(autoencoder, "STEPS", 30)
    monkeypatch.setattr(sparse, "VISITS", 3000)


@pytest.mark.usefixtures("small")
def test_true_atoms_read_what_probes_cannot_whatever_meets() -> None:
    config = SuperpositionCellConfig(factors=10, dim=6, active=2, supports="halves")
    result, arrays = run_cell(config)
    oracle, probe = result.of(ORACLE), result.of(PROBE)
    assert oracle.held_out is not None
    assert oracle.seen.mcc.value > 0.9
    assert oracle.held_out.mcc.value > 0.9
    assert result.linear is not None
    assert probe.seen.r2.value == pytest.approx(result.linear, abs=0.05)
    assert result.linear < result.most_linear < 0.9
    assert oracle.cosine == pytest.approx(1)
    assert len(arrays) == 2 * len(result.methods)
    assert all(values.shape == (10,) for values in arrays.values())
    assert result.alike > result.shuffled


@pytest.mark.usefixtures("small")
def test_a_network_superposes_by_itself() -> None:
    config = SuperpositionCellConfig(factors=6, dim=3, active=1, network=True)
    result, _ = run_cell(config)
    assert (result.linear, result.transition) == (None, None)
    assert result.linearity is not None
    assert result.of(PROBE).seen.r2.value < result.most_linear + 0.05
    assert result.headline.sentence.startswith("Mean |r| with the factors: linear probe")


@pytest.mark.usefixtures("small")
def test_a_network_sees_images_and_is_asked_of_combinations_that_it_never_saw() -> None:
    config = SuperpositionCellConfig(
        factors=6, dim=3, active=2, supports="halves", network="rendered"
    )
    result, arrays = run_cell(config)
    assert (result.linear, result.transition) == (None, None)
    assert result.linearity is not None
    assert result.linearity_held_out is not None
    assert result.linearity_held_out < result.linearity < 1
    assert len(arrays) == 2 * len(result.methods)
    assert config.world == "6 in 3, 2 at once, halves, rendered"


@pytest.mark.slow
@pytest.mark.drawn
def test_a_table_finds_the_cells_that_were_made(tmp_path: Path) -> None:
    options: dict[str, Any] = {"dim": 4, "ratios": (1,), "seeds": 1, "variants": ()}
    first = run(SuperpositionConfig(**options, active=(2,)), root=tmp_path)
    assert (first.result.status, first.result.found) == ("completed", 0)
    again = run(SuperpositionConfig(**options | {"ratios": (1, 2)}, active=(2,)), root=tmp_path)
    assert again.result.found == len(first.result.cells)
    page = page_of(again.run)
    assert {figure.name for figure in page.figures} == {"k2-seen", "k2-new"}
    assert page.headline.sentence.startswith("Undecided: linear probe")
