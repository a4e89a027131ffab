"""`drainer advise`: one agent asked by its address or through an API server, and what keeps it from an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drainer.cli import Exit, main
from tests.sockets.cluster import ApiServer, api_server
from tests.sockets.live import POD, STATUS, pod
from tests.unit.doctor.pods import made
from tests.unit.test_advice import CPU, MEMORY, status

Said = pytest.CaptureFixture[str]
WELL = status(MEMORY, CPU)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as running:
        running.answers = {"/status": WELL, POD: pod(made()), STATUS: WELL}
        yield running


def advised(server: ApiServer, *arguments: str, path: str = "") -> Exit:
    return main(["advise", f"http://127.0.0.1:{server.port}{path}", *arguments], [])


@pytest.mark.parametrize("path", ["", "/", "/status"])
def test_an_agent_is_asked_by_its_address(capsys: Said, server: ApiServer, path: str) -> None:
    assert advised(server, "--connections", "2000", path=path) is Exit.OK
    assert capsys.readouterr().out.startswith("max_connections  2000\nHPA target       1600")
    assert server.asked == ["/status"]


def test_programs_get_json(capsys: Said, server: ApiServer) -> None:
    assert advised(server, "--output", "json", "--headroom", "100", "--memory", "200Mi") is Exit.OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["max_connections"], shown["hpa_target"], shown["limits"]) == (1600, 800, {"memory": "200Mi"})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (500, "cannot be asked (500 "),
        (b"<html>", "cannot be asked (the answer is not JSON)"),
        (b"[" * 100_000, "cannot be asked (the answer is not JSON)"),
        (b"[]", "is no agent (the answer is not an object)"),
        (b"x" * (2 << 20), "cannot be asked (an answer of more than 1048576 bytes)"),
        ({"usage": None}, "the agent does not know what the app takes"),
    ],
    ids=range(6),
)
def test_whoever_is_no_agent_or_knows_too_little_is_said_in_one_line(
    capsys: Said, server: ApiServer, answer: Any, said: str
) -> None:
    server.answers["/status"] = answer
    assert advised(server) is Exit.FAILURE
    told = capsys.readouterr()
    assert said in told.err
    assert (told.err.count("\n"), told.out) == (1, "")


def test_where_nobody_listens_that_is_said(capsys: Said) -> None:
    assert main(["advise", "127.0.0.1:1"], []) is Exit.FAILURE
    assert "127.0.0.1:1 cannot be asked (no answer: Connection refused)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["https://x"], "'https://x' is no agent; allowed: HOST:PORT"),
        (["x:1", "--headroom", "-5"], "--headroom='-5' cannot be used; allowed: a whole number of percent"),
        (["x:1", "--headroom", "1001"], "from 0 to 1000"),
        (["x:1", "--connections", "0"], "--connections='0' cannot be used; allowed: a whole number"),
        (["x:1", "--memory", "lots"], "--memory='lots' cannot be used"),
        (["x:1", "--context", "here"], "--context cannot be used with an agent's address"),
    ],
    ids=range(6),
)
def test_flags_that_cannot_be_used_are_named(capsys: Said, arguments: list[str], said: str) -> None:
    assert main(["advise", *arguments], []) is Exit.USAGE
    assert said in capsys.readouterr().err


def test_a_pod_is_asked_through_the_api_server(capsys: Said, server: ApiServer, tmp_path: Path) -> None:
    kubeconfig = ["--kubeconfig", server.kubeconfig(tmp_path)]
    for target in (["chat/web-0"], ["web-0", "-n", "chat"]):
        server.asked.clear()
        assert main(["advise", *target, *kubeconfig, "--connections", "500"], []) is Exit.OK
        assert capsys.readouterr().out.startswith("max_connections  500\n")
        assert server.asked == [POD, STATUS]


def test_a_pod_that_cannot_be_read_or_has_no_agent_is_said(capsys: Said, server: ApiServer, tmp_path: Path) -> None:
    asking = ["advise", "chat/web-0", "--kubeconfig", server.kubeconfig(tmp_path)]
    server.answers[STATUS] = 503
    assert main(asking, []) is Exit.FAILURE
    assert "chat/web-0 cannot be asked (503" in capsys.readouterr().err
    server.answers[POD]["spec"].pop("initContainers", None)
    assert main(asking, []) is Exit.FAILURE
    assert "chat/web-0 cannot be asked (the pod has no drainer)" in capsys.readouterr().err
