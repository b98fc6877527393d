"""Sparse codes of more factors than dimensions, where no linear map can tell them apart."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import sparse_encode

import identikit as ik
from identikit.core.errors import InputError
from identikit.core.estimate import Estimate
from identikit.core.finding import LEVEL, Verdict
from identikit.unmixing.result import Unmixing
from identikit.unmixing.sparse import Dictionary, encoded, learn_dictionary

RNG = np.random.default_rng(0)
K, D, N = 12, 8, 1500
ATOMS = RNG.normal(size=(K, D))
ATOMS /= np.linalg.norm(ATOMS, axis=1, keepdims=True)
Z = (RNG.random((N, K)) < np.linspace(0.06, 0.14, K)) * RNG.uniform(0.5, 1.5, size=(N, K))
H = Z @ ATOMS


@pytest.fixture(scope="module")
def found() -> Unmixing:
    return ik.unmix(H, Z, codes=K, starts=2)


def test_codes_tell_apart_what_no_linear_map_can(found: Unmixing) -> None:
    assert found.method == "sparse"
    assert found.mcc is not None
    assert found.random is not None
    assert found.mcc.low > 0.9
    assert found.random < found.mcc.low - 0.2
    assert np.mean([own.linear for own in found.factors]) < 0.85
    assert max(own.p for own in found.factors) <= LEVEL  # however many factors Holm corrects for
    assert Verdict.NOT_SHOWN not in {finding.verdict for finding in found.findings}
    assert found.own is not None
    assert isinstance(found.own.held, Estimate)
    assert found.own.held.low > 1
    said = found["z1"].explained
    assert "No linear map of h has it as well" in said
    assert found["mean over factors"].predicted is None
    assert "atoms are in use for a sample" in found["mean over factors"].explained
    assert found["mean over factors"].controls[0].name == "random atoms"


def test_atoms_are_those_of_the_world_and_codes_are_solved_for(found: Unmixing) -> None:
    atoms = np.array(found.weights)
    cosine = np.abs(ATOMS @ atoms).max(axis=1)
    assert np.mean(cosine > 0.95) > 0.8
    y = found.components_of(H)
    assert y.shape == (N, K)
    assert (y >= 0).all()
    assert found.active == pytest.approx(np.mean((y > 0).sum(axis=1)), abs=0.2)
    assert found.coherence == pytest.approx(np.abs(atoms.T @ atoms - np.eye(K)).max(), abs=1e-6)
    use = [own.contrast for own in found.components]
    assert use[0] > use[-1]
    residual = H - y @ atoms.T
    assert (residual**2).sum() < 0.02 * (H**2).sum()


def test_codes_of_known_atoms_are_the_factors_in_rows_never_seen() -> None:
    y = encoded(torch.from_numpy(H), torch.from_numpy(ATOMS), penalty=1e-3).numpy()
    r = [np.corrcoef(y[:, k], Z[:, k])[0, 1] for k in range(K)]
    assert min(r) > 0.98
    lasso = sparse_encode(H[:50], ATOMS, algorithm="lasso_lars", alpha=1e-3, positive=True)
    np.testing.assert_allclose(y[:50], lasso, atol=2e-3)


def test_a_start_is_found_again_by_its_seed() -> None:
    one, other = (
        learn_dictionary(
            torch.from_numpy(H[:300]), codes=5, starts=1, generator=torch.Generator().manual_seed(3)
        )
        for _ in range(2)
    )
    assert torch.equal(one.atoms, other.atoms)
    assert len(one.starts) == 0


def test_json_head_and_bad_input(found: Unmixing) -> None:
    assert Unmixing.from_dict(found.to_dict()) == found
    assert "share of samples" in str(found)
    W = np.eye(D)[:5]
    part = ik.unmix(H[:300], codes=3, head=W, starts=1)
    assert np.abs(np.array(part.weights)[5:]).max() < 1e-9
    assert not part.factors
    given: dict[str, Any] = {"starts": 1}
    for codes in (1, 10_000):
        with pytest.raises(InputError, match="codes must be at least 2 and no more than the 750"):
            ik.unmix(H, codes=codes, **given)


def test_atoms_that_no_sample_uses_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows lie on one side: the atom of the other side is of no use."""

    def learned(x: torch.Tensor, **_: object) -> Dictionary:
        mean = torch.nn.functional.normalize(x.mean(dim=0), dim=0)
        atoms = torch.stack([mean, -mean])
        return Dictionary(atoms=atoms, penalty=1e-3, starts=torch.zeros(0, 2))

    monkeypatch.setattr("identikit.unmixing.unmix.learn_dictionary", learned)
    found = ik.unmix(np.abs(RNG.normal(size=(200, 2))), codes=2, starts=1)
    assert found.status == ("1 of 2 atoms are in use for no held-out sample",)
