"""Which cluster is asked: by kubeconfig, context, environment, or the account of the pod."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from drainer.cli import Exit
from drainer.commands.cluster import Cluster
from tests.sockets.cluster import ApiServer
from tests.sockets.live import POD, live

Said = pytest.CaptureFixture[str]


@pytest.mark.parametrize("content", ["", "a: [", "[]", "7", "{}", '{"current-context": "x"}', None])
def test_a_kubeconfig_that_cannot_be_used_is_one_line(capsys: Said, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)

    assert live(str(path)) is Exit.FAILURE
    said = capsys.readouterr().err
    assert said.startswith(f"drainer: no cluster to ask: {path} cannot be used (")
    assert said.count("\n") == 1


def test_a_context_that_is_none_is_one_line(capsys: Said, kubeconfig: str) -> None:
    assert live(kubeconfig, "--context", "elsewhere") is Exit.FAILURE
    assert "elsewhere" in capsys.readouterr().err


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kubelet gives a container."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("mine")
    trustme.CA().cert_pem.write_to_path(str(folder / "ca.crt"))
    return folder


def test_in_a_pod_its_own_account_is_used(account: Path) -> None:
    settings = Cluster.of(None, None, account).api.configuration

    assert settings.host == "https://192.0.2.1:443"
    assert settings.get_api_key_with_prefix("BearerToken", "authorization") == "bearer mine"


def test_a_kubeconfig_that_is_named_wins_over_the_account(account: Path, server: ApiServer, kubeconfig: str) -> None:
    assert Cluster.of(kubeconfig, None, account).api.configuration.host == f"http://127.0.0.1:{server.port}"


def test_outside_of_a_pod_the_kubeconfig_of_the_environment_is_used(server: ApiServer, kubeconfig: str) -> None:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("KUBERNETES_")}

    result = subprocess.run(
        [sys.executable, "-m", "drainer", "doctor", "--live", "chat/web-0"],
        env=environ | {"KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stderr) == (Exit.OK, "")
    assert server.asked[0] == POD


def test_a_certificate_that_is_none_is_one_line(capsys: Said, server: ApiServer, tmp_path: Path) -> None:
    broken = {
        "server": f"https://127.0.0.1:{server.port}",
        "certificate-authority-data": base64.b64encode(b"none").decode(),
    }

    assert live(server.kubeconfig(tmp_path, **broken)) is Exit.FAILURE
    said = capsys.readouterr().err
    assert said.startswith("drainer: pod chat/web-0 cannot be read (no answer: ")
    assert "certificate" in said.lower()
    assert said.count("\n") == 1
