"""The image as a container: restricted, beside another one in a pod, and as the first process that SIGTERM comes to."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from drainer import sidecar
from tests.image.podman import Container, Podman
from tests.process.kubelet import Call, get
from tests.process.namespace import inside
from tests.process.test_signals import handles_sigterm
from tests.process.waiting import PATIENCE, UNIT, setting, until

AGENT_PORT, APP_PORT = 9808, 8080
PROMPT = 2.0
"""Seconds that an end may take with nothing to wait for; the runtime and podman take most of it."""
ECHO = f"""
import asyncio
async def echo(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", {APP_PORT})
    await server.serve_forever()
asyncio.run(main())
"""


def test_restricted_it_serves_without_a_right_and_without_a_place_to_write(image: str, podman: Podman) -> None:
    agent = podman.start(image, app_ports=str(APP_PORT)).listens()

    with inside(agent.pid):
        assert get(AGENT_PORT, "/livez").status == 200
        assert get(AGENT_PORT, "/readyz").status == 200
        # Its files are in the image too.
        assert "<h1" in get(AGENT_PORT, "/").text
    assert set(agent.status("Uid").split()) == set(agent.status("Gid").split()) == {str(sidecar.USER)}
    assert [int(agent.status(field), 16) for field in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0, 0, 0, 0]
    assert agent.status("NoNewPrivs") == "1"
    # ID PARENT DEVICE ROOT PLACE OPTIONS ... (proc_pid_mountinfo(5))
    mounts = [line.split() for line in Path(f"/proc/{agent.pid}/mountinfo").read_text().splitlines()]
    assert [mount[5].split(",")[0] for mount in mounts if mount[4] == "/"] == ["ro"]
    assert [line for line in agent.log() if line["level"] == "error"] == []


def test_in_a_pod_the_hook_is_answered_when_the_last_client_of_the_other_container_has_left(
    base: str, image: str, podman: Podman
) -> None:
    pod = f"--pod={podman.pod()}"
    podman.start(base, "python3", "-c", ECHO, options=(pod, "--read-only", "--user=1000"))
    restricted = (pod, "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
    agent = podman.start(image, options=restricted, app_ports=str(APP_PORT), settle=setting(0.2)).listens()
    with ExitStack() as clients, inside(agent.pid):
        until(serves, bool)
        connected = [clients.enter_context(connect()) for _ in range(3)]

        until(count, lambda counted: counted == 3)
        hook = Call(AGENT_PORT)
        until(lambda: get(AGENT_PORT, "/status").json()["phase"], lambda phase: phase == "draining")
        for client in connected[1:]:
            client.close()
        until(count, lambda counted: counted == 1)
        assert hook.stays_held(0.5 * UNIT)
        connected[0].close()
        left_at = time.monotonic()
        told = hook.answer().json()

    assert time.monotonic() - left_at < PROMPT * UNIT
    assert (told["outcome"], told["left"]) == ("drained", 3)


def serves() -> bool:
    try:
        connect().close()
    except ConnectionRefusedError:
        return False
    return True


def connect() -> socket.socket:
    """A client that the app serves."""
    client = socket.create_connection(("127.0.0.1", APP_PORT), PATIENCE)
    client.sendall(b"a word")
    assert client.recv(6) == b"a word"
    return client


def count() -> int:
    total: int = get(AGENT_PORT, "/status").json()["connections"]["total"]
    return total


def test_sigterm_to_the_first_process_ends_it_at_once(image: str, podman: Podman) -> None:
    agent = podman.start(image, app_ports=str(APP_PORT)).listens()
    asked_at = time.monotonic()

    podman("stop", "--time=30", agent.name)

    assert time.monotonic() - asked_at < PROMPT * UNIT
    assert agent.exit_code() == 0
    assert agent.messages()[-2:] == ["asked to go", "gone"]


def test_sigterm_within_a_millisecond_of_the_handler_is_not_lost(image: str, podman: Podman) -> None:
    agent = podman.create(image, app_ports=str(APP_PORT))
    with podman.popen("start", agent.name) as starting:
        signal_as_early_as_possible(agent)
        assert starting.wait(PATIENCE) == 0

    assert agent.exit_code() == 0
    assert agent.messages()[-3:] == ["watching", "asked to go", "gone"]


def signal_as_early_as_possible(agent: Container) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        try:
            # Until the runtime has become the agent it has handlers of its own.
            if Path(f"/proc/{agent.pid}/cmdline").read_bytes().endswith(b"drainer\0run\0") and handles_sigterm(
                agent.pid
            ):
                os.kill(agent.pid, signal.SIGTERM)
                return
        except (FileNotFoundError, ValueError):
            continue
    raise AssertionError("no handler for SIGTERM")


def test_a_plain_container_drains_first(image: str, podman: Podman) -> None:
    agent = podman.start(image, app_ports=str(APP_PORT), container="plain", settle=setting(0.5)).listens()
    with inside(agent.pid), socket.create_server(("127.0.0.1", APP_PORT)) as app:
        client = socket.create_connection(app.getsockname())
        served, _ = app.accept()
        with client, served:
            until(count, lambda counted: counted == 1)
            os.kill(agent.pid, signal.SIGTERM)
            until(lambda: get(AGENT_PORT, "/status").json()["phase"], lambda phase: phase == "draining")
    assert agent.exit_code() == 0
    assert "drained" in {line.get("outcome") for line in agent.log()}


@pytest.mark.parametrize("arguments", [("run",), ()], ids=["run", "the-default"])
def test_a_mistake_is_said_in_one_line_and_ends_it(image: str, podman: Podman, arguments: tuple[str, ...]) -> None:
    done = podman.run(image, *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("drainer: DRAINER_APP_PORTS is not set;")
    assert len(done.stderr.splitlines()) == 1


def test_other_commands_run_in_it(image: str, podman: Podman) -> None:
    done = podman.run(image, "census", "--app-ports=8080")

    assert done.stdout.endswith("0 live client connections, read by sock_diag\n")


def test_its_memory_is_less_than_what_the_sidecar_requests(image: str, podman: Podman) -> None:
    assert sidecar.container(sidecar.Sidecar(image, "8080", 30))["resources"]["requests"]["memory"] == "48Mi"
    agent = podman.start(image, app_ports=str(APP_PORT)).listens()

    sizes = {**agent.resident(), "charged": agent.charged()}

    assert {name: size for name, size in sizes.items() if not 0 < size < 48 * 2**20} == {}
