"""`drainer doctor --live`, with the official client, against an API server on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from drainer.cli import Exit
from tests.sockets.cluster import TOKEN, ApiServer
from tests.sockets.live import POD, SCALERS, SERVICES, STATUS, WELL, live
from tests.unit.doctor.pods import made, service

Said = pytest.CaptureFixture[str]


def test_a_good_pod_of_a_cluster_is_said_to_be_one(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    assert live(kubeconfig) is Exit.OK
    assert capsys.readouterr().out == "nothing to fix in 1 object with pods: Pod chat/web-0\n"
    assert server.asked == [POD, SERVICES, SCALERS, STATUS]
    assert server.tokens == {f"Bearer {TOKEN}"}


def test_what_is_wrong_in_a_pod_fails(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers[POD]["spec"]["terminationGracePeriodSeconds"] = 8

    assert live(kubeconfig, "--output", "json") is Exit.FINDINGS
    (examined,) = json.loads(capsys.readouterr().out)["objects"]
    assert (examined["file"], examined["line"]) == (None, None)
    paths = {finding["key"]: finding["path"] for finding in examined["findings"]}
    assert paths["grace-too-short"] == "spec.terminationGracePeriodSeconds"


def test_services_of_the_namespace_are_seen(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers[SERVICES] = {"items": [*made(service([{"port": 9808}], type="NodePort")).services, "odd"]}

    assert live(kubeconfig) is Exit.FINDINGS
    assert 'error port-exposed: Service "web"' in capsys.readouterr().out


def test_an_autoscaler_is_found_through_the_owners(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    owners = [{"kind": "Node", "name": "x"}, {"kind": "ReplicaSet", "name": "web-1", "controller": True}]
    server.answers[POD]["metadata"]["ownerReferences"] = owners
    del server.answers[POD]["spec"]["containers"][0]["resources"]
    replica_set = "/apis/apps/v1/namespaces/chat/replicasets/web-1"
    owner = {"kind": "Deployment", "name": "web", "controller": True}
    server.answers[replica_set] = {"metadata": {"ownerReferences": [owner]}}
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "targetCPUUtilizationPercentage": 50}
    server.answers[SCALERS] = {"items": [{"metadata": {"name": "by-cpu"}, "spec": target}]}

    assert live(kubeconfig) is Exit.FINDINGS
    assert "hpa-without-requests" in capsys.readouterr().out

    server.answers[replica_set] = 403
    assert live(kubeconfig) is Exit.OK
    assert "note not-read: ReplicaSet web-1 cannot be read (403 Forbidden" in capsys.readouterr().out


def test_the_owner_of_a_stateful_set_is_nobody(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    owners = [{"kind": "StatefulSet", "name": "web", "controller": True}]
    server.answers[POD]["metadata"]["ownerReferences"] = owners

    assert live(kubeconfig) is Exit.OK
    server.answers[POD]["metadata"]["ownerReferences"] = {}
    assert live(kubeconfig) is Exit.OK
    assert len(server.asked) == 8
    assert "not-read" not in capsys.readouterr().out


def test_what_the_agent_lacks_is_said(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers[STATUS] = {
        "closers": [{"name": "notify", "usable": False, "missing": "nobody answers at the URL"}],
        "source": {"name": "psutil", "blind_to": ["idle connections"]},
    }

    assert live(kubeconfig) is Exit.FINDINGS
    said = capsys.readouterr().out
    assert "error closer-lacks: the agent says that its closer notify is off: nobody answers at the URL" in said
    assert "note source-blind: the agent counts by psutil, which does not show: idle connections" in said


@pytest.mark.parametrize(
    ("path", "answer", "fix"),
    [
        *((path, answer, "the right to read it") for path in (SERVICES, SCALERS, STATUS) for answer in (401, 403)),
        *(
            (path, answer, "ask again when the API server can answer")
            for path in (SERVICES, SCALERS)
            for answer in (404, 503)
        ),
    ],
)
def test_what_cannot_be_read_is_a_note_that_says_whether_it_is_for_lack_of_a_right(
    capsys: Said, server: ApiServer, kubeconfig: str, path: str, answer: int, fix: str
) -> None:
    server.answers[path] = answer

    assert live(kubeconfig, "--strict") is Exit.OK
    said = capsys.readouterr().out
    assert "note not-read: " in said
    assert f"({answer} " in said
    assert f"{path} is not for you" in said
    assert f"Fix: {fix}." in said


REFUSED = "error trying to reach service: dial tcp 10.88.4.4:9808: connect: connection refused"


def of_the_agent(server: ApiServer, **says: Any) -> None:
    server.answers[POD]["status"]["initContainerStatuses"] = [{"name": "migrate"}, {"name": "drainer"} | says]


def test_an_agent_that_does_not_answer_is_no_missing_right(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    server.answers[STATUS] = (503, json.dumps({"message": REFUSED}).encode())
    of_the_agent(server, state={"running": {}})

    assert live(kubeconfig) is Exit.OK
    said = capsys.readouterr().out
    assert "warning agent-silent: the agent's /status has no answer for the API server: 503 Service Unavail" in said
    assert REFUSED in said
    assert "not-read" not in said


def test_an_agent_that_cannot_start_is_said_in_the_kubelets_words(
    capsys: Said, server: ApiServer, kubeconfig: str
) -> None:
    server.answers[STATUS] = (503, json.dumps({"message": REFUSED}).encode())
    of_the_agent(server, state={"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}})

    assert live(kubeconfig) is Exit.FINDINGS
    said = capsys.readouterr().out
    assert "error agent-waits: the agent's container waits: ImagePullBackOff (no such host). Fix: an image" in said
    assert "refused" not in said


@pytest.mark.parametrize("over", [{"phase": "Succeeded"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}])
def test_of_a_pod_that_is_over_nothing_of_the_kind_is_said(
    capsys: Said, server: ApiServer, kubeconfig: str, over: dict[str, str]
) -> None:
    server.answers[STATUS] = (503, json.dumps({"message": REFUSED}).encode())
    of_the_agent(server, state={"terminated": {"exitCode": 0, "reason": "Completed"}})
    server.answers[POD]["status" if "phase" in over else "metadata"] |= over

    assert live(kubeconfig, "--strict") is Exit.OK
    assert "agent" not in capsys.readouterr().out


def test_where_nobody_listens_on_the_apps_ports_that_is_an_error(
    capsys: Said, server: ApiServer, kubeconfig: str
) -> None:
    connections = {"by_port": {"8080": {}}, "by_state": {"LISTEN": 0}}
    server.answers[STATUS] = WELL | {"phase": "serving", "connections": connections}

    assert live(kubeconfig) is Exit.FINDINGS
    assert "error app-not-listening: nobody listens on port 8080 in this pod" in capsys.readouterr().out


@pytest.mark.parametrize("path", [SERVICES, SCALERS, STATUS])
@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'{"items": {}}', b'"x"'])
def test_an_odd_answer_breaks_nothing(
    capsys: Said, server: ApiServer, kubeconfig: str, path: str, answer: bytes
) -> None:
    server.answers[path] = answer

    assert live(kubeconfig) is Exit.OK


def test_a_pod_without_the_agent_is_not_asked_for_its_status(capsys: Said, server: ApiServer, kubeconfig: str) -> None:
    del server.answers[POD]["spec"]["initContainers"]

    assert live(kubeconfig) is Exit.FINDINGS
    assert STATUS not in server.asked
    assert "no-sidecar" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (401, f"401 Unauthorized: {POD} is not for you"),
        (404, f"404 Not Found: {POD} is not for you"),
        (b"<html>", "the answer is not JSON"),
        (b"[]", "the answer is not an object"),
    ],
)
def test_a_pod_that_cannot_be_read_is_one_line(
    capsys: Said, server: ApiServer, kubeconfig: str, answer: Any, why: str
) -> None:
    server.answers[POD] = answer

    assert live(kubeconfig) is Exit.FAILURE
    assert capsys.readouterr().err == f"drainer: pod chat/web-0 cannot be read ({why})\n"


def test_a_server_that_says_no_without_a_reason_is_quoted_with_its_status(
    capsys: Said, server: ApiServer, kubeconfig: str
) -> None:
    server.answers[POD] = (502, b"bad gateway")

    assert live(kubeconfig) is Exit.FAILURE
    assert capsys.readouterr().err == "drainer: pod chat/web-0 cannot be read (502 Bad Gateway)\n"


def test_nobody_at_home_is_one_line(capsys: Said, kubeconfig: str) -> None:
    assert live(kubeconfig, "--context", "nowhere") is Exit.FAILURE
    said = capsys.readouterr().err
    assert said.startswith("drainer: pod chat/web-0 cannot be read (no answer: ")
    assert said.count("\n") == 1
    assert "refused" in said


def test_without_the_client_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['kubernetes'] = None\n"
        "from drainer.cli import main\n"
        "sys.exit(main(['doctor', '--live', 'chat/web-0'], []))"
    )

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert result.returncode == Exit.FAILURE
    assert result.stderr == "drainer: kubernetes is missing; pip install 'drainer[commands]'\n"
