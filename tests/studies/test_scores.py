"""Which scores to trust: constructions are what they say, and words follow from numbers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr

from identikit.core.errors import InputError
from identikit.core.finding import Verdict
from identikit.core.linalg import least_squares, r2_score
from identikit.runs.lookup import page_of
from identikit.runs.run_config import run
from identikit.studies.scores import study
from identikit.studies.scores.config import ScoresConfig
from identikit.studies.scores.constructions import ENCODERS, Setting, UpTo
from identikit.studies.scores.measure import SCORES, Cell, measured, settings
from identikit.studies.scores.page import scores_page
from identikit.studies.scores.result import ScoresResult

SMALL = ScoresConfig(seeds=1, samples=100)


def drawn(structure: str, encoder: str) -> tuple[torch.Tensor, torch.Tensor]:
    return Setting(structure, encoder, 2000, 4).draw(torch.Generator().manual_seed(0))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_codes_hold_the_factors_up_to_what_is_said(encoder: str) -> None:
    h, z = drawn("independent", encoder)
    up_to = ENCODERS[encoder][1]
    fit = least_squares(h, z)
    linear = r2_score(h @ fit.coefficient + fit.intercept, z).min().item()
    assert (linear > 0.999) == (UpTo.LINEAR in up_to)
    ranks = abs(spearmanr(h.numpy(), z.numpy()).statistic[: h.shape[1], h.shape[1] :]).max(axis=0)
    assert (ranks.min() > 0.999) == (UpTo.COMPONENTS in up_to)


def test_mixed_codes_are_neither_and_hold_everything() -> None:
    h, z = drawn("independent", "mixed")
    fit = least_squares(h, z)
    assert r2_score(h @ fit.coefficient + fit.intercept, z).max() < 0.1
    torch.testing.assert_close(h.norm(dim=1), z.norm(dim=1))  # turned, nothing else


def test_structures_are_what_they_say() -> None:
    z = drawn("correlated", "identity")[1]
    r = torch.corrcoef(z.T)[~torch.eye(4, dtype=torch.bool)]
    assert (r - 0.7).abs().max() < 0.05
    z = drawn("dependent", "identity")[1]
    torch.testing.assert_close(z[:, -1], (z[:, 0] + z[:, 1]) / 2**0.5)
    h, z = drawn("dropped", "identity")
    assert h.shape[1] == 3
    assert torch.corrcoef(torch.cat([h, z[:, -1:]], dim=1).T)[-1, :-1].abs().max() < 0.1
    assert Setting("correlated, dropped", "rotated", 10, 4).truth(UpTo.LINEAR) == 0.75
    assert Setting("independent", "padded", 10, 4, 9).draw(torch.Generator())[0].shape == (10, 9)


def test_scores_of_the_factors_themselves_are_1_and_of_nothing_0() -> None:
    perfect = measured(Setting("independent", "identity", 300, 4), seed=0).scores
    assert list(perfect) == list(SCORES)
    assert min(value for name, value in perfect.items() if name != "explicitness") > 0.7
    nothing = measured(Setting("independent", "nothing", 300, 4), seed=0).scores
    del nothing["T-MEX"]  # what its tests reject by chance counts as meant
    assert max(nothing.values()) < 0.2


def made(change: Callable[[str, Setting], float] = lambda name, setting: 0.0) -> ScoresResult:
    """All cells of one seed, with every score at the truth but for the changes."""
    cells = [
        Cell(
            setting=setting,
            seed=0,
            scores={
                name: setting.truth(up_to) + change(name, setting) for name, up_to in SCORES.items()
            },
        )
        for setting in settings(SMALL)
    ]
    return ScoresResult(cells=tuple(cells))


def test_scores_at_the_truth_are_right_everywhere() -> None:
    result = made()
    assert result.headline.sentence.startswith("16 of 16 scores are right of all 35")
    assert all(finding.verdict is Verdict.AS_PREDICTED for finding in result.findings)
    assert result["MIG"].explained.endswith("Right everywhere.")


def test_what_is_said_of_a_score_follows_its_errors() -> None:
    def change(name: str, setting: Setting) -> float:
        if name != "MCC":
            return 0.0
        if setting.codes:
            high = setting.encoder == "nothing" and setting.samples == 50 and setting.factors == 25
            return 0.4 if high else 0.05
        if setting.encoder == "rotated":
            return 0.5 + 0.3 * (setting.structure == "correlated")
        return -0.25 * (setting.encoder == "cubed" and not setting.structure.endswith("dropped"))

    result = made(change)
    words = result["MCC"].explained
    assert "Too high for rotated (+0.50)." in words
    assert "Too low for cubed (−0.25)." in words
    assert "Otherwise where factors are correlated: rotated (+0.80)." in words
    assert "are dependent" not in words  # the same as where they are independent
    assert "Codes that know nothing reach 0.40 with 50 samples of 50 codes and 25 factors" in words
    assert "The factors themselves fall" not in words
    assert result["MCC"].verdict is Verdict.LESS
    assert "MCC" not in result.headline.sentence.replace("MCC,", "").replace("MCC of", "")
    assert result["MIG"].verdict is Verdict.AS_PREDICTED


def test_a_score_below_0_counts_as_0() -> None:
    result = made(lambda name, setting: -3.0 * (setting.encoder == "nothing"))
    assert result["T-MEX"].verdict is Verdict.AS_PREDICTED


@pytest.mark.drawn
def test_a_run_that_was_stopped_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Setting] = []

    def quick(setting: Setting, seed: int) -> Cell:
        if len(asked) == 5 and stops:
            raise KeyboardInterrupt
        asked.append(setting)
        return Cell(setting=setting, seed=seed, scores=dict.fromkeys(SCORES, 0.5))

    stops = True
    monkeypatch.setattr(study, "measured", quick)
    config = replace(SMALL, sizes=False)
    with pytest.raises(KeyboardInterrupt):
        run(config, root=tmp_path)
    stops = False
    done = run(config, root=tmp_path)
    assert len(asked) == 35
    assert len(done.result.cells) == 35
    page = page_of(done.run)
    names = [figure.name for figure in page.figures]
    assert "by-how-much-too-high-by-encoder" in names
    assert len(names) == 4  # sizes were not asked for
    sizes = scores_page(done.run, made()).figures[4:]
    assert [figure.name for figure in sizes] == [
        "codes-that-know-nothing-by-samples-factors-codes",
        "the-factors-by-samples-factors-codes",
    ]
    assert json.loads((done.run.path / "result.json").read_text())["headline"]


def test_an_odd_number_of_factors_is_refused() -> None:
    with pytest.raises(InputError, match="factors must be even; got 5"):
        ScoresConfig(factors=5)
    with pytest.raises(InputError, match="samples must be at least 100"):
        ScoresConfig(samples=20)
