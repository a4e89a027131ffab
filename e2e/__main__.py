"""`python -m e2e`: all promises on the cluster that KUBECONFIG names, or on one of its own (docker and kind).

=================  ===============================================================================================
KUBECONFIG         the cluster; without it one is made by kind, and removed at the end
IMAGE              the agent's image, as the cluster's nodes know it; with kind it is built
APP_IMAGE          an image with Python, aiohttp and websockets (e2e/Dockerfile); without it IMAGE, which lacks these
COMMANDS_IMAGE     the image with the commands (make image TARGET=commands); without it the adapter is not tried
PULL_POLICY        imagePullPolicy of all (IfNotPresent)
=================  ===============================================================================================

Arguments are pytest's: `-k rollout`, `-n 0` for one test after the other.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parent.parent
TOGETHER = "4"
"""Tests at a time: most of a test is waiting."""


class E2eError(Exception):
    """It cannot be tried here; the text says why."""


def main() -> int:
    if find_spec("kubernetes") is None:
        return complain("e2e needs the package kubernetes; `make e2e` installs it.")
    # Also where SIGINT was ignored from the start, as in the background of a script.
    on_signal(signal.default_int_handler)
    try:
        with cluster(os.environ) as settings:
            environ = {**os.environ, **settings}
            with namespaces(environ["KUBECONFIG"]) as name:
                pytest = [sys.executable, "-m", "pytest", str(ROOT / "e2e"), "-n", TOGETHER, *sys.argv[1:]]
                return run_to_its_end(pytest, {**environ, "E2E_NAMESPACE": name})
    except E2eError as error:
        return complain(str(error))
    except KeyboardInterrupt:
        return 130


def on_signal(do: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """At whatever asks this process to end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, do)


@contextlib.contextmanager
def namespaces(kubeconfig: str) -> Iterator[str]:
    """The name of a run, with its namespaces, which are removed at the end whatever comes. Raises E2eError.

    Here and not in pytest: that one may end in the middle of its work, as when nobody reads any more what it writes.
    """
    # main() looks first whether it is there.
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415

    from e2e.cluster import Cluster  # noqa: PLC0415
    from e2e.run import runs  # noqa: PLC0415

    name = f"drainer-e2e-{secrets.token_hex(3)}"
    try:
        made = runs(Cluster.of_kubeconfig(kubeconfig), name)
        with contextlib.ExitStack() as ends:
            for run in made:
                ends.callback(run.end)
            ends.callback(say, f"removing the namespaces of {name}, and what is theirs ...")
            ends.callback(on_signal, signal.SIG_IGN)
            for run in made:
                run.begin()
            yield name
    except ApiException as error:
        raise E2eError(f"the cluster refuses: {error.status} {error.body}") from error


@contextlib.contextmanager
def cluster(environ: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The settings of a run: the given cluster, or one of its own for as long as this lasts. Raises E2eError."""
    if environ.get("KUBECONFIG"):
        if not environ.get("IMAGE"):
            raise E2eError("IMAGE is not set; allowed: the agent's image, as the cluster's nodes know it")
        yield {}
        return
    missing = [tool for tool in ("docker", "kind") if shutil.which(tool, path=environ.get("PATH")) is None]
    if missing:
        raise E2eError(f"KUBECONFIG is not set, and a cluster of its own needs {' and '.join(missing)}")
    with kind() as settings:
        yield settings


@contextlib.contextmanager
def kind() -> Iterator[Mapping[str, str]]:
    """A cluster made by kind, with all images in it."""
    name = f"drainer-e2e-{secrets.token_hex(3)}"
    agent, commands, app = (f"docker.io/library/{name}:{word}" for word in ("agent", "commands", "app"))
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = str(Path(folder) / "kubeconfig")
        try:
            for target, image in (("agent", agent), ("commands", commands)):
                do("docker", "build", "--quiet", "--target", target, "--tag", image, str(ROOT))
            do("docker", "build", "--quiet", "--tag", app, str(ROOT / "e2e"))
            do("kind", "create", "cluster", "--name", name, "--kubeconfig", kubeconfig, "--wait", "180s")
            do("kind", "load", "docker-image", "--name", name, agent, commands, app)
            images = {"IMAGE": agent, "COMMANDS_IMAGE": commands, "APP_IMAGE": app}
            yield {"KUBECONFIG": kubeconfig, **images, "PULL_POLICY": "Never"}
        finally:
            for command in (
                ("kind", "delete", "cluster", "--name", name),
                ("docker", "image", "rm", "--force", agent, commands, app),
            ):
                subprocess.run(command, check=False)


def do(*command: str) -> None:
    """Raises E2eError."""
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        raise E2eError(f"`{' '.join(command)}` has failed with exit code {error.returncode}") from error


def run_to_its_end(command: list[str], environ: Mapping[str, str]) -> int:
    """Run pytest, and tell it to end when we are told to."""
    child = subprocess.Popen(command, cwd=ROOT, env=environ)
    on_signal(lambda number, _: child.send_signal(number))
    return child.wait()


def complain(sentence: str) -> int:
    say(sentence)
    return 1


def say(sentence: str) -> None:
    """To whoever still reads."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
