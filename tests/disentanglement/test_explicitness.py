import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tests.disentanglement.codes import generator, grid, noise, perfect, rotated

from identikit.core.errors import InputError
from identikit.disentanglement import explicitness
from identikit.disentanglement.logistic import fit_logistic
from identikit.disentanglement.table import split_rows

LEVELS = grid()


def one_hot(levels: np.ndarray) -> np.ndarray:
    """One code for each level of each factor."""
    return np.concatenate([(z[:, None] == np.unique(z)).astype(float) for z in levels.T], axis=1)


def test_a_code_for_each_level_scores_1() -> None:
    found = explicitness(one_hot(LEVELS), LEVELS, generator=generator())
    assert found.score == 1
    assert (found.chance, found.status, found.axis_aligned) == (0.5, "ok", False)
    assert [len(levels) for levels in found.per_level] == [4, 5, 6]


def test_a_rotation_changes_nothing() -> None:
    code = perfect(LEVELS)
    turned = explicitness(rotated(code), LEVELS, generator=generator()).score
    assert turned == pytest.approx(
        explicitness(code, LEVELS, generator=generator()).score, abs=0.01
    )
    q, _ = np.linalg.qr(noise(15, 15))
    assert explicitness(one_hot(LEVELS) @ q, LEVELS, generator=generator()).score > 0.999


def test_lines_that_compete_name_every_level_of_a_line() -> None:
    assert explicitness(perfect(LEVELS), LEVELS, generator=generator()).score > 0.999


def test_one_line_names_the_outer_levels_of_a_line_alone() -> None:
    found = explicitness(perfect(LEVELS), LEVELS, generator=generator(), variant="one-versus-rest")
    assert found.variant == "one-versus-rest"
    for areas in found.per_level:
        assert areas[0] == areas[-1] == 1
        assert (areas[1:-1] < 0.9).all()


def test_noise_and_dead_codes_score_a_half() -> None:
    assert explicitness(noise(1200), LEVELS, generator=generator()).score == pytest.approx(
        0.5, abs=0.03
    )
    dead = explicitness(np.ones((1200, 2)), LEVELS, generator=generator())
    assert dead.score == 0.5
    assert dead.status == "2 of 2 codes do not vary"


def test_duplicated_codes_change_nothing() -> None:
    code = perfect(LEVELS) + 0.5 * noise(1200)
    doubled = explicitness(np.tile(code, 2), LEVELS, generator=generator()).score
    assert doubled == pytest.approx(
        explicitness(code, LEVELS, generator=generator()).score, abs=1e-3
    )


def test_a_level_that_one_part_lacks_is_said() -> None:
    rare = LEVELS[:, 0].copy()
    rare[0] = 4
    found = explicitness(perfect(LEVELS), rare, generator=generator())
    assert found.status == "1 levels are missing from one part of the rows"
    assert found.per_level[0][4] == 0.5


@pytest.mark.parametrize("variant", ["multinomial", "one-versus-rest"])
def test_areas_are_scikit_learns(variant: str) -> None:
    code = perfect(LEVELS) + noise(1200)
    code = (code - code.mean(axis=0)) / code.std(axis=0)
    found = explicitness(code, LEVELS, generator=generator(), variant=variant)
    train, test = split_rows(1200, share=1 / 3, generator=generator())
    for j, z in enumerate(LEVELS.T):
        model = LogisticRegression(C=1.0, tol=1e-8).fit(code[train], z[train])
        for level in np.unique(z):
            if variant == "one-versus-rest":
                model.fit(code[train], z[train] == level)
            share = model.predict_proba(code[test])[:, level if variant == "multinomial" else 1]
            area = roc_auc_score(z[test] == level, share)
            assert found.per_level[j][level] == pytest.approx(area, abs=2e-3)


@pytest.mark.parametrize("softmax", [True, False])
def test_the_regressions_reach_scikit_learns_optimum(softmax: bool) -> None:
    x = np.random.default_rng(0).normal(size=(400, 6))
    x[:, 5] = x[:, 4] + 0.1 * x[:, 5]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    z = np.digitize(x[:, 0] + x[:, 4] + noise(400, 1)[:, 0], [-1, 1])
    y = (z[:, None] == np.arange(3)).astype(float)
    weight, constant = fit_logistic(x, y, levels=[3], softmax=softmax)

    def loss(w: np.ndarray, b: np.ndarray) -> float:
        f = x @ w + b
        normaliser = np.logaddexp.reduce(f, axis=1) if softmax else np.logaddexp(0, f)
        return float(normaliser.sum() - (y * f).sum() + np.square(w).sum() / 2)

    models = [LogisticRegression(tol=1e-10, max_iter=2000).fit(x, z)]
    if not softmax:
        models = [LogisticRegression(tol=1e-10, max_iter=2000).fit(x, column) for column in y.T]
    best = loss(
        np.concatenate([m.coef_ for m in models]).T, np.concatenate([m.intercept_ for m in models])
    )
    assert best * (1 - 1e-6) <= loss(weight, constant) <= best * (1 + 2e-3)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'multinomial'"):
        explicitness(noise(9), np.arange(9) // 3, generator=generator(), variant="multi")
