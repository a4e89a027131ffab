"""`drainer inject` as people use it: in a pipe, in a post-renderer, without its extra."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.terminal import on_a_terminal
from tests.unit.inject.golden import FOLDER

INJECT = [sys.executable, "-m", "drainer", "inject"]


def piped(text: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*INJECT, *arguments], input=text, capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )


def of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_a_stream_goes_in_and_comes_out_and_in_again() -> None:
    first = piped(of("stream.input.yaml"))
    assert (first.returncode, first.stdout) == (0, of("stream.golden.yaml"))
    # Line by line what the report of a file says, with another name.
    assert first.stderr == of("stream.report").replace("stream.input.yaml: ", "-: ")
    second = piped(first.stdout, "-f", "-", "--report", "json")
    assert second.stdout == first.stdout
    assert '"outcome": "injected"' not in second.stderr
    back = piped(second.stdout, "--uninject")
    assert back.stdout == of("stream.input.yaml")


def test_rights_are_written_once_however_often_it_runs() -> None:
    rights = ("--kubernetes", "on", "--rbac", "--namespace", "chat")
    first = piped(of("stream.input.yaml"), *rights)
    assert first.stdout.count("kind: Role\n") > 0
    assert piped(first.stdout, *rights).stdout == first.stdout


def test_the_bytes_are_utf_8_whatever_the_locale_says() -> None:
    done = piped(of("kubectl.input.json"), LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="utf-8")
    assert done.stdout == of("kubectl.golden.json")


def test_without_a_file_on_a_terminal_it_says_what_is_missing() -> None:
    code, shown = on_a_terminal(INJECT)
    assert code == 2
    assert shown == "drainer: -f is not given; allowed: a file, a folder, or - with manifests on standard input\r\n"


@pytest.fixture
def without_ruamel(tmp_path: Path) -> str:
    """A PYTHONPATH in which ruamel.yaml is not to be found."""
    (tmp_path / "ruamel").mkdir()
    (tmp_path / "ruamel" / "__init__.py").touch()
    return str(tmp_path)


def test_without_its_extra_one_line_says_how_to_get_it(without_ruamel: str) -> None:
    done = piped(of("plain.input.yaml"), PYTHONPATH=without_ruamel)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "drainer: ruamel.yaml is missing; pip install 'drainer[commands]'\n"


def test_a_wrong_flag_and_help_need_no_extra(without_ruamel: str) -> None:
    assert piped("", "--settle", "soon", PYTHONPATH=without_ruamel).returncode == 2
    assert piped("", "--help", PYTHONPATH=without_ruamel).returncode == 0
