"""`identikit reproduce dislib`: listed, explained, and refusing what it cannot do."""

import json

import pytest
from tests.commands import refused

from identikit.cli.main import main


def test_it_is_listed_among_the_studies(capsys: pytest.CaptureFixture[str]) -> None:
    main(["reproduce", "--list", "--json"])
    listed = {study["name"]: study for study in json.loads(capsys.readouterr().out)}
    assert "image grid" in listed["dislib"]["question"]
    assert listed["table2"]["runs"] > 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--budget", "laptob"], "Did you mean 'laptop'"),
        (["--encoders", "pixel"], "Did you mean 'pixels'"),
        (["--device", "gpu"], "unknown device 'gpu'"),
        (["--data", "shapes3d=nowhere.h5"], "nowhere.h5"),
    ],
)
def test_what_it_cannot_do_is_said_in_words(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in refused(capsys, "reproduce", "dislib", *words)
