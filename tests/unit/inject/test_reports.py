"""What is said of the objects, to people and to programs."""

from __future__ import annotations

import json

from drainer.commands.pods import NoPod
from drainer.commands.reports import Entry, Hint, Outcome, Remark, Skip, as_json, as_text

INJECTED = Entry("Pod", "shop", "web", Outcome.INJECTED, text="app ports 1", remarks=(Remark(Hint.BENT, "so"),))
SKIPPED = Entry("Pod", "", "web", Outcome.SKIPPED, Skip.WINDOWS, "why")
OTHER = Entry("Service", "", "web", Outcome.SKIPPED, NoPod.OTHER_KIND)
NAMELESS = Entry("", "", "", Outcome.SKIPPED, NoPod.MALFORMED)


def test_people_read_of_objects_with_pods_and_how_many_others_there_are() -> None:
    assert as_text("f", [INJECTED, OTHER, SKIPPED, NAMELESS, OTHER]).splitlines() == [
        "f: Pod shop/web: injected: app ports 1",
        "    bent: so",
        "f: Pod web: skipped (windows): why",
        "f: object without kind: skipped (malformed)",
        "f: 2 without pods: unchanged",
    ]
    assert as_text("f", []) == ""


def test_programs_read_of_every_object() -> None:
    first, other = json.loads(as_json([("f", [INJECTED]), ("g", [OTHER])]))["objects"]
    assert first == {
        "file": "f",
        "kind": "Pod",
        "namespace": "shop",
        "name": "web",
        "outcome": "injected",
        "reason": None,
        "text": "app ports 1",
        "remarks": [{"hint": "bent", "text": "so"}],
    }
    assert (other["file"], other["outcome"], other["reason"]) == ("g", "skipped", "other-kind")


def test_the_words_stay() -> None:
    assert [word.value for words in (Outcome, NoPod, Skip, Hint) for word in words] == [
        *("injected", "removed", "unchanged", "skipped"),
        *("other-kind", "runs-to-completion", "workload-ref", "malformed"),
        *("opted-out", "windows", "name-taken", "has-sidecar", "no-app-port", "port-taken", "no-grace"),
        *("own-prestop", "unknown-container", "no-hook", "grace-raised", "grace-kept", "bent", "unknown-annotation"),
        *(
            "host-network",
            "plain",
            "closer-rights",
            "token-shown",
            "headers-shown",
            "mesh-port",
            "mesh-proxy",
            "serving-label",
        ),
        *("readiness-gate", "own-deletion-cost", "role", "no-api-token", "left", "beside"),
    ]
