"""What is read from the API, however odd, and what is written to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.deletion import Deletion, Pod, Sighting
from drainer.keys import SERVING
from drainer.kube import bodies
from drainer.kube.bodies import MAX_LINE, Condition, Lines, State
from drainer.stories import Story
from tests.unit.kube.pods import POD, pod

STARTED = Story("DrainStarted", "It begins.")
DRAINED = Story("Drained", "It has ended.")
TIME = "2026-11-25T10:00:00Z"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def odd_pods(draw: st.DrawFn) -> dict[str, Any]:
    """With the fields of a pod, each with anything in it."""

    def some(**fields: Any) -> Any:
        return draw(JSON) if draw(st.integers(0, 4)) == 0 else {k: v for k, v in fields.items() if draw(st.booleans())}

    return {
        "metadata": some(
            uid=draw(st.just(POD.uid) | JSON), labels=some(**{SERVING: draw(JSON)}), resourceVersion=draw(JSON),
            deletionTimestamp=draw(JSON), deletionGracePeriodSeconds=draw(JSON)
        ),
        "spec": some(terminationGracePeriodSeconds=draw(JSON)),
        "status": some(conditions=draw(JSON | st.lists(
            JSON | st.fixed_dictionaries({"type": st.just(SERVING), "status": JSON, "reason": JSON}), max_size=3
        ))),
    }  # fmt: skip


@given(st.one_of(odd_pods(), st.dictionaries(st.text(max_size=3), JSON, max_size=3)))
def test_nothing_that_is_json_is_too_odd_to_be_read(odd: dict[str, Any]) -> None:
    sighting = bodies.sighting(odd, POD.uid)
    assert sighting is None or sighting.deletion in (Deletion.NONE, Deletion.REQUESTED)
    for seconds in (sighting.grace if sighting else None, bodies.grace(odd)):
        assert seconds is None or 1.0 <= seconds < 2.0**64
    assert isinstance(bodies.version(odd), str)
    state = bodies.written(odd)
    bodies.patch(POD, state, State("true", Condition(is_true=True, story=STARTED)), TIME)


def test_a_pod_without_a_deletion_timestamp_is_not_being_deleted() -> None:
    assert bodies.sighting(pod(), POD.uid) == Sighting(Deletion.NONE)


def test_a_pod_with_one_is_and_says_how_long_it_has() -> None:
    assert bodies.sighting(pod(deletion=30), POD.uid) == Sighting(Deletion.REQUESTED, 30.0)


@pytest.mark.parametrize(("said", "seconds"), [(0, 1.0), (1, 1.0), (2.5, 2.5), (3600, 3600.0)])
def test_the_kubelet_makes_at_least_a_second_of_a_grace_period(said: float, seconds: float) -> None:
    assert bodies.sighting(pod(deletion=said), POD.uid) == Sighting(Deletion.REQUESTED, seconds)
    assert bodies.grace({"spec": {"terminationGracePeriodSeconds": said}}) == seconds


@pytest.mark.parametrize("said", [None, "30", True, -1, float("nan"), float("inf"), 10**400, [30], {}])
def test_what_is_no_number_of_seconds_is_none(said: object) -> None:
    assert bodies.sighting(pod(deletion=said), POD.uid) == Sighting(Deletion.REQUESTED, None)
    assert bodies.grace({"spec": {"terminationGracePeriodSeconds": said}}) is None


@pytest.mark.parametrize("other", [pod(uid="another"), {}, {"metadata": None}, {"kind": "Status", "metadata": {}}])
def test_another_pod_says_nothing_of_ours(other: dict[str, Any]) -> None:
    assert bodies.sighting(other, POD.uid) is None


def test_a_watch_goes_on_from_the_version_of_the_pod() -> None:
    assert bodies.version(pod(version="42")) == "42"
    assert bodies.version({}) == ""


# ------------------------------------------------------------------------------------------------- what stands there


def condition(status: str = "True", reason: str = "Serving") -> dict[str, str]:
    return {"type": SERVING, "status": status, "reason": reason, "message": "A sentence."}


def test_what_stands_at_the_pod_is_read() -> None:
    found = pod(labels={SERVING: "true"}, conditions=[{"type": "Ready", "status": "False"}, condition()])
    assert bodies.written(found) == State("true", Condition(is_true=True, story=Story("Serving", "A sentence.")))
    (assumed,) = [bodies.written(pod(conditions=[condition("False")])).condition]
    assert assumed is not None
    assert not assumed.is_true


@pytest.mark.parametrize("odd", [{"conditions": {}}, {"conditions": [None, 7, "x", {}]}, {"labels": []}])
def test_nothing_of_ours_is_nothing(odd: dict[str, Any]) -> None:
    assert bodies.written(pod(**odd)) == State()


# ------------------------------------------------------------------------------------------------------ the patch


def test_a_patch_has_the_uid_and_only_what_has_changed() -> None:
    before = State("true", Condition(is_true=True, story=STARTED))
    after = State("false", Condition(is_true=True, story=STARTED))
    assert bodies.patch(POD, before, after, TIME) == {"metadata": {"uid": POD.uid, "labels": {SERVING: "false"}}}


def test_a_condition_that_turns_has_the_time_of_its_turn() -> None:
    before, after = State(None, Condition(is_true=True, story=STARTED)), Condition(is_true=False, story=DRAINED)
    one = {"type": SERVING, "status": "False", "reason": "Drained", "message": "It has ended."}
    assert bodies.patch(POD, before, State(None, after), TIME) == {
        "metadata": {"uid": POD.uid}, "status": {"conditions": [one | {"lastTransitionTime": TIME}]}
    }  # fmt: skip
    again = State(None, Condition(is_true=False, story=STARTED))
    assert bodies.patch(POD, again, State(None, after), TIME)["status"] == {"conditions": [one]}


def test_a_first_condition_has_a_time_and_what_is_not_said_is_not_patched() -> None:
    body = bodies.patch(POD, State(), State("true", Condition(is_true=True, story=STARTED)), TIME)
    assert body["metadata"]["labels"] == {SERVING: "true"}
    assert body["status"]["conditions"][0]["lastTransitionTime"] == TIME
    assert bodies.patch(POD, State("true"), State(), TIME) == {"metadata": {"uid": POD.uid}}


# ------------------------------------------------------------------------------------------------------ the Event


def test_an_event_is_about_the_pod_and_found_by_its_uid() -> None:
    body = bodies.event(POD, Story("DrainDeadline", "Time is up.", "Warning"), TIME, "abc")
    assert body["metadata"] == {"namespace": POD.namespace, "name": f"{POD.name}.abc"}
    assert body["involvedObject"] == {
        "apiVersion": "v1", "kind": "Pod", "namespace": POD.namespace, "name": POD.name, "uid": POD.uid
    }  # fmt: skip
    assert (body["type"], body["reason"], body["message"]) == ("Warning", "DrainDeadline", "Time is up.")
    assert body["source"] == {"component": "drainer"}
    assert (body["reportingComponent"], body["reportingInstance"]) == ("drainer", POD.name)
    assert (body["firstTimestamp"], body["lastTimestamp"], body["count"]) == (TIME, TIME, 1)
    json.dumps(body)


def test_the_name_of_an_event_is_one_that_the_api_takes() -> None:
    long = Pod("p" * 253, "chat", "u", ("api", 443))
    body = bodies.event(long, STARTED, TIME, "0123456789abcdef")
    assert len(body["metadata"]["name"]) == 253
    assert body["metadata"]["name"].endswith("p.0123456789abcdef")
    assert len(body["reportingInstance"]) == 128


# -------------------------------------------------------------------------------------------------------- the lines


@given(st.lists(st.binary(min_size=1, max_size=9).map(lambda line: line.replace(b"\n", b" "))), st.data())
def test_lines_come_whole_however_they_were_cut(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    found, reader = [], Lines()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[begin:end])
    assert found == lines


def test_empty_lines_are_none_and_a_rest_waits() -> None:
    lines = Lines()
    assert lines.feed(b"\n\none\n\ntw") == [b"one"]
    assert lines.feed(b"o\n") == [b"two"]


def test_a_line_without_end_is_refused() -> None:
    lines = Lines()
    assert lines.feed(b"x" * MAX_LINE) == []
    with pytest.raises(ValueError, match="a line of more than"):
        lines.feed(b"x")
