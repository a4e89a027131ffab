"""The command line, called in this process: exit codes and what is said."""

from __future__ import annotations

import os

import pytest

from drainer import __version__
from drainer.cli import Exit, main
from drainer.settings import PREFIX, SETTINGS


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


Said = pytest.CaptureFixture[str]


def test_version_prints_the_version(capsys: Said) -> None:
    assert main(["version"], []) is Exit.OK
    assert capsys.readouterr().out == f"drainer {__version__}\n"


def test_all_mistakes_are_told_at_once_and_the_exit_code_is_two(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAINER_SETTLE", "soon")
    assert main(["run", "--port", "65536", "--flush=-1s"], []) is Exit.USAGE
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == ""
    assert all(line.startswith("drainer: ") for line in lines)
    for mistake in ("DRAINER_APP_PORTS is not set", "--port='65536'", "--flush='-1s'", "DRAINER_SETTLE='soon'"):
        assert [mistake in line for line in lines].count(True) == 1
    assert len(lines) == 4


def test_a_flag_wins_over_its_variable(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAINER_APP_PORTS", "8080")
    monkeypatch.setenv("DRAINER_PORT", "1")
    assert main(["run", "--port", "8080"], []) is Exit.USAGE
    assert "8080: is one of the app's ports too" in capsys.readouterr().err


def test_a_token_file_that_cannot_be_read_is_a_mistake(capsys: Said) -> None:
    assert main(["run", "--app-ports", "8080", "--token-file", "/nowhere/token"], []) is Exit.USAGE
    assert "--token-file='/nowhere/token' cannot be read (No such file or directory)" in capsys.readouterr().err


def test_a_census_needs_ports_and_says_so(capsys: Said) -> None:
    assert main(["census"], []) is Exit.USAGE
    assert main(["census", "--app-ports", "0"], []) is Exit.USAGE
    first, second = capsys.readouterr().err.splitlines()
    assert "DRAINER_APP_PORTS is not set" in first
    assert "--app-ports='0'" in second


@pytest.mark.parametrize(
    "arguments", [[], ["walk"], ["run", "--appports", "1"], ["run", "--app", "1"], ["version", "x"]]
)
def test_what_is_no_command_is_a_usage_error(arguments: list[str], capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments, [])
    assert ended.value.code == 2
    assert "usage: drainer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "usage", "said"),
    [
        (
            ["injct"],
            "usage: drainer [",
            "'injct' is no command (the nearest is inject); allowed: run, census, inject, ",
        ),
        (["x"], "usage: drainer [", "'x' is no command; allowed: run, "),
        (["inject", "--nope"], "usage: drainer inject [", "unrecognized arguments: --nope\n"),
        (["inject", "--setle=3s"], "usage: drainer inject [", "arguments: --setle (the nearest is --settle)\n"),
        (["inject", "--grace", "60"], "usage: drainer inject [", "--grace (the nearest is --grace-period)\n"),
        (
            ["inject", "web.yaml"],
            "usage: drainer inject [",
            "unrecognized arguments: web.yaml; files are given by -f\n",
        ),
        (["doctor", "-f", "x", "--ignor=a"], "usage: drainer doctor [", "--ignor (the nearest is --ignore)\n"),
        (["status", "--slector", "a"], "usage: drainer status [", "--slector (the nearest is --selector)\n"),
        (["run", "--tokn=hunter2"], "usage: drainer run [", "--tokn (the nearest is --token)\n"),
        (["run", "--tokn", "hunter2"], "usage: drainer run [", "--tokn (the nearest is --token)\n"),
        (["version", "1", "2"], "usage: drainer version [", "unrecognized arguments: 1, 2\n"),
        (["census", "-"], "usage: drainer census [", "unrecognized arguments: -\n"),
    ],
)
def test_what_is_not_known_is_said_below_the_usage_of_what_was_meant(
    arguments: list[str], usage: str, said: str, capsys: Said
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments, [])
    assert ended.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith(usage)
    assert said in text
    assert "hunter2" not in text


def test_the_version_is_a_flag_too(capsys: Said) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"], [])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"drainer {__version__}\n"


def help_of(command: str, capsys: Said) -> str:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"], [])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_lists_every_setting_with_its_variable_and_default(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    text = help_of("run", capsys)
    for setting in SETTINGS:
        assert f"{setting.flag} X" in text
        assert f"[{setting.env}]" in text
        assert setting.help.split("%")[0] in text
    assert "(default: 30s; " in text
    assert "(required; " in text
    assert "(default: none; " in text
    assert "0.5 % of a core" in text


def test_the_help_of_census_lists_only_what_it_reads(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    text = help_of("census", capsys)
    assert "--ignore-peers X" in text
    assert "--grace-period" not in text


def test_the_exit_codes_are_those_that_are_promised() -> None:
    assert [(code.name, code.value) for code in Exit] == [("OK", 0), ("FAILURE", 1), ("USAGE", 2), ("FINDINGS", 3)]
