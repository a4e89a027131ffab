"""A child process that has a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Sequence


def on_a_terminal(command: Sequence[str], **environ: str) -> tuple[int, str]:
    """(exit code, everything that the terminal showed)."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | environ
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as child:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # Linux says EIO when the other side is closed.
        finally:
            os.close(ours)
        return child.wait(), shown.decode()
