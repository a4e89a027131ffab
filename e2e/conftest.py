"""Rules for the whole suite: one scene for a test, one table at the end. The namespace is there: `python -m e2e`."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from e2e.cluster import Cluster
from e2e.manifests import Images
from e2e.report import REPORT, Row, markdown, shown, summary
from e2e.run import Run, runs
from e2e.scene import Scene, Stage, object_name

TEST_SECONDS = 240
"""A test waits for a condition; this is for one whose wait has no end."""

NAMESPACE = "E2E_NAMESPACE"
"""The variable that names the run."""
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP

RUNS = pytest.StashKey[tuple[Run, Run]]()
"""The run's namespace, and one for closers that need rights."""
SCENE = pytest.StashKey[Scene]()


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in ("KUBECONFIG", "IMAGE", NAMESPACE) if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(f"{', '.join(missing)} must be set; `python -m e2e` does it: see docs/e2e.md")
    config.stash[RUNS] = runs(Cluster.of_kubeconfig(os.environ["KUBECONFIG"]), os.environ[NAMESPACE])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


def pytest_sessionstart() -> None:
    for number in SIGNALS:
        signal.signal(number, interrupt)


def interrupt(*_: object) -> None:
    """Only once: Ctrl-C is told to this process, and by `python -m e2e` once more."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def enter(run: Run) -> AbstractContextManager[Stage]:
    images = Images(
        agent=os.environ["IMAGE"],
        app=os.environ.get("APP_IMAGE") or os.environ["IMAGE"],
        pull=os.environ.get("PULL_POLICY") or "IfNotPresent",
        commands=os.environ.get("COMMANDS_IMAGE", ""),
    )
    return run.stage(images, os.environ.get("PYTEST_XDIST_WORKER", "here"))


def play(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Scene]:
    scene = Scene(stage, object_name(request.node.name))
    request.node.stash[SCENE] = scene
    yield scene
    request.node.user_properties.append(("saw", list(scene.saw.items())))
    scene.remove()


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with enter(request.config.stash[RUNS][0]) as made:
        yield made


@pytest.fixture(scope="session")
def privileged_stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with enter(request.config.stash[RUNS][1]) as made:
        yield made


@pytest.fixture
def scene(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Scene]:
    yield from play(request, stage)


@pytest.fixture
def privileged_scene(request: pytest.FixtureRequest, privileged_stage: Stage) -> Iterator[Scene]:
    yield from play(request, privileged_stage)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed tells the whole story of its pods."""
    report = yield
    scene = item.stash.get(SCENE, None)
    if report.when == "call" and report.failed and scene is not None:
        report.sections += scene.story().items()
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = list(_rows(terminalreporter))
    if not rows:
        return
    run = config.stash[RUNS][0]
    title = f"e2e on Kubernetes {run.cluster.version_name}"
    terminalreporter.section(title)
    for row in rows:
        terminalreporter.write_line(f"{row.outcome:<7} {row.seconds:4.0f} s  {row.promise}")
        if row.saw:
            terminalreporter.write_line(f"                 {row.saw}")
    terminalreporter.write_line(summary(rows))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(markdown(title, rows))
    terminalreporter.write_line(f"as a table: {REPORT}")


def _rows(reporter: Any) -> Iterator[Row]:
    """One for each test: what it saw is known at its teardown."""
    saw: dict[str, list[tuple[str, Any]]] = {}
    for reports in reporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                saw[report.nodeid] = dict(report.user_properties).get("saw", [])
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in reporter.stats.get(outcome, []):
            if isinstance(report, pytest.TestReport):
                seen = report.longrepr[2] if isinstance(report.longrepr, tuple) else shown(saw.get(report.nodeid, []))
                yield Row(report.nodeid.partition("::")[2], outcome, report.duration, seen)
