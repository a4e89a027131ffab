"""What is in the image, and what is not."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drainer import __version__, sidecar
from tests.image.podman import RESTRICTED, ROOT, Podman, build, layers, output

UNCHECKED = 0b01
"""Bytes 4 to 8 of byte-code that is used without a look at its source (PEP 552)."""

IMPORT_ALL = """
import importlib, pkgutil, sys
elsewhere = {"_winapi", "msvcrt", "nt", "winreg", "winsound", "_overlapped", "_scproxy"}
looked_at, missing = 0, []
def broken(name):
    error = sys.exc_info()[1]
    if isinstance(error, ModuleNotFoundError):
        piece = (error.name or "").partition(".")[0]
        if piece in sys.stdlib_module_names - elsewhere:
            missing.append(f"{name}: {error}")
for found in pkgutil.walk_packages([path for path in sys.path if path.endswith("site-packages")], onerror=broken):
    if found.name.endswith("__main__"):
        continue
    looked_at += 1
    try:
        importlib.import_module(found.name)
    except Exception:
        broken(found.name)
print(looked_at, *missing, sep="\\n")
"""
"""A package may lack what it can do without, but nothing may lack a piece of the standard library."""


def files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)


def settings_of(image: str) -> Any:
    return json.loads(output("buildah", "inspect", "--type", "image", image))["OCIv1"]["config"]


def test_it_says_what_it_is(image: str) -> None:
    settings = settings_of(image)

    prefix = "org.opencontainers.image."
    labels = {name.removeprefix(prefix): text for name, text in settings["Labels"].items() if name.startswith(prefix)}
    revision = labels.pop("revision").removesuffix("-dirty")
    assert revision == output("git", "rev-parse", "HEAD")
    assert labels.pop("base.name")
    assert labels == {
        "title": "drainer",
        "description": "Ends long-lived connections well in Kubernetes.",
        "licenses": "Apache-2.0",
        "version": __version__,
        "source": "https://github.com/drainer/drainer",
        "documentation": "https://github.com/drainer/drainer/blob/main/docs/image.md",
    }
    assert settings["User"] == f"{sidecar.USER}:{sidecar.USER}"
    assert (settings["Entrypoint"], settings["Cmd"]) == (["/opt/drainer/bin/drainer"], ["run"])
    assert "9808/tcp" in settings["ExposedPorts"]
    # SIGTERM is the default.
    assert "StopSignal" not in settings


def test_there_is_one_interpreter_and_no_other_program(root: Path) -> None:
    # Shared objects and modules are marked as programs too; there is nothing in the image that would run a module.
    programs = {
        str(path.relative_to(root))
        for path in files(root)
        if not path.is_symlink() and path.stat().st_mode & stat.S_IXUSR and not {".so", ".py"} & set(path.suffixes)
    }

    interpreters = {name for name in programs if Path(name).name.startswith("python")}
    assert len(interpreters) == 1
    assert programs - interpreters == {"opt/drainer/bin/drainer"}


@pytest.mark.parametrize(
    "pattern",
    [
        "**/sh",
        "**/*bash*",
        "**/pip*",
        "**/apt*",
        "usr/bin/dpkg*",
        "**/*.pyi",
        "**/*.pyx",
        "**/*.c",
        "**/tests",
        "**/test",
    ],
)
def test_what_only_a_developer_or_an_intruder_wants_is_not_there(root: Path, pattern: str) -> None:
    assert list(root.glob(pattern)) == []


def test_nothing_in_it_can_be_changed_by_its_user_or_gives_rights(root: Path) -> None:
    states = {path: path.stat(follow_symlinks=False) for path in files(root) if not path.is_symlink()}

    assert len(states) > 1000
    assert [path for path, state in states.items() if state.st_uid or state.st_gid or state.st_mode & 0o6022] == []


def test_all_byte_code_is_there_and_is_used_unchecked(root: Path) -> None:
    sources = [path for path in files(root) if path.suffix == ".py"]

    assert len(sources) > 500
    for source in sources:
        (code,) = source.parent.glob(f"__pycache__/{source.stem}.cpython-*.pyc")
        assert code.read_bytes()[4] == UNCHECKED, code


def test_scanners_find_the_packages_and_everybody_their_licences(root: Path) -> None:
    packages = {path.name: path.read_text() for path in (root / "var/lib/dpkg/status.d").iterdir()}

    assert {"libc6", "zlib1g"} <= packages.keys()
    for name, said in packages.items():
        assert f"Package: {name}\n" in said
        assert "Version: " in said
        assert (root / "usr/share/doc" / name / "copyright").read_text()
    assert "ID=debian" in (root / "etc/os-release").read_text()


def test_every_module_in_it_has_all_of_the_standard_library_that_it_needs(image: str, podman: Podman) -> None:
    looked_at, *missing = said(image, podman, IMPORT_ALL).splitlines()

    assert int(looked_at) > 150
    assert missing == []


def test_the_image_of_the_commands_has_the_clients_of_kubernetes_too(commands: str, image: str, podman: Podman) -> None:
    assert podman.run(commands, "version").stdout == f"drainer {__version__}\n"
    use = "from kubernetes import client, config, dynamic, stream, watch; import ruamel.yaml"
    assert said(commands, podman, f"{use}; print(client.CoreV1Api().list_node.__name__)") == "list_node"
    assert said(image, podman, "import importlib.util as util; print(util.find_spec('kubernetes'))") == "None"


def said(image: str, podman: Podman, program: str) -> str:
    """What a program in Python prints in a container."""
    options = (*RESTRICTED, "--entrypoint=/opt/drainer/bin/python")
    done = podman.run(image, "-Wignore", "-c", program, options=options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_same_commit_makes_the_same_image(image: str, base: str) -> None:
    again = build("agent", "localhost/drainer-test:again", base)

    assert layers(again) == layers(image)


def test_everything_in_it_is_there_for_arm64_too(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check"]
    arm64 = ["--platform=manylinux_2_28_aarch64", "--platform=manylinux2014_aarch64", "--python-version=3.13"]
    for name in ("agent", "commands"):
        locked = ["--require-hashes", "--only-binary=:all:", "-r", str(ROOT / f"requirements/{name}.txt")]
        subprocess.run([*pip, *arm64, f"--target={tmp_path}", *locked], cwd=ROOT, check=True)
