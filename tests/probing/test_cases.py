"""Maps of known length, rotation and constant are found again; each measure moves with its flaw."""

from dataclasses import fields
from typing import Any

import pytest
import torch
from tests.cases import mixing, rotation
from torch import Tensor
from torch.nn.functional import normalize

from identikit.core.estimate import Estimate
from identikit.probing.cases import CaseScores, case_scores
from identikit.theory.cases import Case, Promise, promise

N, CLASSES, DIM, KAPPA = 1000, 60, 3, 8.0


def sphere(n: int, *, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, DIM, generator=generator, dtype=torch.float64))


def planted(
    case: Case, *, turn: Tensor | None = None, **changes: Any
) -> tuple[CaseScores, Promise]:
    """The optimum of a case, its rows turned further by `turn`."""
    beta = KAPPA if case is Case.C1 else 1.0
    kept = promise(case, kappa=KAPPA, temperature=beta)
    o = rotation(DIM, torch.Generator().manual_seed(3))
    z, v = sphere(N, seed=1), sphere(CLASSES, seed=2)
    own = o if turn is None else o @ turn
    h = (kept.length_of_h or 1) * z @ o
    rows = (kept.length_of_rows or 1) * v @ own
    given: dict[str, Any] = {
        "h": h,
        "z": z,
        "rows": rows,
        "row_class": torch.arange(CLASSES),
        "class_vectors": v,
        "temperature": beta,
        "promise": kept,
        "seed": 0,
    } | changes
    found = case_scores(**given)
    assert found is not None
    return found, kept


@pytest.mark.parametrize("case", [Case.C1, Case.C2, Case.C3])
def test_the_optimum_of_a_case_is_what_it_promises(case: Case) -> None:
    found, kept = planted(case)
    assert found.length_of_h.value == pytest.approx(kept.length_of_h)
    assert found.length_of_rows.value == pytest.approx(kept.length_of_rows)
    nothing = ("error_of_h", "error_of_rows", "constant", "own_rotations", "one_rotation", "apart")
    for name in nothing:
        assert getattr(found, name).value == pytest.approx(0, abs=1e-9), name
    assert found.unequal_rows is None
    for field in fields(found):
        got = getattr(found, field.name)
        if isinstance(got, Estimate):
            assert got.low <= got.value <= got.high


@pytest.mark.parametrize(("angle", "least"), [(0.2, 0.005), (0.6, 0.05), (1.5, 0.3)])
def test_one_rotation_misses_rows_that_are_turned_apart(angle: float, least: float) -> None:
    flat = torch.eye(DIM, dtype=torch.float64)
    s, c = torch.tensor([angle]).sin().item(), torch.tensor([angle]).cos().item()
    flat[:2, :2] = torch.tensor([[c, -s], [s, c]])
    found, _ = planted(Case.C1, turn=flat)
    assert found.own_rotations.value == pytest.approx(0, abs=1e-9)
    assert found.apart.value == pytest.approx(found.one_rotation.value)
    assert found.one_rotation.low > least
    # halfway turns both by angle / 2 in two of three dimensions; the length shrinks to fit
    left = 1 - ((1 + 2 * torch.tensor(angle / 2).cos().item()) / 3) ** 2
    assert found.one_rotation.value == pytest.approx(left, abs=0.25 * left)


@pytest.mark.parametrize("case", [Case.C2, Case.C4])
def test_the_constant_of_the_rows_is_found(case: Case) -> None:
    v = sphere(CLASSES, seed=2)
    psi = torch.tensor([0.6, -0.2, 0.3], dtype=torch.float64)
    turned = v @ rotation(DIM, torch.Generator().manual_seed(3))
    found, _ = planted(case, rows=KAPPA * turned + psi)
    assert found.constant.value == pytest.approx(0.7 / KAPPA)
    assert found.length_of_rows.value == pytest.approx(KAPPA)
    assert found.one_rotation.value == pytest.approx(0, abs=1e-9)


def test_a_stretched_map_has_the_singular_values_it_has() -> None:
    z, stretch = sphere(N, seed=1), torch.linspace(1, 3, DIM, dtype=torch.float64)
    h = z @ mixing(DIM, torch.Generator().manual_seed(4))  # singular values 1 to 3
    found, _ = planted(Case.C1, h=h)
    assert found.length_of_h.value == pytest.approx(2)
    assert found.error_of_h.value == pytest.approx(float((stretch - 1).abs().mean()))
    assert found.one_rotation.value > 0.05
    free, _ = planted(Case.C1, h=h, promise=Promise())
    assert free.error_of_h.value == pytest.approx(float((stretch / 2 - 1).abs().mean()))


def test_rows_of_a_class_are_as_unequal_as_they_were_made() -> None:
    generator = torch.Generator().manual_seed(5)
    copies, spread = 20, 0.3
    v = sphere(CLASSES, seed=2)
    noise = torch.randn(CLASSES * copies, DIM, generator=generator, dtype=torch.float64)
    of_row = torch.arange(CLASSES).repeat(copies)
    found, _ = planted(Case.C4, rows=v[of_row] + spread * noise, row_class=of_row)
    assert found.unequal_rows is not None
    between = (v - v.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    expected = spread * DIM**0.5 / float(between)
    assert found.unequal_rows.low < expected < found.unequal_rows.high
    assert found.unequal_rows.value == pytest.approx(expected, rel=0.05)
    copied, _ = planted(Case.C4, rows=v[of_row], row_class=of_row)
    assert copied.unequal_rows is not None
    assert copied.unequal_rows.value == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_length_of_a_noisy_map() -> None:
    """Of twenty draws of noise, at least sixteen intervals hold the length that was planted."""
    z = sphere(400, seed=1)
    held = 0
    for seed in range(20):
        noise = torch.randn(400, DIM, generator=torch.Generator().manual_seed(seed))
        found, _ = planted(Case.C1, h=2 * z + 0.5 * noise.double(), z=z)
        held += found.length_of_h.low <= 2 <= found.length_of_h.high
    assert held >= 16


def test_nothing_is_said_where_no_map_is_fixed() -> None:
    z, v = sphere(N, seed=1), sphere(DIM + 1, seed=2)
    given: dict[str, Any] = {
        "h": z,
        "z": z,
        "rows": v,
        "row_class": torch.arange(DIM + 1),
        "class_vectors": v,
        "temperature": 1.0,
        "promise": Promise(),
        "seed": 0,
    }
    assert case_scores(**given) is None
    wide = torch.cat([z, z], dim=1)
    more = sphere(CLASSES, seed=2)
    rows = {"rows": torch.cat([more, more], dim=1), "class_vectors": more}
    assert case_scores(**given | rows | {"h": wide, "row_class": torch.arange(CLASSES)}) is None
