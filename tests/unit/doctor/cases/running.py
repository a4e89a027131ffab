"""What a cluster says."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    Edits,
    runs,
)

BAD: dict[str, list[Edits]] = {
    "closer-lacks": [(runs({"closers": [{"name": "reset", "usable": False, "missing": "CAP_NET_ADMIN"}]}),)],
    "source-blind": [(runs({"source": {"name": "psutil", "blind_to": ["the age of connections"]}}),)],
    "not-read": [(runs(None, "Services cannot be read (403)"),)],
}
WELL: dict[str, list[Edits]] = {
    "closer-lacks": [(runs({"closers": [{"name": "reset", "usable": True}, {"name": "notify"}]}),), (runs(),)],
    "source-blind": [(runs({"source": {"name": "sock_diag", "blind_to": []}}),), (runs("x"),)],
    "not-read": [(runs({}),)],
}
