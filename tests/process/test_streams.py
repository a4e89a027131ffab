"""What becomes of a command when nobody reads what it prints, or there is no room for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drainer import __main__, cli

PRINTS = f"'{sys.executable}' -m drainer"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False, timeout=50
    )


# argparse takes no offence itself.
@pytest.mark.parametrize(("command", "code"), [("version", 1), ("--help", 0), ("inject --help", 0)])
def test_a_reader_that_has_gone_is_no_news(command: str, code: int) -> None:
    done = shell(f"{PRINTS} {command} | true")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_disk_that_is_full_is_said_in_a_line() -> None:
    done = shell(f"{PRINTS} version >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "drainer: standard output cannot be written (No space left on device)\n"


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- <&- 2>&-"])
def test_a_stream_that_is_closed_is_as_good_as_an_empty_one(closed: str, tmp_path: Path) -> None:
    pod = tmp_path / "pod.json"
    pod.write_text('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}')
    done = shell(f"{PRINTS} doctor -f {pod} {closed}")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_other_failure_is_taken_for_one_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise PermissionError(13, "no")

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(PermissionError):
        __main__.main()
