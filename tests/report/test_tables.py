import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from identikit.core.estimate import Estimate, Spread, format_cell
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


HARD = pd.DataFrame(
    {
        "score R²": ["a_b & 50 % $x$ #1 {y} ~ ^ \\", "κ = 5 − β", "λ|θ\n\n\x1b[31m\u202eΣ"],
        "value": [Estimate(-0.5, -0.6, -0.4), 2.1e-5, "\\input{/etc/passwd} \\write18{touch ran}"],
        "spread": [Spread(0.99, 0.01, 5), None, "\\end{tabular} %"],
    }
)


def test_latex_has_signs_and_powers_that_any_latex_knows(tmp_path: Path) -> None:
    text = write_table(HARD, tmp_path / "t")[2].read_text()
    assert text.isascii()
    for part in (r"R$^{2}$", r"$-$0.50", r"2.1 $\times$ 10$^{-5}$", r"$\pm$", r"$\kappa$ = 5"):
        assert part in text
    assert r"$\lambda$|$\theta$\textbackslash n\textbackslash n\textbackslash x1b[31m" in text


def test_every_row_is_one_line_of_markdown(tmp_path: Path) -> None:
    lines = write_table(HARD, tmp_path / "t")[1].read_text().splitlines()
    assert len(lines) == 2 + len(HARD)
    assert all(line.replace(r"\|", "").count("|") == 4 for line in lines)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles(tmp_path: Path) -> None:
    write_table(HARD, tmp_path / "t")
    document = (
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{t}\end{document}"
    )
    (tmp_path / "d.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "d.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not (tmp_path / "ran").exists()
