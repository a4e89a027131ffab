"""Writes the parts of docs/*.md and chart/README.md that are made from code. `--check` only compares.

A part is between markers: it begins with `<!-- generated: NAME -->` and ends with `<!-- end -->`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from io import BytesIO
from pathlib import Path

from chart_values import table

from drainer.attempt import Verdict
from drainer.callers import Trust
from drainer.cap import Bound, Cap, CapPlan, Others, Room, Signal
from drainer.cli import Exit
from drainer.commands.doctor.checks import ALL as CHECKS
from drainer.commands.doctor.report import as_text
from drainer.commands.doctor.sources import examine_files
from drainer.commands.pods import NoPod
from drainer.commands.reports import Hint, Outcome, Skip
from drainer.cost import Fit, Reading, Usage
from drainer.deletion import Deletion
from drainer.drain import Drain
from drainer.kinds import CLOSERS
from drainer.kube.words import ApiResult, Operation
from drainer.lookout import SECONDS_BOUNDS
from drainer.metrics import render
from drainer.model import CensusError, Histogram, Reason
from drainer.phases import TRANSITIONS, Closings, Phase, Result
from drainer.plan import DrainPlan
from drainer.settings import SETTINGS
from drainer.status import Status
from drainer.target import Ask
from drainer.tracker import Tracker
from drainer.vitals import Check, Checkup, Name, Vitals
from e2e.report import promise

DOCS = Path(__file__).parent
PAGES = [*sorted(DOCS.glob("*.md")), DOCS.parent / "chart" / "README.md"]
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

_WHY = {
    (Phase.SERVING, Phase.SETTLING): "begin",
    (Phase.SETTLING, Phase.DRAINING): "settle is over",
    (Phase.SETTLING, Phase.DONE): "deadline",
    (Phase.DRAINING, Phase.CLOSING): "patience is over, and there are closers",
    (Phase.DRAINING, Phase.DONE): "drained, or deadline",
    (Phase.CLOSING, Phase.DONE): "drained, or deadline",
    (Phase.DONE, Phase.SETTLING): "begin, 60 s later",
}


def diagram() -> str:
    """The phases as a Mermaid state diagram, drawn from the transition table."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> serving"]
    for phase in Phase:
        for following in Phase:
            if following in TRANSITIONS[phase]:
                why = _WHY.get((phase, following), "resume")
                lines.append(f"    {phase} --> {following}: {why}")
    return "\n".join([*lines, "```"])


def settings() -> str:
    """The reference of settings."""
    lines = ["| variable and flag | default | what it is, and why this default |", "| --- | --- | --- |"]
    for setting in SETTINGS:
        default = "required" if setting.default is None else f"`{setting.default}`" if setting.default else "none"
        text = f"{setting.help} *{setting.why}* Allowed: {setting.kind.allowed}."
        lines.append(f"| `{setting.env}` <br> `{setting.flag}` | {default} | {text} |")
    return "\n".join(lines)


def words() -> str:
    """The words of the public interface with their meaning, from the docstrings of the enumerations."""
    return _listed(
        ("Phases", Phase),
        ("Outcomes", Result),
        ("Reasons for which a socket is left out", Reason),
        ("What came of a try to end a connection", Verdict),
        ("Trust of a caller", Trust),
        ("Census errors", CensusError),
        ("Whether there is room for more", Room),
        ("Which bound of a limit is reached", Bound),
        ("How full is said", Signal),
        ("Whether other pods take", Others),
        ("What the API says of the pod", Deletion),
        ("What is asked of the API", Operation),
        ("What came of it", ApiResult),
        ("Checks of /health", Name),
        ("What the app is asked", Ask),
    )


def inject_words() -> str:
    """The words of the report of `drainer inject`."""
    return _listed(
        ("What became of an object", Outcome),
        ("Why it has no pod that could be drained", NoPod),
        ("Why a pod was left alone", Skip),
        ("What to know of a pod that has the sidecar now, or had it", Hint),
    )


def _listed(*enumerations: tuple[str, type[StrEnum]]) -> str:
    parts = []
    for title, words in enumerations:
        meanings = _docstrings(words.__module__, words.__name__)
        parts += [f"**{title}**", "", *(f"- `{word.value}`: {meanings.get(word.name, '')}" for word in words), ""]
    return "\n".join(parts).rstrip()


def _docstrings(module: str, name: str) -> Mapping[str, str]:
    """The string after each member of an enumeration."""
    source = Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8")
    body = re.search(rf"class {name}\(StrEnum\):\n(.*?)\n\n\n", source, re.DOTALL)
    found = re.findall(r'^    (\w+) = [^\n]*\n    """(.*?)"""', body[1] if body else "", re.MULTILINE | re.DOTALL)
    return {member: " ".join(text.split()) for member, text in found}


def metrics() -> str:
    """Every metric family with its type, labels and help."""
    status = _empty_status()
    text = render(status, "", 0.0)[0].decode()
    lines = ["| metric | type | labels | what it is |", "| --- | --- | --- | --- |"]
    for name, kind in re.findall(r"^# TYPE (drainer_\w+) (\w+)$", text, re.MULTILINE):
        help_text = re.search(rf"^# HELP {name} (.*)$", text, re.MULTILINE)
        labels = re.search(rf"^{name}{{(.*?)}}", text, re.MULTILINE)
        names = re.findall(r'(\w+)="', labels[1]) if labels else []
        lines.append(
            f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in names) or '-'} | "
            f"{help_text[1] if help_text else ''} |"
        )
    return "\n".join(lines)


def _empty_status() -> Status:
    drain = Drain(DrainPlan())
    return Status(
        at=0.0,
        phase=drain.phase,
        deletion=Deletion.UNKNOWN,
        api_requests={"": {"": 0}},
        keeps_cost=False,
        ready=True,
        # So that the gauges of what may be off are there too.
        limit=Cap(CapPlan(1, 1, 1.0, Signal.METRIC, never_last=False)).status,
        census=Tracker([8080]).census(0.0),
        drain=None,
        last_outcome=None,
        held=0,
        passive=0,
        drains={},
        drain_seconds=Histogram(SECONDS_BOUNDS),
        calls={},
        ages=Histogram(SECONDS_BOUNDS),
        census_seconds=Histogram(SECONDS_BOUNDS),
        census_errors={},
        notified=False,
        closers=dict.fromkeys(CLOSERS),
        closings=Closings(),
        left_by_themselves=0,
        vitals=Vitals(
            Checkup(0.0, [Check(name, passed=True) for name in Name]),
            Usage("processes", Reading(0.0, 0, 0.0), 0.0, Fit(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), None),
        ),
    )


def exits() -> str:
    """Exit codes."""
    meanings = {
        Exit.OK: "all went well",
        Exit.FAILURE: "it could not be done: the port is taken, the socket table or a manifest cannot be read",
        Exit.USAGE: "settings or arguments cannot be used; nothing was started",
        Exit.FINDINGS: "nothing failed, and there is something to see: `inject --diff` has a difference, "
        "`doctor` has found an error, or with `--strict` a warning",
    }
    return "\n".join(f"- `{code.value}`: {meanings[code]}" for code in Exit)


def checks() -> str:
    """Every check of `drainer doctor`."""
    lines = ["| key | severity | what | why | fix |", "| --- | --- | --- | --- | --- |"]
    lines += (f"| `{check.key}` | {check.severity} | {check.what} | {check.why} | {check.fix} |" for check in CHECKS)
    return "\n".join(lines)


def examined() -> str:
    """What the doctor says of the first manifest in docs/doctor.md."""
    manifest = (DOCS / "doctor.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    said = as_text(examine_files(["-"], BytesIO(manifest.encode())), colour=False)
    return f"```text\n{said.replace('-:', 'web.yaml:')}```"


def promises() -> str:
    """Every test of e2e: its name is the promise that it holds."""
    lines = []
    for path in sorted((DOCS.parent / "e2e").glob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        tests = [node.name for node in module.body if isinstance(node, ast.FunctionDef) and "test_" in node.name[:5]]
        lines += [f"**{(ast.get_docstring(module) or '').splitlines()[0]}** (`e2e/{path.name}`)", ""]
        lines += [*(f"- {promise(test)}" for test in tests), ""]
    return "\n".join(lines).rstrip()


PARTS: Mapping[str, Callable[[], str]] = {
    "diagram": diagram,
    "settings": settings,
    "words": words,
    "metrics": metrics,
    "exits": exits,
    "values": table,
    "inject_words": inject_words,
    "checks": checks,
    "examined": examined,
    "promises": promises,
}


def generated(text: str) -> str:
    """`text` with all its parts made anew. Raises KeyError for a part that nothing makes."""
    return _PART.sub(lambda match: match[1] + PARTS[match[2]]() + "\n" + match[3], text)


def main(arguments: list[str]) -> int:
    """Write, or with `--check` say which files are stale."""
    stale = 0
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        fresh = generated(text)
        if fresh != text:
            stale += 1
            if "--check" in arguments:
                sys.stderr.write(f"{path.name} is stale: run `make docs`\n")
            else:
                path.write_text(fresh, encoding="utf-8")
    return int("--check" in arguments and stale > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
