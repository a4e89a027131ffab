"""`python -m e2e` removes from the cluster what it has made, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.process.waiting import PATIENCE, until
from tests.serving import serving

ROOT = Path(__file__).parent.parent.parent
KINDS = {
    "": ("Namespace", "ConfigMap", "ServiceAccount", "Pod"),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
    "admissionregistration.k8s.io": ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}


def group(name: str) -> dict[str, object]:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def resource(kind: str) -> dict[str, object]:
    """Its plural is one with an s, whatever English says."""
    name, verbs = f"{kind.lower()}s", ["create", "delete", "get"]
    return {"name": name, "kind": kind, "namespaced": kind != "Namespace", "verbs": verbs}


DISCOVERY: Mapping[str, object] = {
    "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.2"},
    "/apis": {"kind": "APIGroupList", "groups": [group(name) for name in KINDS if name]},
    **{
        f"/apis/{name}/v1" if name else "/api/v1": {"kind": "APIResourceList", "resources": [*map(resource, kinds)]}
        for name, kinds in KINDS.items()
    },
}


class Cluster:
    """It takes everything, and what it is asked for is not there: no pod is ever ready."""

    def __init__(self) -> None:
        self.namespaces: set[str] = set()
        self.pods = 0

    async def handle(self, request: web.Request) -> web.Response:
        folder, _, last = request.path.rpartition("/")
        if request.method == "POST" and request.path == "/api/v1/namespaces":
            self.namespaces.add((await request.json())["metadata"]["name"])
        if request.method == "POST" and last == "pods":
            self.pods += 1
        if request.method == "DELETE" and folder == "/api/v1/namespaces":
            self.namespaces.discard(last)
        if "watch" in request.query:
            return web.Response(status=503)
        if request.method == "POST":
            return web.json_response({"metadata": {"uid": "a-uid"}}, status=201)
        return web.json_response(DISCOVERY.get(request.path, {"items": []}))


@contextmanager
def e2e(folder: Path, *arguments: str) -> Iterator[tuple[Cluster, subprocess.Popen[str]]]:
    cluster = Cluster()
    with serving("kube-apiserver", [web.route("*", "/{path:.*}", cluster.handle)]) as port:
        kubeconfig = folder / "kubeconfig"
        config = {
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "me", "user": {"token": "a-token"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        }
        kubeconfig.write_text(json.dumps(config))
        environ = {**os.environ, "KUBECONFIG": str(kubeconfig), "IMAGE": "some/image"}
        command = [sys.executable, "-m", "e2e", "-n", "0", "-p", "no:cacheprovider", *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        ) as run:
            yield cluster, run


@pytest.mark.parametrize(
    ("end", "number"),
    [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM), (os.killpg, signal.SIGHUP)],
    ids=["Ctrl-C", "kill", "its terminal goes"],
)
def test_it_is_ended_in_the_middle_of_a_test(
    tmp_path: Path, end: Callable[[int, int], None], number: signal.Signals
) -> None:
    with e2e(tmp_path, "-k", "no_clients_ends") as (cluster, run):
        until(lambda: cluster.pods, lambda pods: pods == 1, 2 * PATIENCE)
        assert len(cluster.namespaces) == 2
        end(run.pid, number)
        said, complained = run.communicate(timeout=2 * PATIENCE)
    assert cluster.namespaces == set()
    assert run.returncode == pytest.ExitCode.INTERRUPTED, complained
    assert "KeyboardInterrupt" in said


def test_nobody_reads_any_more_what_it_writes(tmp_path: Path) -> None:
    with e2e(tmp_path, "-k", "none_is_called_so") as (cluster, run):
        assert run.stdout is not None
        assert run.stderr is not None
        assert "test session starts" in run.stdout.readline()
        assert len(cluster.namespaces) == 2
        run.stdout.close()
        run.stderr.close()
        assert run.wait(2 * PATIENCE) not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert cluster.namespaces == set()
