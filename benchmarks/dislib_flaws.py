"""What each flaw of the published DisLib code does to its numbers, one at a time, on our features.

Features of the same images (pixels, an MLP taught the shape, the same before training) are decoded
the corrected way, and then with one flaw put back:

    D2  factors divided by their second level and truncated to whole numbers
    D3  no constant in the map; targets are centred, features are not
    D4  pseudo-inverse of a float32 Gram matrix with NumPy's cut-off of 1e-15
    D5  validation images (which chose when to stop) in place of test images;
        circles and nominal factors as one number; images of 0 and 1 divided by 255

    python -m benchmarks.dislib_flaws [--images 8000] [--epochs 20]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from identikit.core.files import write_json
from identikit.studies.paper.dislib import pictures
from identikit.studies.paper.dislib.cell import Cell
from identikit.studies.paper.dislib.config import CellConfig
from identikit.studies.paper.dislib.sources import image_grid
from identikit.worlds.grids.registry import DATA_SETS

RESULTS = Path(__file__).parent / "results"
Array = NDArray[np.float64]
Scores = dict[str, tuple[float, float]]
"""Factor to Pearson's r and R², means over its columns."""


def truncated(values: Array) -> NDArray[np.int64]:
    """The published code's whole numbers: scaled to 0..1, over the second level, cut off."""
    scaled = (values - values.min()) / (values.max() - values.min())
    return (scaled / np.unique(scaled)[1]).astype(int)


def lost_levels() -> list[dict[str, object]]:
    """Factors of the six data sets that truncation changes, by how levels were scaled."""
    rows: list[dict[str, object]] = []
    for name, data in DATA_SETS.items():
        for factor in data.grid.axes:
            k = np.arange(factor.size, dtype=float)
            forms = {"k / (K - 1)": k / (factor.size - 1), "k / K": k / factor.size}
            forms["linspace(0, 1, K)"] = np.linspace(0, 1, factor.size)
            for form, values in forms.items():
                code = truncated(values)
                wrong = float((code != k).mean())
                row: dict[str, object] = {"set": name, "factor": factor.name, "from": form}
                row |= {"levels": factor.size, "left": len(np.unique(code)), "relabelled": wrong}
                rows += [row] if wrong else []
    return rows


class Decoded:
    """One set of features and all ways to decode it."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self.targets = cell, cell.targets
        parts = (cell.training, cell.validation, cell.test)
        self.h = [cell.seen.features(part).numpy() for part in parts]  # float32
        self.index = [cell.pictures.index[part] for part in parts]

    def y(self, part: int) -> Array:
        """Cosine and sine, indicators, values."""
        return self.targets.at(self.index[part]).numpy()

    def codes(self, part: int) -> Array:
        """Every factor as one whole number."""
        return self.index[part].double().numpy()

    def truncated(self, part: int) -> Array:
        """The same after the published truncation of the factor's values."""
        columns = []
        for j, factor in enumerate(self.targets.axes):
            code = truncated(np.arange(factor.size) / factor.size)  # as k/10 is stored
            columns.append(code[self.index[part][:, j].numpy()])
        return np.column_stack(columns).astype(float)

    def corrected(self, y: Array, test: int = 2) -> Array:
        """Least squares with a constant, float64, relative cut-off."""
        h = self.h[0].astype(np.float64)
        centre, size = h.mean(0), h.std(0)
        unit = np.where(size > 1e-6 * size.max(), 1 / np.maximum(size, 1e-300), 0)
        fit = np.linalg.lstsq((h - centre) * unit, y - y.mean(0), rcond=1e-6)[0]
        return (self.h[test].astype(np.float64) - centre) * unit @ fit + y.mean(0)

    def without_constant(self, y: Array) -> Array:
        """D3."""
        h = self.h[0].astype(np.float64)
        return self.h[2] @ np.linalg.lstsq(h, y - y.mean(0), rcond=1e-8)[0] + y.mean(0)

    def float32_gram(self, y: Array) -> Array:
        """D4, with a constant."""
        h, test = (
            np.column_stack([x, np.ones(len(x), np.float32)]) for x in (self.h[0], self.h[2])
        )
        fit = np.linalg.pinv(h.T @ h, rcond=1e-15) @ (h.T @ y.astype(np.float32))
        return (test @ fit).astype(np.float64)

    def scores(self, prediction: Array, truth: Array, *, codes: bool = False) -> Scores:
        """Mean over the columns of each factor."""
        with np.errstate(all="ignore"):
            p, t = prediction - prediction.mean(0), truth - truth.mean(0)
            r = (p * t).sum(0) / np.sqrt((p**2).sum(0) * (t**2).sum(0))
        r2 = 1 - ((truth - prediction) ** 2).sum(0) / (t**2).sum(0)
        columns = [slice(j, j + 1) for j in range(len(self.targets.axes))]
        owners = columns if codes else self.targets.columns
        return {
            f.name: (float(r[c].mean()), float(r2[c].mean()))
            for f, c in zip(self.targets.axes, owners, strict=True)
        }

    def all(self) -> dict[str, Scores]:
        """The corrected numbers, then one flaw at a time."""
        y = self.y(0)
        scalar, cut = self.codes(0), self.truncated(0)
        return {
            "corrected": self.scores(self.corrected(y), self.y(2)),
            "D2 truncated": self.scores(self.corrected(cut), self.truncated(2), codes=True),
            "D3 no constant": self.scores(self.without_constant(y), self.y(2)),
            "D4 float32 Gram": self.scores(self.float32_gram(y), self.y(2)),
            "D5 validation": self.scores(self.corrected(y, 1), self.y(1)),
            "D5 one number": self.scores(self.corrected(scalar), self.codes(2), codes=True),
        }


def features(world: str, images: int, epochs: int) -> dict[str, dict[str, Scores]]:
    """Every set of features of a world, decoded every way."""
    found, options = {}, {"world": world, "task": "shape", "size": 32, "images": images}
    grid = image_grid(world)

    def cell(encoder: str) -> Cell:
        config = CellConfig(encoder=encoder, epochs=epochs, batch_size=256, **options)
        return Cell(config, grid)

    if world == "sprites":  # 3,072 float32 pixels of rooms take NumPy's pinv minutes
        found["pixels"] = Decoded(cell("pixels")).all()
    mlp = cell("mlp")
    found["MLP, untrained"] = Decoded(mlp).all()
    _, trained = mlp.train()
    found["MLP"] = Decoded(mlp).all()
    print(world, "validation accuracy", trained.history[-1]["accuracy"], flush=True)
    if world == "sprites":
        normal = pictures.unit
        pictures.unit = lambda images: normal(images) / 255
        dim = cell("mlp")
        _, trained = dim.train()
        found["MLP, images / 255 twice (D5)"] = {"corrected": Decoded(dim).all()["corrected"]}
        pictures.unit = normal
        print("dim", "validation accuracy", trained.history[-1]["accuracy"], flush=True)
    return found


def table(found: dict[str, dict[str, Scores]], world: str) -> str:
    """Markdown: r and R² of every factor, a line for each way."""
    axes = image_grid(world).grid.axes
    names = [factor.name for factor in axes]
    lines = [
        f"### {world}\n",
        "| features | decoded | " + " | ".join(f"{n} r | {n} R²" for n in names) + " |",
        "| --- | --- |" + " ---: | ---: |" * len(names),
    ]
    for features_name, ways in found.items():
        for way, scores in ways.items():
            cells = " | ".join(f"{_number(scores[n][0])} | {_number(scores[n][1])}" for n in names)
            lines.append(f"| {features_name} | {way} | {cells} |")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {w: features(w, options.images, options.epochs) for w in ("sprites", "rooms")}
    levels = lost_levels()
    report = {"levels": levels, "decoded": found, **vars(options)}
    write_json(RESULTS / "dislib_flaws.json", report)
    rows = [
        f"| {r['set']} | {r['factor']} | {r['from']} | {r['levels']} | {r['left']} "
        f"| {100 * float(str(r['relabelled'])):.1f} % |"
        for r in levels
    ]
    (RESULTS / "dislib_flaws.md").write_text(
        "# Flaws of the published DisLib decoding, one at a time\n\n"
        f"`python -m benchmarks.dislib_flaws --images {options.images} --epochs {options.epochs}`\n"
        "\n### Levels that truncation merges (D2)\n\n"
        "| data set | factor | stored as | levels | left | relabelled |\n"
        "| --- | --- | --- | ---: | ---: | ---: |\n"
        + "\n".join(rows)
        + "\n\n"
        + "\n".join(table(f, world) for world, f in found.items())
    )


if __name__ == "__main__":
    main()
