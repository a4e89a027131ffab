"""Rules for the whole suite."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator

import pytest

IN_CI = os.environ.get("CI") == "true"


def pytest_configure() -> None:
    """Say that there is no event loop: looptime asks for one in plain tests too, and asyncio would
    make one that nobody closes.
    """
    asyncio.set_event_loop(None)


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where everything is installed, a skip hides a missing part: make it a failure that says the reason."""
    if not (IN_CI and report.skipped) or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"A skipped test is a failure in CI. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    forbid_skip(report)
    return report
