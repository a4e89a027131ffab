"""The table of a chart's values, from the comments `## @param PATH TEXT` and `## @section TITLE` in its values.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

VALUES = Path(__file__).parent.parent / "chart" / "values.yaml"
_COMMENT = re.compile(r"^ *## @(param|section) (.*)$", re.MULTILINE)


def table() -> str:
    """In Markdown, a table for each section. Raises KeyError for a comment about a value that is not there."""
    text = VALUES.read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    lines: list[str] = []
    for kind, rest in _COMMENT.findall(text):
        if kind == "section":
            lines += ["", f"### {rest}", "", "| value | default | what it is |", "| --- | --- | --- |"]
            continue
        path, _, description = rest.partition(" ")
        value: Any = values
        for key in path.split("."):
            value = value[key]
        lines.append(f"| `{path}` | `{json.dumps(value)}` | {description.replace('|', chr(92) + '|')} |")
    return "\n".join(lines).strip()
