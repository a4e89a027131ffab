"""`drainer status` in this process: agents on loopback, and pods behind an API server on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drainer.cli import Exit, main
from drainer.commands.status import asking
from tests.sockets.cluster import ApiServer, api_server
from tests.sockets.loopback import port_of
from tests.unit.doctor.pods import made
from tests.unit.statuses import make_status

Said = pytest.CaptureFixture[str]
PODS = "/api/v1/namespaces/chat/pods"
LIST = f"{PODS}?limit=500"
STATUS: Any = json.loads(json.dumps({"version": "0.1.0", **make_status().as_json(1e9)}))
HEADS = ["POD", "PHASE", "CONNS", "LEFT", "OUTCOME"]
SERVING = ["serving", "0", "-", "-"]


def pod(name: str, phase: str = "Running", namespace: str = "chat") -> dict[str, Any]:
    data = made().template
    data["metadata"] |= {"name": name, "namespace": namespace}
    return {**data, "status": {"phase": phase}}


def without_sidecar(name: str) -> dict[str, Any]:
    data = pod(name)
    del data["spec"]["initContainers"]
    return data


def proxied(name: str, namespace: str = "chat") -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}:9808/proxy/status"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


def status(kubeconfig: str, *arguments: str) -> Exit:
    return main(["status", "--kubeconfig", kubeconfig, *arguments], [])


def table(said: Said) -> list[list[str]]:
    return [line.split(maxsplit=4) for line in said.readouterr().out.splitlines()]


# An agent by its address.


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{port}", "http://127.0.0.1:{port}", "http://127.0.0.1:{port}/", "localhost:{port}"]
)
def test_an_agent_by_its_address(capsys: Said, server: ApiServer, address: str) -> None:
    server.answers["/status"] = STATUS
    target = address.format(port=server.port)
    assert main(["status", target], []) is Exit.OK
    assert table(capsys) == [HEADS, [target.removeprefix("http://").rstrip("/"), *SERVING]]


def test_an_agent_behind_a_path(capsys: Said, server: ApiServer) -> None:
    server.answers["/behind/status"] = STATUS
    assert main(["status", f"http://127.0.0.1:{server.port}/behind/status", "-o", "json"], []) is Exit.OK
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer == {"namespace": None, "pod": f"127.0.0.1:{server.port}", "status": STATUS, "error": None}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (503, "503 Service Unavailable"),
        (b"<html>", "the answer is not JSON"),
        (b"[" * 100_000, "the answer is not JSON"),
        (b"x" * (asking.MOST + 1), f"an answer of more than {asking.MOST} bytes"),
        ({"phase": "serving"}, "no /status: connections is not an object"),
    ],
    ids=["busy", "a page", "deep", "endless", "something else"],
)
def test_an_answer_that_is_none_is_said_to_be_none(capsys: Said, server: ApiServer, answer: Any, why: str) -> None:
    server.answers["/status"] = answer
    address = f"127.0.0.1:{server.port}"
    assert main(["status", address], []) is Exit.FAILURE
    assert table(capsys)[1:] == [[address, "-", "-", "-", why]]


@pytest.mark.parametrize(
    ("says", "why"),
    [(b"", "no answer within 0.2 s"), (b"HTTP/1.0 200 OK\r\n\r\n{", "no whole answer within 0.2 s"), (b"?\r\n", "?")],
    ids=["nothing", "a byte at a time", "another protocol"],
)
def test_nobody_is_waited_for_long(capsys: Said, monkeypatch: pytest.MonkeyPatch, says: bytes, why: str) -> None:
    monkeypatch.setattr(asking, "WITHIN", 0.2)
    ends = threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(says)
            while says.startswith(b"HTTP") and not ends.wait(0.05):
                connection.sendall(b" ")
            ends.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle)
        thread.start()
        began = time.monotonic()
        try:
            assert main(["status", f"127.0.0.1:{port_of(listener)}"], []) is Exit.FAILURE
        finally:
            ends.set()
            thread.join(5)
    assert time.monotonic() - began < 4
    assert why in capsys.readouterr().out


def test_nobody_listens(capsys: Said) -> None:
    assert main(["status", "127.0.0.1:1"], []) is Exit.FAILURE
    assert table(capsys)[1] == ["127.0.0.1:1", "-", "-", "-", "no answer: Connection refused"]


# Pods of a cluster.


def test_all_pods_that_have_the_sidecar_and_have_not_ended(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    pods = [pod("web-0"), without_sidecar("db-0"), pod("web-1", "Pending"), pod("web-2", "Failed"), "no object"]
    server.answers |= {LIST: {"items": pods}, proxied("web-0"): STATUS}
    assert status(kubeconfig, "-n", "chat") is Exit.FINDINGS
    assert table(capsys) == [HEADS, ["web-0", *SERVING], ["web-1", "-", "-", "-", "the pod is Pending"]]
    assert proxied("web-2") not in server.asked


def test_an_agent_that_does_not_run_is_said_in_the_kubelets_word(
    capsys: Said, server: ApiServer, kubeconfig: str
) -> None:
    waits: Any = {"waiting": {"reason": "ErrImagePull"}}
    runs: Any = {"running": {}}
    pods = [pod("web-0", "Pending"), pod("web-1"), pod("web-2"), pod("web-3"), pod("web-4")]
    pods[0]["status"]["initContainerStatuses"] = [
        {"name": "migrate", "state": runs},
        {"name": "drainer", "state": waits},
    ]
    pods[1]["status"]["initContainerStatuses"] = [{"name": "drainer", "state": {"waiting": {"message": "?"}}}]
    pods[2]["status"]["containerStatuses"] = [{"name": "app", "state": waits}, {"name": "drainer", "state": runs}, {}]
    pods[3]["status"] = {}
    pods[4]["status"]["containerStatuses"] = [
        {"name": "drainer", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    ]
    server.answers |= {LIST: {"items": pods}, proxied("web-2"): STATUS}
    assert status(kubeconfig, "-n", "chat") is Exit.FINDINGS
    assert table(capsys)[1:] == [
        ["web-0", "-", "-", "-", "the pod is Pending: the agent waits, ErrImagePull"],
        ["web-1", "-", "-", "-", "the pod is Running: the agent waits, nobody says for what"],
        ["web-2", *SERVING],
        ["web-3", "-", "-", "-", "the pod is not said to be running"],
        ["web-4", "-", "-", "-", "the pod is Running: the agent has ended with exit code 137 (OOMKilled)"],
    ]


def test_page_by_page(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers |= {
        LIST: {"items": [pod("web-0")], "metadata": {"continue": "to/be"}},
        f"{LIST}&continue=to%2Fbe": {"items": [pod("web-1")]},
        proxied("web-0"): STATUS,
        proxied("web-1"): STATUS,
    }
    assert status(kubeconfig, "-n", "chat") is Exit.OK
    assert [line[0] for line in table(capsys)] == ["POD", "web-0", "web-1"]


def test_by_labels_and_in_all_namespaces(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    path = "/api/v1/pods?limit=500&labelSelector=app%3Dchat%2Ctier%21%3Ddev"
    server.answers |= {path: {"items": [pod("web-0"), pod("web-0", namespace="other")]}, proxied("web-0"): STATUS}
    assert status(kubeconfig, "-A", "-l", "app=chat,tier!=dev") is Exit.FINDINGS
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["NAMESPACE", "POD", "PHASE"], ["chat", "web-0", "serving"], ["other", "web-0", "-"]
    ]  # fmt: skip


def test_pods_by_their_names_and_agents_by_their_address(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers |= {
        f"{PODS}/web-0": pod("web-0"),
        f"{PODS}/db-0": without_sidecar("db-0"),
        f"{PODS}/odd": [],
        proxied("web-0"): STATUS,
        "/status": STATUS,
    }
    here = f"127.0.0.1:{server.port}"
    assert status(kubeconfig, "-n", "chat", "web-0", "db-0", "odd", here, "nobody") is Exit.FINDINGS
    assert table(capsys) == [
        HEADS,
        [here, *SERVING],
        ["web-0", *SERVING],
        ["db-0", "-", "-", "-", "the pod has no drainer"],
        ["odd", "-", "-", "-", "the pod has no drainer"],
        ["nobody", "-", "-", "-", f"404 Not Found: {PODS}/nobody is not for you"],
    ]


def test_the_namespace_is_that_of_the_context(capsys: Said, server: ApiServer, tmp_path: Path) -> None:
    file = Path(server.kubeconfig(tmp_path))
    config = json.loads(file.read_text())
    for context, namespace in zip(config["contexts"], ("chat", "nowhere"), strict=True):
        context["context"]["namespace"] = namespace
    file.write_text(json.dumps(config))
    server.answers |= {LIST: {"items": []}}
    assert status(str(file)) is Exit.OK
    assert status(str(file), "--context", "here", "-o", "json") is Exit.OK
    said = capsys.readouterr()
    assert (said.out, said.err) == ("[]\n", "drainer: no pod here has the sidecar\n")
    assert server.asked == [LIST, LIST]


def test_pods_that_cannot_be_listed_are_an_error(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers[LIST] = 403
    assert status(kubeconfig, "-n", "chat") is Exit.FAILURE
    assert status(kubeconfig, "-A", "--context", "nowhere") is Exit.FAILURE
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"drainer: the pods of chat cannot be listed (403 Forbidden: {LIST} is not for you)"
    assert second.startswith("drainer: the pods of all namespaces cannot be listed (no answer: ")


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (["http://a b"], "'http://a b' is no agent; allowed: HOST:PORT, "),
        (["https://a:1"], "'https://a:1' is no agent"),
        (["http://me:secret@a"], "'http://...@a' is no agent"),
        (["a:port"], "'a:port' is no agent"),
        (["ä:1"], "'ä:1' is no agent"),
        (["http://"], "'http://' is no agent"),
        (["Web"], "'Web' is no agent"),
        (
            ["a:1", "-l", "app=chat"],
            "--selector cannot be used with an agent's address; allowed: with pods of a cluster",
        ),
        (["a:1", "--context", "x"], "--context cannot be used with an agent's address"),
        (["web-0", "-A"], "--all-namespaces cannot be used together with 'web-0'; allowed: one or the other"),
        (["--interval", "0"], "--interval='0' cannot be used; allowed: a length of time of 10ms to 168h"),
    ],
)
def test_what_cannot_be_asked_for_is_said_by_its_name(capsys: Said, arguments: list[str], mistake: str) -> None:
    assert main(["status", *arguments], []) is Exit.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("drainer: ")
    assert mistake in line
