"""The document: one file out of four, and the headers that let it do nothing but show."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_PARTS = re.compile(r"/\* here: ([\w. ]+) \*/\n")
_STATE = "<!-- here: the state -->"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The document with a gap for the state it begins with."""

    before: str
    after: str
    headers: Mapping[str, str]

    def html(self, state: Mapping[str, Any]) -> str:
        """With this state in it, so that there is something to see before the stream has begun, or without one."""
        # What would end the element that it stands in is written in another way.
        return self.before + json.dumps(state).replace("<", r"\u003c") + self.after


def read(folder: Path = FOLDER) -> Sheet:
    """Put it together from `page.html` and the files that it names. Raises OSError."""
    html = _PARTS.sub(
        lambda part: "".join((folder / name).read_text(encoding="utf-8") for name in part[1].split()),
        (folder / "page.html").read_text(encoding="utf-8"),
    )
    before, _, after = html.partition(_STATE)
    return Sheet(before, after, _headers(_within(html, "style"), _within(html, "script")))


def _within(html: str, element: str) -> str:
    """What stands in the element of this name that has no attributes."""
    return html.partition(f"<{element}>")[2].partition(f"</{element}>")[0]


def _headers(style: str, script: str) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",  # the icon
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
