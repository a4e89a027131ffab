"""What a cluster says."""

from __future__ import annotations

from typing import Any

from drainer.commands.doctor.checks.running import Unread
from tests.unit.doctor.pods import (
    Edits,
    kubelet,
    runs,
)


def waiting(reason: str | None = None, message: str | None = None, **more: Any) -> Any:
    return kubelet("refused", state={"waiting": {"reason": reason, "message": message}}, **more)


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


def listening(number: int, *ports: str, phase: str = "serving") -> Any:
    found = {"by_port": {port: {} for port in ports}, "by_state": {"LISTEN": number}}
    return runs({"phase": phase, "connections": found})


GOES_ON: dict[str, Any] = {"state": {"running": {"startedAt": "now"}}}
BAD: dict[str, list[Edits]] = {
    "agent-waits": [
        (waiting("ErrImagePull", "no such host"),),
        (waiting("CrashLoopBackOff", "back-off 20s", lastState=ended(2)),),
        (waiting("CreateContainerConfigError", 'configmap "gone" not found'),),
        (waiting("RunContainerError", "no such file"),),
        (waiting(),),
    ],
    "agent-ended": [(kubelet(state=ended(2)),), (kubelet(state=ended(0, "Completed")),)],
    "agent-restarted": [
        (kubelet(**GOES_ON, restartCount=1, lastState=ended(137, "OOMKilled")),),
        (kubelet(**GOES_ON, restartCount=3, lastState=ended(137)),),
        (kubelet(**GOES_ON, restartCount=2, lastState={}),),
    ],
    "agent-silent": [(kubelet("connection refused", **GOES_ON),), (kubelet("connection refused"),)],
    "app-not-listening": [(listening(0, "8081"),), (listening(0, "1", "2", "3", "4"),)],
    "closer-lacks": [(runs({"closers": [{"name": "reset", "usable": False, "missing": "CAP_NET_ADMIN"}]}),)],
    "source-blind": [(runs({"source": {"name": "psutil", "blind_to": ["the age of connections"]}}),)],
    "not-read": [
        (runs(None, Unread("Services", "403 Forbidden", is_forbidden=True)),),
        (runs(None, Unread("Services", "500", is_forbidden=False)),),
    ],
}
WELL: dict[str, list[Edits]] = {
    "agent-waits": [(waiting("ContainerCreating"),), (waiting("PodInitializing"),), (kubelet(**GOES_ON),)],
    "agent-ended": [(kubelet(**GOES_ON, restartCount=1, lastState=ended(1)),), (waiting("ErrImagePull"),)],
    "agent-restarted": [
        (kubelet(**GOES_ON, restartCount=0),),
        (kubelet(state=ended(2), restartCount=4),),
        (waiting("CrashLoopBackOff", restartCount=5),),
    ],
    "agent-silent": [(kubelet(**GOES_ON),), (waiting("ErrImagePull"),), (kubelet("refused", state=ended(2)),)],
    "app-not-listening": [
        (listening(1, "8080"),),
        (listening(0),),
        (listening(0, "8080", phase="draining"),),
        (runs({"phase": "serving", "connections": {"by_port": {"8080": {}}, "by_state": {}}}),),
        (runs({"phase": "serving", "connections": {"by_port": [], "by_state": {"LISTEN": 0}}}),),
    ],
    "closer-lacks": [(runs({"closers": [{"name": "reset", "usable": True}, {"name": "notify"}]}),), (runs(),)],
    "source-blind": [(runs({"source": {"name": "sock_diag", "blind_to": []}}),), (runs("x"),)],
    "not-read": [(runs({}),)],
}
