"""Why there is no reading of what the app takes."""

from __future__ import annotations


class AbsentError(Exception):
    """There is nothing to read now: `args[0]` is why, in words."""


class NotHereError(AbsentError):
    """... and there will not be: another source may know."""
