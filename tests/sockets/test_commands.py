"""`drainer census` and `drainer run` in this process, with real sockets."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import pytest

from drainer.cli import Exit, main
from tests.sockets.loopback import Loopback, deafen, no_descriptors_left, port_of
from tests.unit.logs import caught_log

Said = pytest.CaptureFixture[str]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return port_of(probe)


def test_census_prints_what_counts_and_what_not(net: Loopback, capsys: Said) -> None:
    listener = net.listen()
    port = str(port_of(listener))
    net.pairs(listener, 3)
    net.pair(listener, source="127.0.0.9")
    client, app = net.pair(listener)
    deafen(client)
    app.sendall(b"unsent")
    app.close()
    assert main(["census", "--app-ports", port, "--ignore-peers", "127.0.0.9"], []) is Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=3) for line in lines[:-1]] == [
        ["PORT", "STATE", "SOCKETS", "WHY"],
        [port, "ESTABLISHED", "3", "counted"],
        [port, "FIN_WAIT1", "1", "flushing"],
        [port, "LISTEN", "1", "the app listens here"],
        [port, "any", "1", "ignored_peer"],
    ]
    assert lines[-1] == "3 live client connections, read by sock_diag"


def test_a_census_that_cannot_be_taken_is_a_failure(net: Loopback, capsys: Said) -> None:
    port = str(port_of(net.listen()))
    assert main(["census", "--app-ports", port], []) is Exit.OK
    capsys.readouterr()
    with no_descriptors_left():
        code = main(["census", "--app-ports", port], [])
    assert code is Exit.FAILURE
    assert "drainer: sock_diag socket: EMFILE" in capsys.readouterr().err


def run(*arguments: str) -> tuple[Exit, list[dict[str, Any]]]:
    """`drainer run` with a SIGTERM that came before it was ready: (exit code, what it logged)."""
    with caught_log() as pipe:
        with pipe.as_standard_error():
            code = main(["run", *arguments], [signal.SIGTERM])
        return code, [json.loads(line) for line in pipe.read().splitlines()]


def test_an_agent_that_was_asked_to_go_before_it_was_ready_starts_and_goes(net: Loopback) -> None:
    listener = net.listen()
    net.pair(listener)
    port = free_port()
    code, lines = run(
        "--app-ports", str(port_of(listener)), "--port", str(port), "--host", "127.0.0.1", "--settle", "1h",
        "--token", "open sesame",
    )  # fmt: skip
    assert code is Exit.OK
    *warnings, watching, asked, gone = lines
    assert [warning["level"] for warning in warnings] == ["warning", "warning"]
    assert "settle 3600s leaves nothing" in warnings[0]["message"]
    assert "connections that are still there 25 s after the hook are cut" in warnings[1]["message"]
    assert watching["message"] == "watching"
    assert watching["listening"] == ["127.0.0.1", port]
    assert watching["settings"]["app_ports"] == [port_of(listener)]
    assert "open sesame" not in json.dumps(lines)
    assert (asked["message"], asked["signal"]) == ("asked to go", "SIGTERM")
    assert gone["message"] == "gone"


def test_a_taken_port_is_said_at_once_and_the_exit_code_is_one(net: Loopback) -> None:
    taken = port_of(net.listen())
    with caught_log() as pipe:
        with pipe.as_standard_error():
            code = main(["run", "--app-ports", "1", "--host", "127.0.0.1", "--port", str(taken)], [])
        said = pipe.read()
    assert code is Exit.FAILURE
    assert said.startswith("drainer: DRAINER_HOST='127.0.0.1', ")
    assert f"DRAINER_PORT={taken}: cannot listen there (Address already in use)" in said
