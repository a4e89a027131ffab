"""`python bench/deaf.py -m drainer run ...`: the agent, unchanged, where the kernel refuses notifications of closes."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.seccomp import deny_notifications


def is_possible() -> bool:
    """Whether it works here: the number of bind() is known, and the kernel has seccomp."""
    return subprocess.run([sys.executable, __file__, "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    deny_notifications()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
