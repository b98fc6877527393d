"""The tutorials run as they stand, and say what their text says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"


def run(name: str) -> dict[str, Any]:
    """Execute the code cells of a tutorial, one after the other."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads((TUTORIALS / f"{name}.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


def test_probing_features_tells_what_was_learned() -> None:
    names = run("probe-features")
    assert {finding.verdict for finding in names["alone"].findings} == {"present"}
    assert {finding.quantity: finding.verdict for finding in names["recovery"].findings} == {
        "azimuth": "present, not learned",
        "size": "learned",
        "shape": "learned",
    }
    torn = names["torn"]["azimuth"].recovered
    assert torn.high < names["recovery"]["azimuth"].recovered.low - 0.2


def test_two_models_agree_where_their_heads_read() -> None:
    names = run("compare-models")
    assert names["whole"].high < 0.5
    assert names["read"].low > 0.98
    assert abs(names["comparison"].space("complement")["r2_ab"].estimate.value) < 0.05


@pytest.mark.slow
def test_the_world_is_recovered_as_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("world")
    latents = names["result"].findings[0]
    assert latents.predicted == pytest.approx(1, abs=1e-6)
    assert latents.verdict == "as predicted"
    said = capsys.readouterr().out
    assert float(said.partition("Laplace: R² ")[2][:5]) < 0.99


def test_tutorials_are_kept_without_outputs_and_each_is_tested() -> None:
    found = sorted(TUTORIALS.glob("*.ipynb"))
    assert [path.stem for path in found] == ["compare-models", "probe-features", "world"]
    for path in found:
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") for cell in cells), path.name
