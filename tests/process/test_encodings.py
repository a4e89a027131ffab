"""Every command with letters that the encoding of its output lacks: an escape, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drainer.cli import Exit
from tests.sockets.cluster import api_server
from tests.unit.doctor.pods import made, put

ASCII = {"PYTHONIOENCODING": "ascii"}
STRICT = {"PYTHONIOENCODING": "ascii:strict"}
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
everywhere = pytest.mark.parametrize("environ", [ASCII, STRICT, OLD], ids=["ascii", "strict", "C"])
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "größe"},
    "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
}


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "pod.json"
    path.write_text(json.dumps(POD, ensure_ascii=False))
    return str(path)


def drainer(environ: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a child."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    ended = subprocess.run(
        [sys.executable, "-m", "drainer", *arguments], env=inherited | path | environ, capture_output=True, check=False
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode("ascii")


@everywhere
def test_doctor(environ: dict[str, str], manifest: str) -> None:
    code, out, err = drainer(environ, "doctor", "-f", manifest)
    assert (code, err) == (Exit.FINDINGS, "")
    assert out.startswith("Pod gr\\xf6\\xdfe\n")


@everywhere
@pytest.mark.parametrize("flags", [[], ["--diff"], ["--report", "json"]])
def test_inject_prints_manifests_as_they_were_written(environ: dict[str, str], manifest: str, flags: list[str]) -> None:
    code, out, err = drainer(environ, "inject", "-f", manifest, *flags)
    assert code == (Exit.FINDINGS if "--diff" in flags else Exit.OK)
    assert "größe" in out
    assert "gr\\xf6\\xdfe" in err


@everywhere
def test_status(environ: dict[str, str], tmp_path: Path) -> None:
    place = "/api/v1/namespaces/chat/pods/web-0"
    pod = made(put("metadata name", "web-0"), put("metadata namespace", "chat")).template
    with api_server() as server:
        server.answers = {
            place: {"kind": "Pod", **pod, "status": {"phase": "Running"}},
            f"{place}:9808/proxy/status": (503, '{"message": "größe"}'.encode()),
        }
        kubeconfig = server.kubeconfig(tmp_path)
        code, out, err = drainer(environ, "status", "chat/web-0", "--kubeconfig", kubeconfig)
    assert (code, err) == (Exit.FAILURE, "")
    assert "503 Service Unavailable: gr\\xf6\\xdfe" in out


@everywhere
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["advise", "größe"], Exit.USAGE),
        (["adapter", "--service", "x", "--größe"], Exit.USAGE),
        (["census", "--app-ports", "größe"], Exit.USAGE),
        (["doctor", "-f", "größe"], Exit.FAILURE),
        (["inject", "-f", "größe"], Exit.FAILURE),
        (["größe"], Exit.USAGE),
        (["run", "--app-ports", "größe"], Exit.USAGE),
        (["status", "größe:1"], Exit.USAGE),
    ],
)
def test_mistakes(environ: dict[str, str], arguments: list[str], code: Exit) -> None:
    ended, out, err = drainer(environ, *arguments)
    assert (ended, out) == (code, "")
    assert "gr\\xf6\\xdfe" in err or "gr\\udcc3\\udcb6\\udcc3\\udc9fe" in err
    assert "Traceback" not in err


@everywhere
@pytest.mark.parametrize("arguments", [["census", "--app-ports", "1"], ["version"], ["--help"], ["inject", "--help"]])
def test_what_is_well(environ: dict[str, str], arguments: list[str]) -> None:
    code, out, err = drainer(environ, *arguments)
    assert (code, err) == (Exit.OK, "")
    assert out
