from pathlib import Path

import numpy as np
import pandas as pd

from identikit.core.estimate import Estimate, format_cell
from identikit.report.tables import write_table


def test_cells_of_any_type() -> None:
    cells = [None, True, np.float32(0.5), np.int64(10240), np.bool_(False), "x", 0.5]
    assert [format_cell(c) for c in cells] == ["—", "yes", "0.500", "10,240", "no", "x", "0.500"]


def test_a_table_in_three_formats(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a|b": ["x_1", "y"], "R²": [Estimate(0.12345, 0.1, 0.2), 0.5]})
    csv, markdown, latex = write_table(frame, tmp_path / "new" / "scores.v1")
    assert csv.name == "scores.v1.csv"
    back = pd.read_csv(csv)
    assert list(back) == ["a|b", "R²", "R²_low", "R²_high"]
    assert back["R²"].tolist() == [0.12345, 0.5]  # full precision
    assert back["R²_high"].isna().tolist() == [False, True]
    first, rule, row, _ = markdown.read_text().splitlines()
    assert (first, rule) == (r"| a\|b | R² |", "| --- | --- |")
    assert row == "| x_1 | 0.12 [0.10, 0.20] |"
    assert r"x\_1 & 0.12 [0.10, 0.20] \\" in latex.read_text()
