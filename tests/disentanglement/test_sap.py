import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from tests.disentanglement.codes import generator, grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import sap
from identikit.disentanglement.table import split_rows

LEVELS = grid()


def test_a_perfect_code_reaches_the_ceiling() -> None:
    found = sap(perfect(LEVELS), LEVELS, generator=generator())
    assert found.ceiling == pytest.approx(1 - np.mean([1 / 4, 1 / 5, 1 / 6]))
    assert found.score == pytest.approx(found.ceiling, abs=0.05)
    assert np.diag(found.predictability) == pytest.approx(np.ones(3))
    assert (found.variant, found.status, found.axis_aligned) == ("threshold", "ok", True)
    linear = sap(perfect(LEVELS), LEVELS, generator=generator(), variant="linear")
    assert linear.score == pytest.approx(1)
    assert linear.ceiling == 1


@pytest.mark.parametrize("variant", ["threshold", "linear"])
def test_rotated_duplicated_and_random_codes_score_low(variant: str) -> None:
    code = perfect(LEVELS)
    for codes, most in ((rotated(code), 0.15), (np.tile(code, 2), 1e-9), (noise(1200), 0.05)):
        assert sap(codes, LEVELS, generator=generator(), variant=variant).score < most


@pytest.mark.parametrize("variant", ["threshold", "linear"])
def test_dead_codes_change_nothing(variant: str) -> None:
    code = perfect(LEVELS) + 0.3 * noise(1200)
    dead = sap(np.insert(code, 0, 5, axis=1), LEVELS, generator=generator(), variant=variant)
    alone = sap(code, LEVELS, generator=generator(), variant=variant)
    assert dead.score == pytest.approx(alone.score, abs=1e-12)
    assert dead.status == "1 of 4 codes do not vary"


def test_one_line_cannot_name_the_middle_levels_but_cuts_can() -> None:
    code, z = perfect(LEVELS)[:, 2:], LEVELS[:, 2]
    line = LinearSVC(C=0.01, class_weight="balanced").fit(code, z).score(code, z)
    assert line < 0.6
    found = sap(code, z, generator=generator())
    assert found.predictability[0, 0] == 1


def test_cuts_do_as_well_as_a_tree_with_balanced_weights() -> None:
    code, z = perfect(LEVELS) + 0.5 * noise(1200), LEVELS[:, 1]
    z = np.where(np.random.default_rng(0).random(1200) < 0.6, 0, z)
    train, test = split_rows(1200, share=1 / 3, generator=generator())
    found = sap(code, z, generator=generator()).predictability[1, 0]
    tree = DecisionTreeClassifier(max_leaf_nodes=20, class_weight="balanced", random_state=0)
    tree.fit(code[train, 1:2], z[train])
    score = balanced_accuracy_score(z[test], tree.predict(code[test, 1:2]))
    assert found == pytest.approx(score, abs=0.05)


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_linear_is_the_squared_correlation_of_continuous_factors(far: float) -> None:
    z = noise(500, 2)
    codes = np.concatenate([z + noise(500, 2, seed=4), noise(500, 1, seed=5) + far], axis=1)
    found = sap(codes, z + far, generator=generator(), variant="linear")
    expected = np.square(np.corrcoef(codes.T, z.T)[:3, 3:])
    np.testing.assert_allclose(found.predictability, expected, atol=1e-12 if far == 0 else 1e-9)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match="variant of SAP"):
        sap(noise(9), noise(9), generator=generator(), variant="svm")
