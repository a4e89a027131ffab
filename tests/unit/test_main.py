from __future__ import annotations

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
