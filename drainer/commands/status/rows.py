"""What of an agent's answer stands in a line, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from drainer.commands.terminal import printable
from drainer.phases import Phase, Result

W = TypeVar("W", Phase, Result)


class OddAnswerError(ValueError):
    """This is no /status; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking an agent: `status` or `error` is None."""

    namespace: str
    """Empty for an agent that was named by its address."""
    name: str
    status: Any
    """JSON, of whatever shape."""
    error: str | None
    """Why there is none."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"namespace": self.namespace or None, "pod": self.name, "status": self.status, "error": self.error}


@dataclass(frozen=True, slots=True)
class Row:
    """One agent."""

    namespace: str
    pod: str
    phase: Phase | None = None
    """None where there is no answer."""
    note: str = ""
    """What is to be known beside the phase: `full`, `not ready`."""
    connections: int | None = None
    deadline_in: float | None = None
    """Seconds, while a drain runs."""
    gone: int = 0
    """Connections that a running drain has seen go,"""
    of: int = 0
    """and those that it has seen at all; 0 if no drain runs."""
    outcome: Result | None = None
    """Of the last drain that ended."""
    story: str = ""
    """The outcome in a few words, or why there is no answer."""

    @property
    def key(self) -> tuple[str, str]:
        """Which agent."""
        return self.namespace, self.pod


GONE = "the pod is gone"


def rows_of(answers: Iterable[Answer]) -> list[Row]:
    """A line for each, in the same order."""
    return [_row_of(answer) for answer in answers]


def changes(before: Sequence[Row], after: Sequence[Row]) -> list[Row]:
    """Those that are not as they were, and those that are not there any more. Time alone changes nothing."""
    known = {row.key: row for row in before}
    changed = [row for row in after if _still(known.pop(row.key, None)) != _still(row)]
    return changed + [Row(*key, story=GONE) for key in known]


def _still(row: Row | None) -> Row | None:
    return row and replace(row, deadline_in=None)


def _row_of(answer: Answer) -> Row:
    if answer.error is not None:
        return Row(answer.namespace, answer.name, story=printable(answer.error))
    try:
        return row(answer.namespace, answer.name, answer.status)
    except OddAnswerError as error:
        return Row(answer.namespace, answer.name, story=str(error))


def row(namespace: str, pod: str, status: Any) -> Row:
    """What an agent's /status says; fields of newer versions are passed over. Raises OddAnswerError."""
    answer = _mapping("the answer", status)
    phase = _word(Phase, "phase", answer.get("phase"))
    drain, last = answer.get("drain"), answer.get("last_outcome")
    gone, of, deadline = (0, 0, None) if drain is None else _progress(_mapping("drain", drain))
    outcome, story = (None, "") if last is None else _outcome(_mapping("last_outcome", last))
    return Row(
        namespace,
        pod,
        phase,
        note=_note(phase, answer),
        connections=_count("connections.total", _mapping("connections", answer.get("connections")).get("total")),
        deadline_in=deadline,
        gone=gone,
        of=of,
        outcome=outcome,
        story=story,
    )


def _note(phase: Phase, answer: Mapping[str, Any]) -> str:
    limit = answer.get("limit")
    if isinstance(limit, Mapping) and limit.get("full") is True:
        return "full"
    return "not ready" if phase is Phase.SERVING and answer.get("ready") is False else ""


def _progress(drain: Mapping[str, Any]) -> tuple[int, int, float]:
    gone, here = _count("drain.left", drain.get("left")), _count("drain.remaining", drain.get("remaining"))
    return gone, gone + here, _seconds("drain.deadline_in_seconds", drain.get("deadline_in_seconds"))


def _outcome(last: Mapping[str, Any]) -> tuple[Result, str]:
    outcome = _word(Result, "last_outcome.outcome", last.get("outcome"))
    seconds = _seconds("last_outcome.seconds", last.get("seconds"))
    gone, here = _count("last_outcome.left", last.get("left")), _count("last_outcome.remaining", last.get("remaining"))
    return outcome, f"{outcome} after {seconds:.1f} s, {gone} gone" + (f", {here} remaining" if here else "")


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OddAnswerError(f"no /status: {what} is not an object")
    return value


def _count(what: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise OddAnswerError(f"no /status: {what} is not a count")
    return value


def _seconds(what: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise OddAnswerError(f"no /status: {what} is not a number")
    return float(value)


def _word(words: type[W], what: str, value: Any) -> W:
    try:
        return words(value)
    except ValueError:
        raise OddAnswerError(f"no /status: {what} is none that is known") from None
