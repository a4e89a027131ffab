from __future__ import annotations

import io
import signal
import sys

import pytest

from drainer import __version__
from drainer.__main__ import main


def test_a_command_other_than_run_leaves_the_signals_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["drainer", "version"])
    before = signal.getsignal(signal.SIGTERM)

    assert main() == 0

    assert capsys.readouterr().out == f"drainer {__version__}\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_whoever_has_put_something_else_in_the_place_of_standard_output_gets_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["drainer", "version"])
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)

    assert main() == 0

    assert output.getvalue() == f"drainer {__version__}\n"
