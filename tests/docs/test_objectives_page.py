"""The page on objectives: its own objective trains, and is what its formula says."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"


@pytest.mark.filterwarnings("ignore")  # a user's script does not turn them into errors
def test_an_objective_of_ones_own_trains_and_is_scored() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    generator = torch.Generator().manual_seed(0)
    y, target = torch.randn(8, 3, generator=generator), torch.arange(4).repeat_interleave(2)
    expected = 0.0
    for i in range(4):
        for j in range(4):
            product = float(y[2 * i] @ y[2 * j + 1])
            expected += -2 * product / 4 if i == j else product**2 / 12
    got = names["objective"].loss(y, target, generator=generator)
    assert float(got) == pytest.approx(expected, rel=1e-5)
    x, target = names["draw"](512, generator)
    with torch.no_grad():
        trained = names["objective"].loss(names["encoder"](x), target, generator=generator)
    assert float(trained) < -0.5  # that of h = 0 is 0, that of the constant alone -1
    assert names["recovery"].latents.affine.mean.value <= 1
