"""The four cases of theorem 1: what each promises, and when unit rows leave only a rotation."""

import pytest
import torch
from tests.cases import rotation
from tests.theory.conftest import make_world
from torch import Tensor
from torch.nn.functional import normalize

from identikit.theory.assumptions import DIVERSE, check_assumptions
from identikit.theory.cases import Case, Promise, diversity, promise


def vectors(classes: int, dim: int, *, seed: int = 0) -> Tensor:
    """Uniform on the sphere."""
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(classes, dim, generator=generator, dtype=torch.float64))


def test_a_case_is_what_has_unit_norm() -> None:
    for case in Case:
        assert Case.of(unit_features=case.unit_features, unit_rows=case.unit_rows) is case
    assert {case for case in Case if case.unit_features} == {Case.C1, Case.C2}
    assert {case for case in Case if case.unit_rows} == {Case.C1, Case.C3}


@pytest.mark.parametrize("case", [Case.C1, Case.C2, Case.C3])
def test_what_is_promised_is_the_true_posterior_and_of_unit_norm(case: Case) -> None:
    kappa, beta = 7.0, 7.0 if case is Case.C1 else 1.0
    kept = promise(case, kappa=kappa, temperature=beta)
    assert kept.length_of_h is not None
    assert kept.length_of_rows is not None
    assert kept.one_rotation
    assert kept.temperature == (kappa if case is Case.C1 else None)
    z, v, o = vectors(100, 3), vectors(20, 3, seed=1), rotation(3, torch.Generator().manual_seed(2))
    psi = torch.full((3,), 0.4 if kept.constant is None else kept.constant).double()
    h, rows = kept.length_of_h * z @ o, kept.length_of_rows * v @ o + psi
    model = torch.log_softmax(beta * h @ rows.T, dim=1)
    torch.testing.assert_close(model, torch.log_softmax(kappa * z @ v.T, dim=1))
    for unit, these in ((case.unit_features, h), (case.unit_rows, rows)):
        assert bool(((these.norm(dim=1) - 1).abs() < 1e-9).all()) == unit


def test_free_features_and_rows_promise_no_length() -> None:
    assert promise(Case.C4, kappa=7.0, temperature=1.0) == Promise()


@pytest.mark.parametrize(("classes", "holds"), [(5, False), (6, False), (8, False), (9, True)])
def test_three_dimensions_need_nine_classes_to_be_diverse_in_every_basis(
    classes: int, holds: bool
) -> None:
    found = diversity(vectors(classes, 3))
    assert (found.needed, found.needed_of_products) == (6, 9)
    assert found.rank == min(classes, 6)
    assert found.rank_of_products == min(classes, 9)
    assert found.holds is holds
    assert (found.smallest > 0) == (classes >= 6)


def test_diversity_by_products_is_that_of_squares_in_every_basis() -> None:
    v = vectors(40, 3)
    assert diversity(v).holds
    for seed in range(5):
        turned = v @ rotation(3, torch.Generator().manual_seed(seed))
        assert diversity(turned).rank == 6
        assert diversity(turned).smallest >= diversity(v).smallest_of_products
    axes = torch.cat([torch.eye(3), -torch.eye(3)]).double()  # 2 d classes
    eighth = torch.eye(3, dtype=torch.float64)
    eighth[:2, :2] = torch.tensor([[1, -1], [1, 1]]) / 2**0.5
    assert (diversity(axes).rank, diversity(axes @ eighth).rank) == (6, 5)
    assert not diversity(axes).holds


def unit_rows_that_are_no_rotation(v: Tensor) -> tuple[Tensor, Tensor]:
    """B and psi with |B v_i + psi| = 1 for all i, B far from orthogonal.

    Any null vector (M, u) of the products: B'B = s + M and psi = B'^-1 u / 2 with s = 1 - |psi|².
    """
    d = v.shape[1]
    products = torch.cat([(v[:, :, None] * v[:, None, :]).flatten(1), v], dim=1)
    null = torch.linalg.svd(products).Vh[-1]
    form, u = null[:-d].reshape(d, d), null[-d:]
    form = (form + form.T) / 2
    s = 1.0
    size = 0.5 / max(float(torch.linalg.eigvalsh(form).abs().max()), float(u.norm()))
    for _ in range(200):  # s and psi depend on each other
        gram = s * torch.eye(d, dtype=torch.float64) + size * form
        psi = torch.linalg.solve(torch.linalg.cholesky(gram), size * u / 2)
        s = 1 - float(psi.square().sum())
    return torch.linalg.cholesky(gram).T, psi


def test_with_fewer_classes_than_products_unit_rows_leave_more_than_a_rotation() -> None:
    """2 d classes, as many as the paper's appendix asks for: an exact optimum of C3, stretched."""
    dim, kappa = 5, 10.0
    v = vectors(2 * dim, dim)
    found = diversity(v)
    assert found.rank == found.needed == 10
    assert not found.holds
    b, psi = unit_rows_that_are_no_rotation(v)
    rows = v @ b.T + psi
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(2 * dim, dtype=torch.float64))
    z = vectors(500, dim, seed=1)
    h = kappa * z @ torch.linalg.inv(b)  # A'B = kappa
    model = torch.log_softmax(h @ rows.T, dim=1)
    torch.testing.assert_close(model, torch.log_softmax(kappa * z @ v.T, dim=1))
    stretch = torch.linalg.svdvals(b)
    assert float(stretch[0] / stretch[-1]) > 1.3
    assert float(psi.norm()) > 0.05


def test_c3_alone_asks_for_diverse_data(generator: torch.Generator) -> None:
    def checks(case: Case, classes: int) -> dict[str, bool]:
        world = make_world(dim=3, classes=classes)
        found = check_assumptions(world, case=case, generator=generator)
        return {check.name: check.holds for check in found}

    assert checks(Case.C3, 20)[DIVERSE]
    assert not checks(Case.C3, 6)[DIVERSE]
    for case in (Case.C1, Case.C2, Case.C4):
        assert DIVERSE not in checks(case, 20)
