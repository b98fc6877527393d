"""Every reader of features and tables meets damaged files, and knows no error but its own."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save
from tests.features.test_load import extracted
from tests.fuzz import never_another_error, refused_in_one_line

from identikit import load_features
from identikit.core.errors import InputError
from identikit.features.head import read_head
from identikit.features.rows import read_rows
from identikit.features.table import read_table

pytestmark = pytest.mark.slow
COUNT = 400
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "key": [f"image-{k}" for k in range(30)],
        "size": RNG.normal(size=30),
        "count": pd.array([k % 4 if k % 7 else None for k in range(30)], "Int64"),
        "grade": pd.Categorical(["low", "mid", "high"] * 10, ["low", "mid", "high"], ordered=True),
    }
)
ARRAYS: dict[str, Any] = {
    "h": RNG.normal(size=(30, 5)),
    "size": RNG.normal(size=30),
    "shape": np.array(["a", "b", "c"] * 10),
    "W": RNG.normal(size=(3, 5)),
}


def content(name: str) -> bytes:
    file = io.BytesIO()
    if name == "npy":
        np.save(file, ARRAYS["h"])
    elif name == "fortran.npy":
        np.save(file, np.asfortranarray(ARRAYS["h"].astype(">f4")))
    elif name == "npz":
        np.savez(file, **ARRAYS)
    elif name == "packed.npz":
        np.savez_compressed(file, **ARRAYS)
    elif name == "safetensors":
        return save({n: a for n, a in ARRAYS.items() if n != "shape"})
    elif name == "lists.parquet":
        FRAME.assign(h=list(ARRAYS["h"])).to_parquet(file)
    elif name == "parquet":
        wide = pd.DataFrame(ARRAYS["h"], columns=[f"h{j}" for j in range(5)])
        pd.concat([FRAME, wide], axis=1).to_parquet(file, compression="gzip")
    else:
        words = FRAME.to_csv(index=name == "tsv", sep=";" if name == "other.csv" else ",").encode()
        return gzip.compress(words) if name.endswith("gz") else words
    return file.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("npy", "fortran.npy", "npz", "packed.npz", "safetensors", "lists.parquet", "parquet"),
        *("csv", "other.csv", "tsv", "csv.gz"),
    ],
)
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    def read(path: Path) -> None:
        readers: list[Any] = [lambda: read_table(path, key="key"), lambda: read_table(path)]
        if not name.endswith(("csv", "tsv", "gz")):
            readers += [lambda: load_features(path), lambda: read_rows(path)]
        if "parquet" not in name and len(readers) > 2:
            readers.append(lambda: read_head(path))
        refusals = [refused_in_one_line(each) for each in readers]
        if all(refusals):
            raise InputError("by all")

    path = tmp_path / f"f.{name}"
    good = never_another_error(path, content(name), read, count=COUNT, seed=0)
    assert good < COUNT


@pytest.mark.parametrize("file", ["manifest.json", "keys.parquet", "head.safetensors"])
def test_damaged_folders_are_read_or_refused(tmp_path: Path, file: str) -> None:
    folder = extracted(tmp_path / "f", controls={"untrained": -ARRAYS["h"][:, :4].repeat(2, 0)})
    never_another_error(
        folder / file,
        (folder / file).read_bytes(),
        lambda _: read_rows(folder),
        count=COUNT,
        seed=17,
    )
