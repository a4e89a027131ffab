"""The C program beside which a count is measured: compiled where there is a compiler."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

SOURCE = Path(__file__).with_name("floor.c")
EXIT_SECONDS = 40


@contextlib.contextmanager
def compiled() -> Iterator[Path | None]:
    """The program, or None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "floor"
        subprocess.run([compiler, "-O2", "-o", str(target), str(SOURCE)], check=True)
        yield target


@contextlib.contextmanager
def dumping(program: Path, request: bytes) -> Iterator[Callable[[], tuple[float, int]]]:
    """Yields what makes one dump: its seconds, as the program itself has timed them, and the rows."""
    with subprocess.Popen([program, request.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        turns, answers = child.stdin, child.stdout

        def dump() -> tuple[float, int]:
            turns.write(b".")
            nanoseconds, rows = answers.readline().split()
            return int(nanoseconds) / 1e9, int(rows)

        try:
            yield dump
        finally:
            turns.close()
            child.wait(EXIT_SECONDS)
