"""`root.py ENVIRONMENT ROOT`, in the build stage: the root file system of an image that holds one virtual environment.

ROOT gets the environment's interpreter, its standard library, and the shared objects that either needs, where they are
here, with the links that lead to them. ENVIRONMENT, which is copied beside it, is freed of what only a developer wants.
Both get their byte-code, since a container cannot write any. There is no shell, no package manager and no pip; scanners
find the packages of the shared objects in /var/lib/dpkg/status.d, where they look in every image without a dpkg.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

LEFT_OUT = re.compile(
    r"(test|idlelib|tkinter|turtledemo|turtle|lib2to3|pydoc_data|ensurepip|venv|macholib|curses|dbm|sqlite3|config-.*"
    r"|sitecustomize|_tkinter|_curses|_curses_panel|readline|_dbm|_gdbm|_sqlite3|_test\w+|xx\w+"
    r"|(site|dist)-packages|EXTERNALLY-MANAGED|__pycache__)(\..*)?"
)
"""Of the standard library, by name: tests, editors, games, other packages, and what needs a terminal or a database."""
FOR_DEVELOPERS = (
    "bin/[!dkp]*", "bin/kubectl-*", "include", ".gitignore", "**/__pycache__", "**/test", "**/tests",
    "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.pxi", "**/*.c", "**/*.h", "**/.hash",
)  # fmt: skip
"""Of the environment: what a compiler, a type checker or a person at a prompt would want. Of its programs only the
interpreter and the agent's own stay; the plugin of kubectl is for machines with kubectl."""
USERS = "root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n"
GROUPS = "root:x:0:\nnonroot:x:65532:\n"


def main(environment: Path, root: Path) -> None:
    """Tidy the environment, and fill the root."""
    for pattern in FOR_DEVELOPERS:
        for path in sorted(environment.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    library = Path(sysconfig.get_path("stdlib"))
    # The environment's interpreter is a link to the one that runs this.
    base = [Path(sys.executable), *chosen(library)]
    programs = [path for path in (*base, *environment.rglob("*.so*")) if path == base[0] or ".so" in path.suffixes]
    shared = {path for path in needed(programs) if environment not in path.parents}
    for path in (*base, *shared, *map(Path, ("/etc/os-release", "/etc/nsswitch.conf"))):
        copy(path, root)
    describe_packages({path for path in (*programs, *shared) if environment not in path.parents}, root)
    (root / "etc/passwd").write_text(USERS)
    (root / "etc/group").write_text(GROUPS)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    index_shared_objects(root)
    compile_all(root / library.relative_to("/"), library)
    compile_all(environment, environment)


def chosen(library: Path) -> Iterator[Path]:
    """The files of the standard library that a server may want."""
    for path in sorted(library.iterdir()):
        if LEFT_OUT.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from chosen(path)
        else:
            yield path


def needed(programs: Iterable[Path]) -> set[Path]:
    """The shared objects that the loader maps for any of these. Raises RuntimeError if one is missing."""
    found: set[Path] = set()
    for program in programs:
        listing = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
        if "not found" in listing:
            raise RuntimeError(f"{program} needs a shared object that is not here:\n{listing}")
        # `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f...)`, and the loader itself without an arrow.
        found |= {Path(path) for path in re.findall(r"(/\S+) \(0x", listing)}
    return found


def copy(path: Path, root: Path) -> None:
    """Copy one file to the same place below `root`, with each symbolic link on the way to it."""
    walked, ahead = Path("/"), deque(path.parts[1:])
    while ahead:
        walked /= ahead.popleft()
        there = root / walked.relative_to("/")
        if walked.is_symlink():
            target = walked.readlink()
            if not there.is_symlink():
                there.symlink_to(target)
            ahead.extendleft(reversed(Path(os.path.normpath(walked.parent / target)).parts[1:]))
            walked = Path("/")
        elif walked.is_dir():
            there.mkdir(exist_ok=True, parents=True)
        elif not there.exists():
            shutil.copy2(walked, there)


def describe_packages(files: Iterable[Path], root: Path) -> None:
    """Leave what dpkg knows of the packages that own these files, and their licences."""
    # Some packages still say /lib where the file is in /usr/lib (the merged /usr of Debian).
    names = [name for path in map(os.path.realpath, files) for name in (path, path.removeprefix("/usr"))]
    owners = subprocess.run(["dpkg", "--search", *names], check=False, capture_output=True, text=True).stdout
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for package in sorted({line.partition(":")[0] for line in owners.splitlines() if " by " not in line}):
        said = subprocess.run(["dpkg-query", "--status", package], check=True, capture_output=True, text=True).stdout
        (status / package).write_text(said)
        copy(Path("/usr/share/doc", package, "copyright"), root)
    for path in sorted(Path("/usr/share/common-licenses").iterdir()):
        copy(path, root)


def index_shared_objects(root: Path) -> None:
    """Make the loader's cache: an interpreter below /usr/local has its library where only the cache leads."""
    for path in (Path("/etc/ld.so.conf"), *sorted(Path("/etc/ld.so.conf.d").glob("*.conf"))):
        copy(path, root)
    subprocess.run(["/sbin/ldconfig", "-X", "-r", root], check=True)
    shutil.rmtree(root / "var/cache", ignore_errors=True)


def compile_all(folder: Path, place: Path) -> None:
    """Byte-code for the place where the folder will be; used unchecked, so it depends on no time stamp."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(folder, 100, str(place), quiet=1, workers=0, invalidation_mode=unchecked):
        raise RuntimeError(f"not everything in {folder} compiles")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
