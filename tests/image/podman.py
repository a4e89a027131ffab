"""Images and containers as a node has them: built by buildah, run by podman and runc, with no network but loopback."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.process.waiting import PATIENCE, until

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = ("buildah", "podman", "runc", "catatonit", "mmdebstrap")
MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
REASON = f"building and running images needs root and {', '.join(PROGRAMS)} (Debian packages of these names)"
AVAILABLE = os.geteuid() == 0 and not MISSING

RESTRICTED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--user=65532:65532",
    "--network=none",
)
"""What Pod Security *restricted* asks for and a read-only root; and no network but loopback."""


def output(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """What a command prints. It must succeed; if not, what it said is shown."""
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (
        f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done.stdout.strip()


def build(target: str, image: str, base: str, *arguments: str) -> str:
    """`image/build`; returns the image's name."""
    # A network with an authority of its own says so in this variable; the build stage must trust it as we do.
    authorities = os.environ.get("SSL_CERT_FILE")
    trust = ("--volume", f"{authorities}:/etc/ssl/certs/ca-certificates.crt:ro") if authorities else ()
    env = {**os.environ, "BUILDER": "buildah", "TARGET": target, "IMAGE": image, "BASE": base, "PLATFORMS": ""}
    # On the host's network there is no bridge, whose addresses may be somebody else's here.
    builder = ("--quiet", "--pull-never", "--network=host", "--runtime", shutil.which("runc") or "runc")
    output(ROOT / "image/build", *builder, *trust, *arguments, env=env)
    return image


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The image's root file system, to be looked at."""
    container = output("buildah", "from", "--pull-never", image)
    try:
        yield Path(output("buildah", "mount", container))
    finally:
        output("buildah", "rm", container)


def compressed(image: str) -> int:
    """Bytes of the image's layers as a registry keeps them."""
    with tempfile.TemporaryDirectory() as folder:
        output("buildah", "push", "--quiet", image, f"oci:{folder}")
        return sum(layer["size"] for layer in _manifest(Path(folder))["layers"])


def layers(image: str) -> list[str]:
    """The digests of the layers' contents."""
    inspected: Any = json.loads(output("buildah", "inspect", "--type", "image", image))
    digests: list[str] = inspected["OCIv1"]["rootfs"]["diff_ids"]
    return digests


def _manifest(folder: Path) -> Any:
    index = json.loads((folder / "index.json").read_text())
    algorithm, _, digest = index["manifests"][0]["digest"].partition(":")
    return json.loads((folder / "blobs" / algorithm / digest).read_text())


class Podman:
    """podman with a configuration of its own, so that it works with what any Debian or Ubuntu has."""

    def __init__(self, folder: Path) -> None:
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        configuration = folder / "containers.conf"
        # Where CAP_SYS_RESOURCE is missing podman may not raise limits, and would refuse to start with its own.
        configuration.write_text(
            f'[containers]\ndefault_ulimits = ["nofile={descriptors}:{descriptors}", "nproc=4096:4096"]\n'
            f'[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        self._env = {**os.environ, "CONTAINERS_CONF": str(configuration)}
        self._folder = folder
        self._things: list[tuple[str, ...]] = []

    def __call__(self, *arguments: str) -> str:
        return output("podman", *arguments, env=self._env)

    def run(self, image: str, *command: str, options: Sequence[str] = RESTRICTED) -> subprocess.CompletedProcess[str]:
        """A container from its beginning to its end."""
        line = ["podman", "run", "--rm", *options, image, *command]
        return subprocess.run(line, env=self._env, check=False, capture_output=True, text=True)

    def create(self, image: str, *command: str, options: Sequence[str] = RESTRICTED, **settings: str) -> Container:
        """A container that has not been started. Settings are the agent's."""
        pid_file = Path(tempfile.mkdtemp(dir=self._folder), "pid")
        env = [f"--env=DRAINER_{name.upper()}={value}" for name, value in settings.items()]
        name = self("create", f"--pidfile={pid_file}", *options, *env, image, *command)
        self._things.append(("rm", "--force", "--time=0", name))
        return Container(self, name, pid_file)

    def start(self, image: str, *command: str, options: Sequence[str] = RESTRICTED, **settings: str) -> Container:
        """A container that runs."""
        container = self.create(image, *command, options=options, **settings)
        self("start", container.name)
        return container

    def pod(self) -> str:
        """A pod whose containers share a network that has loopback only."""
        name = self("pod", "create", "--network=none")
        self._things.append(("pod", "rm", "--force", "--time=0", name))
        return name

    def popen(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same as a call, which is not waited for."""
        return subprocess.Popen(["podman", *arguments], env=self._env, stdout=subprocess.DEVNULL)

    def errors(self, *arguments: str) -> str:
        """What a command writes to standard error. It must succeed."""
        line = ["podman", *arguments]
        return subprocess.run(line, env=self._env, check=True, capture_output=True, text=True).stderr

    def clear(self) -> None:
        """Away with all that was made."""
        while self._things:
            self(*self._things.pop())


class Container:
    """One container."""

    def __init__(self, podman: Podman, name: str, pid_file: Path) -> None:
        self._podman = podman
        self._pid_file = pid_file
        self.name = name

    @property
    def pid(self) -> int:
        """The first process, as seen from outside. Raises FileNotFoundError before it was started."""
        return int(self._pid_file.read_text())

    def log(self) -> list[dict[str, Any]]:
        """What the agent has said so far."""
        return [json.loads(line) for line in self._podman.errors("logs", self.name).splitlines()]

    def messages(self) -> list[str]:
        return [line["message"] for line in self.log()]

    def listens(self) -> Container:
        """Wait until the agent does."""
        until(self.messages, lambda messages: "watching" in messages)
        return self

    def exit_code(self, within: float = PATIENCE) -> int:
        """Wait for its end."""
        ended = ("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", self.name)
        said = until(lambda: self._podman(*ended), lambda said: said.startswith("exited"), within)
        return int(said.split()[1])

    def status(self, field: str) -> str:
        """A line of the kernel's account of the process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{field}:"))

    def resident(self) -> Mapping[str, int]:
        """Rss and Pss in bytes."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return {name: 1024 * int(number) for name, number in re.findall(r"^(Rss|Pss): +(\d+) kB", lines, re.MULTILINE)}

    def charged(self) -> int:
        """Bytes that the container's cgroup is charged with, less the file cache that can be dropped (working set)."""
        lines = [line.split(":", 2) for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines()]
        paths = {controllers: path.lstrip("/") for _, controllers, path in lines}
        if "memory" in paths:
            folder, usage = Path("/sys/fs/cgroup/memory", paths["memory"]), "memory.usage_in_bytes"
        else:
            folder, usage = Path("/sys/fs/cgroup", paths[""]), "memory.current"
        parts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return int((folder / usage).read_text()) - int(parts.get("total_inactive_file", parts.get("inactive_file", 0)))
