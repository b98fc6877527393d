"""Random command lines over all subcommands: a result or a sentence, never a traceback."""

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_cli import features

from identikit import cli
from identikit.cli.commands import helps

pytestmark = pytest.mark.slow
COUNT = 100
"""Command lines of each seed."""
NUMBERS = ("0", "1", "-1", "2", "7", "0.5", "1e400", "nan", "inf", "-inf", "9" * 30, "0x10", "1_0")
WORDS = (
    *("", " ", "--", "-", "=", "a=b", "=b", "a=", "é", "\udcff", "[red]", "</script>", "a" * 300),
    *("None", "true", "json:loads", ".a:b", "a:", ":b", "os:system", "timm:", "timm:nothing"),
    *("hf:", "torchvision:", "torchvision:get_model", "math:pi", "x:y:z", "..", "/", "/dev/null"),
    *("size=ordinal", "size=ordinal:a,b", "size=circular:0", "x=f.npz", "*.npz", "[", "h[0].npy"),
    *(
        "f.npz",
        "t.csv",
        "f.npz/inside",
        "locked/run",
        "pipe",
        "images",
        "h.npy",
        "runs",
        "empty",
        "pipe.npz",
        "broken.npz",
        "\n",
        "\x1b[2J",
    ),
)
OPTIONS = {
    "simulate": "seed dim kappa classes instances objective conditional generator recipe rate out "
    "restart budget label-noise bound starts",
    "theory": "seed dim kappa classes conditional scale generator radius",
    "train": "images data world objective model augment factors classes steps batch-size size rate",
    "layers": "checkpoint seed",
    "extract": "images out factors key checkpoint seed layer pool dtype pixels batch-size workers "
    "shard-size data device precision sentences layers every truncate",
    "probe": "factors key only kinds head controls items groups seed train-share out layers",
    "analogies": "factors pairs questions key only kinds output controls seed out",
    "compare": "head-a head-b groups seed train-share shuffles out",
    "data": "name to",
    "reproduce": "workers executor address options out budget data restart first-seed",
    "report": "runs json",
    "demo": "out",
    "papers": "out",
    "site": "out json",
    "export": "out to repository private root",
    "verify": "workers executor json",
    "runs": "root study where sort tag older-than partial orphaned yes remove",
}
ENVIRONMENT = {
    "COLUMNS": ("", "0", "1", "-5", "abc", "10000"),
    "LINES": ("0", "abc"),
    "NO_COLOR": ("", "1"),
    "FORCE_COLOR": ("1",),
    "TERM": ("dumb", "", "nothing"),
    "HOME": ("/nowhere", ""),
    "LANG": ("C", "de_DE.ISO-8859-1", "nothing"),
    "LC_ALL": ("C", "POSIX", "nothing"),
    "IDENTIKIT_DATA": ("/nowhere", "f.npz"),
}
SHORT = {
    "simulate": "--steps 2 --instances 20 --classes 4 --dim 2 --batch-size 8 --test-samples 64",
    "theory": "--dim 2 --classes 4",
}


def command_line(rng: random.Random) -> list[str]:
    """A subcommand that is cheap or wrong, with options of its own and values of any sort."""
    name = rng.choice([*helps(), "nothing", ""])
    words = [name]
    if name == "data":
        words += [rng.choice(("list", "check", "chek")), rng.choice(WORDS)]
    elif name in ("demo", "papers"):  # whole runs, or the network: only wrong ones
        words += [rng.choice(("--no-such-option", "pipe.bib", "f.npz/p.json", "empty.bib"))]
    elif name == "reproduce":
        words += [rng.choice((*WORDS, "table3?", "coil20", "imagenet-x", "dislib"))]
        words += ["--worlds", "nothing"] if words[-1] == "dislib" else []
    elif name == "runs":
        words += rng.choice((("list",), ("show",), ("rm",), ("diff",), ("name",), ("tag",), ()))
        words += [rng.choice(WORDS) for _ in range(rng.choice((0, 1, 2)))]
    elif name in (
        "layers",
        "extract",
        "probe",
        "analogies",
        "compare",
        "report",
        "site",
        "export",
        "verify",
    ):
        words += [rng.choice(WORDS) for _ in range(rng.choice((0, 1, 1, 2)))]
    given = SHORT.get(name, "").split()
    for _ in range(rng.randrange(4)):
        option = rng.choice((*OPTIONS.get(name, "seed").split(), "json"))
        given.append(f"--{option}")
        given += [rng.choice(NUMBERS + WORDS) for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    return words + given


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    features(folder / "f.npz")
    np.save(folder / "h.npy", np.random.default_rng(0).normal(size=(300, 4)))
    (folder / "t.csv").write_text("key,size\n" + "".join(f"{k},{k % 7}\n" for k in range(300)))
    (folder / "broken.npz").write_bytes((folder / "f.npz").read_bytes()[:300])
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(b"no image")
    (folder / "empty").mkdir()
    for name in ("pipe", "pipe.npz", "pipe.bib"):
        os.mkfifo(folder / name)
    (folder / "locked").mkdir(mode=0o500)
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_a_command_line_never_ends_in_a_traceback(
    place: Path, seed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    rng = random.Random(seed)
    wrong = []
    for number in range(COUNT):
        words = command_line(rng)
        code: object = 0
        try:
            with monkeypatch.context() as patch:
                for key in rng.sample(sorted(ENVIRONMENT), rng.choice((0, 0, 1, 2))):
                    patch.setenv(key, rng.choice(ENVIRONMENT[key]))
                cli.main(words)
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException as error:
            code = repr(error)
        said = capsys.readouterr()
        if code not in (0, 1, 2) or "Traceback" in said.out + said.err:
            wrong.append((number, words, code))
        shutil.rmtree(place / "runs", ignore_errors=True)
    assert not wrong
