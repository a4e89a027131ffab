"""The image beside its base, what is in it, and its memory as a container. Built for real and run by podman."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from bench.report import Figures, Table
from tests.image.podman import AVAILABLE, REASON, ROOT, Podman, build, compressed, mounted, output
from tests.process.kubelet import get
from tests.process.namespace import inside
from tests.process.waiting import until

MOST_OVER_BASE = 15.0
"""MB, compressed."""
REQUESTED_MIB = 48.0
"""What the sidecar requests."""
AGENT_PORT = 9808
CENSUSES = 5
"""After so many the sets and dictionaries have the size that they keep."""


def run(*, quick: bool) -> list[Table]:
    """MB (10^6 bytes) as in a registry, and MiB as in a pod's limits."""
    if not AVAILABLE:
        figures = Figures()
        figures.missing("image", REASON)
        return [figures.table("Image")]
    base = output(ROOT / "tests/image/base")
    image = build("agent", "localhost/drainer-bench:agent", base)
    return [_sizes(base, image, quick=quick), _content(image), _memory(image)]


def _sizes(base: str, image: str, *, quick: bool) -> Table:
    figures = Figures()
    ours, theirs = compressed(image) / 1e6, compressed(base) / 1e6
    figures.add("compressed: the image", ours, " MB")
    figures.add("compressed: its base", theirs, " MB")
    figures.add("compressed: the image over its base", ours - theirs, " MB", most=MOST_OVER_BASE)
    figures.add("unpacked: the image", _unpacked(image) / 1e6, " MB")
    figures.add("unpacked: its base", _unpacked(base) / 1e6, " MB")
    if not quick:
        commands = build("commands", "localhost/drainer-bench:commands", base)
        figures.add("compressed: the image of the commands", compressed(commands) / 1e6, " MB")
    return figures.table("Image", f"The base: {base}.")


def _unpacked(image: str) -> int:
    with mounted(image) as root:
        return sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def _content(image: str) -> Table:
    """Unpacked MB by what they are."""
    parts: Counter[str] = Counter()
    with mounted(image) as root:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                parts[_part(path.relative_to(root))] += path.lstat().st_size
    rows = [(name, f"{size / 1e6:.2f} MB") for name, size in parts.most_common()]
    return Table("What is in the image, unpacked, with byte-code", ("part", "size"), rows)


def _part(path: Path) -> str:
    """What a file belongs to."""
    pieces = path.parts
    if "site-packages" in pieces:
        package = pieces[pieces.index("site-packages") + 1]
        return package.split("-")[0].removesuffix(".py")
    if any(piece.startswith("python3.") for piece in pieces[:-1]):
        return "the standard library"
    if path.name.startswith("python"):
        return "the interpreter"
    if ".so" in path.name:
        return "shared objects (libc, OpenSSL, ...)"
    return "licences, packages' descriptions, users"


def _memory(image: str) -> Table:
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        podman = Podman(Path(folder))
        try:
            agent = podman.start(image, app_ports="8080", interval="100ms").listens()
            with inside(agent.pid):
                until(_censuses, lambda number: number >= CENSUSES)
            sizes = {**agent.resident(), "charged": agent.charged()}
        finally:
            podman.clear()
    figures.add("resident (Rss)", sizes["Rss"] / 2**20, " MiB", most=REQUESTED_MIB)
    figures.add("proportional (Pss)", sizes["Pss"] / 2**20, " MiB")
    figures.add("charged to the container (working set)", sizes["charged"] / 2**20, " MiB", most=REQUESTED_MIB)
    return figures.table("Memory as a restricted container at rest", "The target is what the sidecar requests.")


def _censuses() -> float:
    """How many the agent of this network namespace has taken."""
    lines = get(AGENT_PORT, "/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("drainer_census_duration_seconds_count"))
