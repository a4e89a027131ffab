"""The report, as text and as JSON."""

from __future__ import annotations

import json

from drainer.commands.doctor.findings import Finding, Severity, written
from drainer.commands.doctor.report import Examined, as_json, as_text

LATE = Finding("late", Severity.WARNING, ("spec", "containers", 0), "is late", "be sooner")
BROKEN = Finding("broken", Severity.ERROR, ("metadata", "labels", "a/b"), "is broken", "mend it")
BARE = Finding("bare", Severity.NOTE, (), "is bare", "none")
WEB = Examined("Deployment", "chat", "web", "web.yaml", 3, [(BROKEN, 5), (LATE, 9)])
LIVE = Examined("Pod", "chat", "web-0", None, None, [(BARE, None)])
WELL = Examined("Pod", "", "", "-", 1, [])


def test_findings_stand_below_their_object_with_file_and_line() -> None:
    assert as_text([WEB, WELL, LIVE], colour=False) == (
        "Deployment chat/web\n"
        '  web.yaml:5: error broken: metadata.labels["a/b"]: is broken. Fix: mend it.\n'
        "  web.yaml:9: warning late: spec.containers[0]: is late. Fix: be sooner.\n"
        "\n"
        "Pod chat/web-0\n"
        "  note bare: is bare. Fix: none.\n"
        "\n"
        "1 error, 1 warning, 1 note in 3 objects with pods\n"
    )


def test_where_all_is_well_one_line_says_what_was_looked_at() -> None:
    assert as_text([WELL], colour=False) == "nothing to fix in 1 object with pods: Pod (no name)\n"
    assert as_text([], colour=False) == "nothing to check: no object with pods\n"


def test_more_than_one_is_a_plural() -> None:
    twice = Examined("Pod", "", "x", "f", 1, [(LATE, 1), (LATE, 2)])

    assert as_text([twice], colour=False).endswith("2 warnings in 1 object with pods\n")


def test_colour_is_around_titles_and_severities_only() -> None:
    said = as_text([WEB], colour=True)

    assert "\033[1mDeployment chat/web\033[m\n" in said
    assert "\033[31merror\033[m broken" in said
    assert "\033[33mwarning\033[m late" in said
    assert "\033" not in as_text([WEB], colour=False)


def test_a_manifest_cannot_command_the_terminal() -> None:
    evil = Finding("evil", Severity.ERROR, ("spec", "\033[2J"), "says \033[2J and \ud800", "take it out\n\n")

    said = as_text([Examined("Pod", "", "\033]0;x\007", "f", 1, [(evil, 1)])], colour=False)

    assert "\033" not in said
    assert "says \\x1b[2J and \\ud800. Fix: take it out\\n\\n." in said


def test_json_has_the_same_for_programs() -> None:
    report = json.loads(as_json([WEB, LIVE]))

    assert report["counts"] == {"error": 1, "warning": 1, "note": 1}
    assert report["objects"][0] == {
        "kind": "Deployment",
        "namespace": "chat",
        "name": "web",
        "file": "web.yaml",
        "line": 3,
        "findings": [
            {
                "key": "broken",
                "severity": "error",
                "path": 'metadata.labels["a/b"]',
                "line": 5,
                "says": "is broken",
                "fix": "mend it",
            },
            {
                "key": "late",
                "severity": "warning",
                "path": "spec.containers[0]",
                "line": 9,
                "says": "is late",
                "fix": "be sooner",
            },
        ],
    }
    assert (report["objects"][1]["file"], report["objects"][1]["findings"][0]["line"]) == (None, None)


def test_a_path_is_written_as_people_write_it() -> None:
    assert written(("spec", "containers", 0, "env", 12, "value")) == "spec.containers[0].env[12].value"
    assert written(("items", 3, "metadata", "annotations", "a.b/c")) == 'items[3].metadata.annotations["a.b/c"]'
