"""`make image` with a builder that only says how it was called. The real one is in the other tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from drainer import __version__
from tests.image.podman import ROOT

TOOLS = ("bash", "basename", "dirname", "env", "git", "make", "sed")


def make_image(folder: Path, *builders: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`make image` where these builders are, and no others."""
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for name in builders:
        (folder / name).write_text(f'#!/usr/bin/env bash\necho "{name} $*"\n')
        (folder / name).chmod(0o755)
    assignments = [f"{name}={value}" for name, value in variables.items()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "image", *assignments],
        cwd=ROOT,
        env={**environment, "PATH": str(folder)},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("builders", "begins"),
    [
        (("buildah", "docker"), "buildah build --layers --no-cache --format oci --timestamp "),
        (("docker",), "docker buildx build --tag "),
    ],
)
def test_it_takes_buildah_or_docker(tmp_path: Path, builders: tuple[str, ...], begins: str) -> None:
    done = make_image(tmp_path, *builders)

    called, image = done.stdout.splitlines()
    assert called.startswith(begins)
    assert f"--target agent --build-arg VERSION={__version__} --build-arg REVISION=" in called
    assert "BASE=" not in called
    assert f"--tag {image} " in called
    assert image == f"drainer:{__version__}"


def test_what_was_chosen_reaches_the_builder(tmp_path: Path) -> None:
    done = make_image(
        tmp_path, "docker", TARGET="commands", IMAGE="a/b:c", BASE="d@sha256:e", IMAGE_ARGS="--no-cache --pull"
    )

    called, image = done.stdout.splitlines()
    assert image == "a/b:c"
    for part in ("--tag a/b:c ", "--target commands ", "--build-arg BASE=d@sha256:e ", "--load --no-cache --pull ."):
        assert part in called


def test_several_platforms_are_one_list_of_images(tmp_path: Path) -> None:
    done = make_image(tmp_path, "buildah", PLATFORMS="linux/amd64,linux/arm64", TARGET="commands")

    called, image = done.stdout.splitlines()
    assert f"--platform linux/amd64,linux/arm64 --manifest {image} " in called
    assert "--tag" not in called
    assert image == f"drainer-commands:{__version__}"


def test_without_a_builder_it_says_what_to_install(tmp_path: Path) -> None:
    done = make_image(tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "neither buildah nor docker is here; install one (Debian, Ubuntu: apt install buildah)." in done.stderr
