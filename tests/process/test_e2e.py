"""`python -m e2e` before and after its tests: which cluster, and that a cluster of its own never stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from e2e.__main__ import E2eError, cluster
from e2e.recorder import Recorder
from e2e.report import Row, markdown, promise, shown
from e2e.waiting import until

TOOL = """\
#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
case "$*" in $FAILS) exit 1 ;; esac
"""
"""A docker or kind that only says what it was asked for, and fails where FAILS matches."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What docker and kind were asked for, a line each."""
    for name in ("docker", "kind"):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(TOOL)
        tool.chmod(0o755)
    log = tmp_path / "asked"
    log.touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("FAILS", "")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return log


def words(asked: Path) -> list[str]:
    """The first two words of each."""
    return [" ".join(line.split()[:2]) for line in asked.read_text().splitlines()]


def test_the_given_cluster_is_used_as_it_is() -> None:
    with cluster({"KUBECONFIG": "some/file", "IMAGE": "some/image"}) as settings:
        assert settings == {}


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"KUBECONFIG": "some/file", "PATH": ""}, "IMAGE is not set"),
        ({"PATH": "/nowhere"}, "KUBECONFIG is not set, and a cluster of its own needs docker and kind"),
    ],
)
def test_what_is_missing_is_named(environ: dict[str, str], missing: str) -> None:
    with pytest.raises(E2eError, match=missing), cluster(environ):
        pass


def test_the_home_kubeconfig_is_not_used_unasked(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("{}")
    environ = {"HOME": str(tmp_path), "PATH": "/nowhere"}

    result = subprocess.run(
        [sys.executable, "-m", "e2e"], env=environ, capture_output=True, text=True, check=False, timeout=50
    )

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("KUBECONFIG is not set")


def test_a_cluster_of_its_own_has_both_images_and_is_removed(asked: Path) -> None:
    with cluster(os.environ) as settings:
        assert words(asked) == [*3 * ["docker build"], "kind create", "kind load"]
        loaded = asked.read_text().splitlines()[-1].split()
        assert {settings["IMAGE"], settings["COMMANDS_IMAGE"], settings["APP_IMAGE"]} <= {*loaded}
        assert settings["KUBECONFIG"] in asked.read_text()

    assert words(asked)[5:] == ["kind delete", "docker image"]


@pytest.mark.parametrize("step", ["build*app*", "create*", "load*"])
def test_what_was_begun_is_removed_where_a_step_fails(asked: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", step)

    with pytest.raises(E2eError, match="has failed with exit code 1"), cluster(os.environ):
        pass

    assert words(asked)[-2:] == ["kind delete", "docker image"]


def interrupted() -> None:
    with cluster(os.environ):
        raise KeyboardInterrupt


def test_it_is_removed_after_ctrl_c_too(asked: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert words(asked)[-2:] == ["kind delete", "docker image"]


def test_a_tests_name_is_its_promise() -> None:
    assert promise("test_the_service_label_returns[by the api]") == "the Service label returns (by the api)"


def test_the_table_is_markdown_whatever_was_seen() -> None:
    saw = shown([("closes", "1012: 3"), ("drain", 4.04), ("word", "a|b\nc")])

    table = markdown("e2e", [Row("test_it_holds", "passed", 3.2, saw), Row("test_more", "skipped", 0, "")])

    assert "1 passed, 1 skipped" in table
    assert "| it holds | passed | 3 | closes 1012: 3; drain 4.0 s; word a\\|b c |" in table


def test_a_wait_in_vain_says_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"in vain until it is there; saw \[\]"):
        until("it is there", list, within=0)


class FullNode:
    """No inotify instance is left on it: a container's log ends with what there is, and with the reason."""

    REASON = "failed to create fsnotify watcher: too many open files"

    def __init__(self) -> None:
        self.log: list[str] = []
        self.readings = 0
        self._changes: Queue[str] = Queue()
        self._is_over = threading.Event()

    def lines(self, path: str, _: Mapping[str, Any]) -> Iterator[str]:
        if path.endswith("/log"):
            self.readings += 1
            yield from [*self.log, self.REASON]
        elif path.endswith("/pods"):
            yield from iter(self._changes.get, "")
        else:
            self._is_over.wait()

    def tell(self, state: str) -> None:
        container = {"name": "app", "containerID": "an-id", "state": {state: {}}}
        pod = {"metadata": {"uid": "a-uid", "name": "ws"}, "status": {"containerStatuses": [container]}}
        self._changes.put(json.dumps({"type": "MODIFIED", "object": pod}))

    def end(self) -> None:
        self._changes.put("")
        self._is_over.set()


def test_a_log_that_cannot_be_followed_is_read_again_until_its_container_has_ended() -> None:
    node = FullNode()
    recorder = Recorder(node, "chat")  # type: ignore[arg-type] # as far as it is asked
    recorder.start()
    one, two, three = (f"2026-11-26T04:00:0{second}.5Z line {second}" for second in (1, 2, 3))

    def known() -> list[str]:
        return [line for log in recorder.log("a-uid", "app") for line in log.lines]

    for node.log in ([one], [one, two]):
        node.tell("running")
        until("it is read", lambda: known() == [f"line {second}" for second in (1, 2)[: len(node.log)]])
    node.log = [three]
    before = node.readings
    until("the log of its next start is read", lambda: node.readings > before + 1)
    assert known() == ["line 1", "line 2"]
    node.log = [one, two, three]
    node.tell("terminated")
    until("all is read", lambda: known() == ["line 1", "line 2", "line 3"])
    recorder.stop()
    node.end()
