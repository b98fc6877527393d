"""What a command says when it refuses."""

import pytest

from identikit import cli


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What standard error says; the exit code must be 2, without output or traceback."""
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return " ".join(captured.err.split())
