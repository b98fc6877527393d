"""`identikit probe` on features of which it is known what is in them, and where."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.cases import rotation

from identikit import cli
from identikit.core.errors import InputError
from identikit.features.inputs import as_factors
from identikit.studies.probe.classic import ClassicScore, classic_scores
from identikit.studies.probe.config import ProbeConfig
from identikit.studies.probe.run import probe, random_projection

N = 600
RNG = np.random.default_rng(0)
COVERED, REST = RNG.normal(size=N), RNG.normal(size=N)
TURN = rotation(6, torch.Generator().manual_seed(0)).numpy()
H = np.column_stack([COVERED, REST, RNG.normal(size=(N, 4))]) @ TURN
OBJECT = np.arange(N) % 40
LEVELS = np.array(["cube", "ball", "cone"])[np.digitize(REST, [-0.4, 0.4])]
X = np.clip(128 + 40 * np.outer(COVERED, np.ones(12)) + 5 * RNG.normal(size=(N, 12)), 0, 255)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-precision shards, a table in another order, the head, an untrained twin."""
    monkeypatch.chdir(tmp_path)
    names = np.array([f"{i:04d}.png" for i in range(N)])
    for k, rows in enumerate(np.split(np.arange(N), 3)):
        np.save(f"features-{k}.npy", H[rows].astype(np.float16))
        np.save(f"keys-{k}.npy", names[rows])
        np.save(f"x-{k}.npy", X[rows].astype(np.uint8).reshape(-1, 4, 3))
    frame = {
        "name": names,
        "covered": COVERED,
        "rest": REST,
        "shape": LEVELS,
        "object": OBJECT,
    }
    pd.DataFrame(frame).iloc[RNG.permutation(N)].to_csv("table.csv", index=False)
    np.save("head.npy", np.outer(np.arange(5), TURN[0]) + TURN[3])  # sees one direction
    np.savez("twin.npz", h=RNG.normal(size=(N, 6)), key=names)


def config(**more: Any) -> ProbeConfig:
    options: dict[str, Any] = {
        "features": (Path(),),
        "factors": Path("table.csv"),
        "key": "name",
        "only": ("covered", "rest", "shape"),
    }
    return ProbeConfig(**options | {"features": tuple(sorted(Path().glob("*-?.npy")))} | more)


def scores(found: Sequence[Any]) -> dict[str, float]:
    return {score.name: score.estimate.value for score in found}


def test_each_factor_is_found_on_the_side_of_the_head_where_it_was_put() -> None:
    found = {s.name: s for s in probe(config(head=Path("head.npy"))).recovery.factors}
    for name, inside, outside in (("covered", 1.0, 0.0), ("rest", 0.0, 1.0)):
        score = found[name]
        assert score.row_space is not None
        assert score.complement is not None
        assert score.row_space.value == pytest.approx(inside, abs=0.06)
        assert score.complement.value == pytest.approx(outside, abs=0.06)
    assert found["shape"].row_space is not None
    assert found["shape"].row_space.low < 1 / 3 < found["shape"].row_space.high
    assert found["shape"].estimate.low > 0.8


def test_observations_and_a_projection_of_them_are_controls_without_being_asked_for() -> None:
    probed = probe(config(controls=("untrained=twin.npz",)))
    assert list(probed.recovery.controls) == ["x", "random projection", "untrained"]
    assert scores(probed.recovery.controls["x"])["covered"] > 0.95
    assert scores(probed.recovery.controls["random projection"])["covered"] > 0.8
    assert scores(probed.recovery.controls["x"])["rest"] < 0.05
    assert scores(probed.recovery.controls["untrained"])["covered"] < 0.05
    assert all(s.p_holm is not None for s in probed.recovery.controls["x"])


def test_wide_observations_are_projected_and_the_page_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("identikit.studies.probe.run.MOST_OBSERVED", 10)
    probed = probe(config())
    assert probed.notes == ("x stands for 10 random directions of its 12 dimensions",)
    assert scores(probed.recovery.controls["x"])["covered"] > 0.8


def test_a_random_projection_keeps_distances_on_average() -> None:
    x = torch.randn(20, 300)
    small = random_projection(x, 4000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cdist(small, small), torch.cdist(x, x), rtol=0.1, atol=1e-3)


def test_what_names_the_items_is_not_selective() -> None:
    wide = np.eye(40)[OBJECT] + 0.01 * RNG.normal(size=(N, 40))  # names the object, nothing else
    values = RNG.normal(size=40)[OBJECT]
    read = RNG.normal(size=N)
    np.savez("names.npz", h=np.column_stack([wide, read]), memorised=values, read=read)
    np.savez("objects.npz", object=OBJECT)
    probed = probe(
        ProbeConfig(features=(Path("names.npz"),), factors=Path("objects.npz"), items="object")
    )
    found = {s.name: s for s in probed.recovery.factors}
    assert list(found) == ["memorised", "read"]
    assert found["memorised"].estimate.low < 0.1  # on objects that were not fitted on
    assert found["memorised"].same_items is not None
    assert found["memorised"].same_items.value > 0.9
    assert found["memorised"].selectivity is not None
    assert found["memorised"].selectivity.value < 0.1
    assert found["read"].estimate.low > 0.9
    assert found["read"].selectivity is None  # it varies within objects


@pytest.mark.drawn
def test_the_page_shows_kinds_p_values_selectivity_controls_and_classic_scores(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identikit.disentanglement.boosting.ROUNDS", 2)
    Path("x-1.npy").unlink()
    np.save("x-1.npy", X[200:400].reshape(-1, 4, 3))
    words = ["probe", *map(str, sorted(Path().glob("*-?.npy"))), "--factors", "table.csv"]
    words += ["--key", "name", "--only", "covered", "shape", "--items", "object"]
    words += ["--classic", "--kinds", "shape=categorical", "--controls", "untrained=twin.npz"]
    cli.main([*words, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["kinds"] == {
        "covered": "continuous (inferred)",
        "shape": "categorical, 3 levels (given)",
    }
    named = {each["name"]: each for each in result["classic"]}
    assert {"DCI disentanglement", "MIG", "SAP", "IRS", "modularity"} < set(named)
    assert named["explicitness"]["axis_aligned"] is False
    assert named["MIG"]["value"] < 0.3  # everything is there, and rotated
    assert named["MIG"]["perfect"] > named["MIG"]["rotated"]
    assert named["T-MEX"]["status"].startswith("T-MEX takes numbers")
    page = (Path(result["run"]) / "report.html").read_text()
    for part in (
        "covered (R²)",
        "(Holm)",
        "selectivity",
        "random projection",
        "untrained",
        "axis-aligned",
        "shape",
    ):
        assert part in page
    cli.main(words)
    captured = capsys.readouterr()
    assert "made before" in captured.err
    assert "(Holm)" in captured.out
    assert "classic scores that mislead here" in captured.out
    assert "a random rotation of the factors has" in page
    again = result["provenance"]["command"].split()
    assert again[:2] == ["identikit", "probe"]
    cli.main([*again[1:], "--out", "again", "--json"])
    assert json.loads(capsys.readouterr().out)["scores"] == result["scores"]


def test_a_skipped_shard_is_named_in_the_result_and_on_the_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("features-1.npy").write_bytes(Path("features-1.npy").read_bytes()[:-10])
    words = ["probe", *map(str, sorted(Path().glob("*-?.npy"))), "--factors", "table.csv"]
    words += ["--key", "name", "--only", "covered", "rest"]
    with pytest.raises(SystemExit):
        cli.main(words)
    assert "features-1.npy" in capsys.readouterr().err
    cli.main([*words, "--skip-corrupt", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["notes"][0].startswith("features-1.npy: ")
    assert result["recovery"]["n_train"] + result["recovery"]["n_test"] == 400
    assert "features-1.npy: " in (Path(result["run"]) / "report.html").read_text()


def test_every_file_decides_which_run_it_is() -> None:
    first = config(head=Path("head.npy"), controls=("untrained=twin.npz",)).with_digest()
    assert first == config(head=Path("head.npy"), controls=("untrained=twin.npz",)).with_digest()
    digests = {first.sha256}
    for path in ("table.csv", "head.npy", "twin.npz", "keys-2.npy"):
        Path(path).write_bytes(Path(path).read_bytes() + b" ")
        again = config(head=Path("head.npy"), controls=("untrained=twin.npz",)).with_digest()
        digests.add(again.sha256)
    assert len(digests) == 5
    with pytest.raises(InputError, match="no features are given"):
        ProbeConfig(features=()).with_digest()
    with pytest.raises(InputError, match="controls takes NAME=PATH"):
        config(controls=("twin.npz",)).with_digest()


def test_a_classic_score_that_cannot_be_had_costs_no_other() -> None:
    rare = np.zeros(N)
    rare[:2] = 1  # held out, one level may be alone
    factors = as_factors({"shape": LEVELS, "rare": rare.astype(int)})
    found = classic_scores(torch.as_tensor(H), factors, seed=0)
    assert {score.name for score in found if score.value is not None} >= {"MIG", "IRS"}
    assert all(score.status for score in found)


def misled(
    n: int, codes: int, shared: float, monkeypatch: pytest.MonkeyPatch
) -> dict[str, ClassicScore]:
    """Scores of rotated factors with noise beside them; of few trees."""
    monkeypatch.setattr("identikit.disentanglement.boosting.ROUNDS", 2)
    generator = torch.Generator().manual_seed(0)
    z = (1 - shared) ** 0.5 * torch.randn(n, 4, generator=generator)
    z += shared**0.5 * torch.randn(n, 1, generator=generator)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator)).Q
    h = torch.cat([z @ turn, torch.randn(n, codes - 4, generator=generator)], dim=1)
    found = classic_scores(h, as_factors(z), seed=0)
    return {score.name: score for score in found}


def test_classic_scores_say_where_they_mislead(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = misled(600, 8, 0.0, monkeypatch)
    assert "a random rotation of the factors has" in plain["modularity"].warning
    for name in ("MIG", "SAP", "IRS", "DCI disentanglement", "DCI completeness"):
        assert plain[name].warning == ""
    dci = plain["DCI disentanglement"]
    assert dci.shuffled is not None
    assert dci.rotated is not None
    assert dci.perfect is not None
    assert dci.shuffled < 0.2 < dci.perfect
    assert dci.rotated < dci.perfect / 2
    guessed = plain["DCI informativeness"]
    assert guessed.chance == pytest.approx(1 / 20)
    assert "rotation" not in guessed.warning  # it does not ask for axes
    few = misled(80, 30, 0.7, monkeypatch)
    assert "codes that know nothing have" in few["BetaVAE"].warning
    assert "codes that know nothing" not in plain["BetaVAE"].warning
    for name in ("MIG", "InfoM", "SAP", "DCI disentanglement"):
        assert "the factors themselves have only" in few[name].warning
    assert few["T-MEX"].perfect == 1  # as numbers: levels would lose what tells factors apart


def test_a_warning_needs_its_reason() -> None:
    fair = ClassicScore(
        name="MIG",
        value=0.5,
        chance=None,
        variant="adjusted",
        axis_aligned=True,
        rows=100,
        status="ok",
        shuffled=0.09,
        rotated=0.5,
        perfect=0.95,
    )
    assert fair.warning == ""
    assert replace(fair, perfect=None).warning == ""
    assert replace(fair, shuffled=0.2).warning == "MIG: codes that know nothing have 0.20"
    assert replace(fair, shuffled=0.2, chance=0.15).warning == ""
    assert "a random rotation of the factors has 0.60" in replace(fair, rotated=0.6).warning
    assert replace(fair, rotated=0.6, axis_aligned=False).warning == ""
    assert "the factors themselves have only 0.85" in replace(fair, perfect=0.85).warning
