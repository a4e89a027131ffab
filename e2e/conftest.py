"""Rules for the whole suite: one namespace for a run, one scene for a test, one table at the end.

With pytest-xdist the first process makes the namespace and removes it; the others only use it.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from e2e.cluster import Cluster
from e2e.manifests import Images
from e2e.report import REPORT, Row, markdown, shown, summary
from e2e.run import Run
from e2e.scene import Scene, Stage, object_name

TEST_SECONDS = 240
"""A test waits for a condition; this is for one whose wait has no end."""

RUNS = pytest.StashKey[tuple[Run, Run]]()
"""The run's namespace, and one for closers that need rights."""
SCENE = pytest.StashKey[Scene]()


def is_first(config: pytest.Config) -> bool:
    """Whether this process is not one that pytest-xdist has started."""
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in ("KUBECONFIG", "IMAGE") if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(f"{', '.join(missing)} must be set: see docs/e2e.md, or run `python -m e2e`")
    workers: dict[str, Any] = getattr(config, "workerinput", {})
    namespace = workers.get("namespace") or f"drainer-e2e-{secrets.token_hex(3)}"
    cluster = Cluster.of_kubeconfig(os.environ["KUBECONFIG"])
    config.stash[RUNS] = Run(cluster, namespace), Run(cluster, f"{namespace}-privileged", "privileged")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist starts a process."""
    node.workerinput["namespace"] = node.config.stash[RUNS][0].namespace


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


def pytest_sessionstart(session: pytest.Session) -> None:
    if not is_first(session.config) or session.config.option.collectonly:
        return
    # What the run has made is removed; also where SIGINT was ignored from the start, as in the background of a script.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        for run in session.config.stash[RUNS]:
            run.begin()
    except ApiException as error:
        pytest.exit(f"the cluster refuses: {error.status} {error.body}", returncode=1)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if is_first(session.config) and not session.config.option.collectonly:
        for run in session.config.stash[RUNS]:
            session.config.get_terminal_writer().line(f"\nremoving the namespace {run.namespace}, and what is its ...")
            run.end()


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
