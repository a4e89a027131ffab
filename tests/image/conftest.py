"""The images, built once for all tests, and a podman whose containers end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.podman import AVAILABLE, REASON, ROOT, Podman, build, mounted, output

BUILDING = [Path(__file__).with_name(f"test_{name}.py") for name in ("content", "container", "sbom")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot be built here; building takes longer than other tests may."""
    for item in items:
        if item.path in BUILDING:
            item.add_marker(pytest.mark.timeout(600))
            if not AVAILABLE:
                item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def base() -> str:
    """The name of the image that the others are built on."""
    return output(ROOT / "tests/image/base")


@pytest.fixture(scope="session")
def image(base: str) -> str:
    return build("agent", "localhost/drainer-test:agent", base)


@pytest.fixture(scope="session")
def commands(base: str) -> str:
    """The image of the commands."""
    return build("commands", "localhost/drainer-test:commands", base)


@pytest.fixture(scope="session")
def root(image: str) -> Iterator[Path]:
    """The root file system of the agent's image."""
    with mounted(image) as path:
        yield path


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Podman]:
    podman = Podman(tmp_path)
    try:
        yield podman
    finally:
        podman.clear()
