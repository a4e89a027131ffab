"""The shape of the project, beside the contracts in .importlinter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for folder in ("drainer", "tests", "bench", "demo", "docs", "image", "rollout")
    for path in (ROOT / folder).rglob("*.py")
]
OTHERS = ("psutil", "kubernetes", "rich", "ruamel", "websockets", "hypothesis")
PURE = ("errors", "model", "counter", "tracker", "callers", "drain", "status")


@pytest.mark.parametrize("module", [*OTHERS, "drainer.kube", "drainer.limiter", "drainer.health"])
def test_the_agent_starts_without(module: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, drainer.run; print({module!r} in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout == "False\n"


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}

    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_the_pure_core_stays_small() -> None:
    lines = sum(len((ROOT / "drainer" / f"{name}.py").read_text().splitlines()) for name in PURE)

    assert lines <= 1400
