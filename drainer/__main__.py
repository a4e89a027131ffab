"""`drainer` and `python -m drainer`: catches early signals, then hands over to the command line."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys


def main() -> int:
    """Entry point. As PID 1 a signal without a handler is lost, so the handler comes before the heavy imports."""
    early: list[int] = []
    if sys.argv[1:2] in (["run"], ["adapter"]):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda caught, _: early.append(caught))
    _open_what_is_closed()
    _write_what_is_not_of_the_encoding()
    from drainer.cli import main as command_line  # noqa: PLC0415 - after the handler, see above

    try:
        try:
            return command_line(sys.argv[1:], early)
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        # Python would try to write the rest once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            sys.stderr.write(f"drainer: standard output cannot be written ({error.strerror})\n")
        return 1  # Quietly where whoever reads has had enough: `drainer doctor ... | head -1`.


def _open_what_is_closed() -> None:
    """Python has None in the place of a standard stream that is closed (`>&-`), and nobody expects that."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for as long as this runs


def _write_what_is_not_of_the_encoding() -> None:
    """A letter that the encoding of the terminal or the pipe lacks is written as an escape, and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
