"""What inject makes of its golden cases, seen by the doctor: only what inject says itself is left to be done."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from drainer.commands.doctor.findings import Severity
from drainer.commands.doctor.sources import examine_files

GOLDEN = Path(__file__).parents[1] / "inject" / "golden"
RIGHTS = {"closer-process-namespace", "closer-seccomp", "closer-needs-root"}
LEFT = {
    # Closers that need rights which inject does not give; its report says so (closer-rights).
    "annotated": RIGHTS - {"closer-needs-root"},
    "plain": RIGHTS,
    # The pod says automountServiceAccountToken: false; the report has no-api-token.
    "api": {"api-no-token"},
    # Objects that inject skips, each with its reason.
    "stream": {"no-sidecar"},
}


def errors(name: str) -> set[str]:
    (path,) = GOLDEN.glob(f"{name}.golden.*")
    return {
        finding.key
        for examined in examine_files([str(path)], io.BytesIO())
        for finding, _ in examined.findings
        if finding.severity is Severity.ERROR
    }


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in GOLDEN.glob("*.golden.*")))
def test_what_inject_has_put_in_has_no_errors(name: str) -> None:
    assert errors(name) == LEFT.get(name, set())
