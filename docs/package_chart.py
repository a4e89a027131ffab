"""Lints the chart strictly and packs it into the folder given as the argument. The real Helm, as a library."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    import helm_python
except ImportError:
    sys.exit("make chart needs helm-python-sdk (Linux on x86-64 alone); elsewhere: helm package chart")

CHART = Path(__file__).parent.parent / "chart"


def main(folder: str) -> int:
    """Print the path of the package, or what is wrong."""
    found = helm_python.lint(str(CHART), {}, strict=True)
    mistakes = [str(message) for message in [*found["messages"], *found["errors"]]]
    if mistakes:
        sys.stderr.write("\n".join(mistakes) + "\n")
        return 1
    Path(folder).mkdir(parents=True, exist_ok=True)
    sys.stdout.write(helm_python.package(str(CHART), destination=folder) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
