"""Two views of the same scene: a picture that moves in a terminal, and plain lines anywhere else."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

PHASES = ("serving", "settling", "draining", "closing", "done")
COLOURS = {"serving": "green", "settling": "yellow", "draining": "cyan", "closing": "blue", "done": "green"}
WHO = {"kubelet": "magenta", "agent": "cyan", "app": "blue", "clients": "green"}


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody has done something."""

    at: float | None
    """Seconds since the hook was called; None before."""
    who: str
    text: str

    @property
    def when(self) -> str:
        """As it is shown."""
        return "" if self.at is None else f"t+{self.at:.1f} s"


@dataclass(slots=True)
class Scene:
    """What can be seen at one moment."""

    title: str
    lead: float
    """Seconds that the curve shows before the hook."""
    window: float
    """Seconds from the hook to the deadline."""
    at: float | None = None
    """Seconds since the hook was called."""
    phase: str = "serving"
    ready: bool | None = None
    """What the last readiness probe got."""
    connections: int = 0
    curve: list[tuple[float, int]] = field(default_factory=list)
    """Connections as the agent counted them, by moment."""
    origin: float = 0.0
    """The moment of the hook; before it, when it is to be."""
    events: list[Event] = field(default_factory=list)


class Lines:
    """A line for each event, nothing else: for a pipe, a log, a dumb terminal."""

    def __init__(self, scene: Scene) -> None:
        self._quarter = 4
        self._most = 1
        self._scene = scene

    def __enter__(self) -> Self:
        print(self._scene.title, flush=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        pass

    def happened(self, event: Event) -> None:
        print(f"{event.when:>8}  {event.who:<8} {event.text}", flush=True)

    def refresh(self) -> None:
        """The curve in words: a line for each quarter of the connections that has left."""
        scene = self._scene
        self._most = max(self._most, scene.connections)
        if scene.at is not None and scene.phase != "done" and scene.connections <= (self._quarter - 1) / 4 * self._most:
            self._quarter = scene.connections * 4 // self._most
            self.happened(Event(scene.at, "agent", f"counts {scene.connections} connections"))

    def summary(self, rows: Sequence[tuple[str, str]], verdict: str, *, good: bool) -> None:  # noqa: ARG002
        print()
        for name, value in rows:
            print(f"{name:<12} {value}")
        print(f"\n{verdict}", flush=True)


class Picture:
    """Phase, readiness, the deadline, the curve of the connections, and what happens, redrawn in place."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        self.refresh()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """The picture goes; the story stays."""
        self._live.stop()
        self._console.print(Text(self._scene.title, "bold"))
        self._console.print(*self._story(), sep="\n")

    @property
    def _width(self) -> int:
        """Of all lines: room for the terminal's ^C, which must not begin a new one."""
        return self._console.width - 3

    def happened(self, event: Event) -> None:  # noqa: ARG002 - it is in the scene
        self.refresh()

    def refresh(self) -> None:
        state = [Text(self._scene.title, "bold"), Text(), *self._state(), Text()]
        height = self._console.height
        curve = self._curve(6 if height >= 30 else 4) if height >= 20 else []
        room = height - len(state) - len(curve) - 2
        page = Table.grid()
        page.add_column(no_wrap=True, max_width=self._width)
        for line in [*state, *curve, Text(), *self._story()[-max(room, 1) :]]:
            page.add_row(line)
        self._live.update(page, refresh=True)

    def summary(self, rows: Sequence[tuple[str, str]], verdict: str, *, good: bool) -> None:
        self._console.print()
        for name, value in rows:
            self._console.print(Text.assemble((f"{name:<12} ", "dim"), value))
        self._console.print()
        self._console.print(Text(verdict, "bold green" if good else "bold red"))

    def _state(self) -> list[Text]:
        scene = self._scene
        phases = Text("phase        ", "dim")
        for phase in PHASES:
            here = phase == scene.phase
            phases.append(phase.upper() if here else phase, f"bold {COLOURS[phase]}" if here else "dim")
            phases.append("" if phase == PHASES[-1] else " > ", "dim")
        word, colour = {
            True: ("ready: Services send clients here", "green"),
            False: ("not ready: Services send nobody new", "yellow"),
            None: ("not probed yet", "dim"),
        }[scene.ready]
        readiness = Text.assemble(("readiness    ", "dim"), (word, colour))
        deadline = Text("deadline     ", "dim")
        if scene.at is None:
            deadline.append("none: nobody has asked for a drain", "dim")
        elif scene.phase == "done":
            deadline.append("no more: the hook is answered", "dim")
        else:
            deadline.append(f"{max(0.0, scene.window - scene.at):.1f} s left", "bold")
            deadline.append(f" (now t+{scene.at:.1f} s)", "dim")
        return [phases, readiness, deadline]

    def _curve(self, height: int) -> list[Text]:
        """Connections over time, from before the hook to the deadline: the empty part on the right is the time left."""
        scene, width = self._scene, max(10, self._width - 13)
        span = scene.lead + scene.window
        columns: list[float] = [0.0] * width
        most = max([number for _, number in scene.curve], default=0) or 1
        for index in range(width):
            moment = (index + 0.5) / width * span - scene.lead + scene.origin
            past = [number for at, number in scene.curve if at <= moment]
            seen = bool(past) and moment <= scene.curve[-1][0]
            columns[index] = past[-1] / most if seen else 0.0
        lines = []
        for row in reversed(range(height)):
            eighths = [min(8, max(0, round(value * 8 * height) - 8 * row)) for value in columns]
            lines.append(Text("".join(" ▁▂▃▄▅▆▇█"[number] for number in eighths), COLOURS[scene.phase]))
        labels = [Text("connections  ", "dim"), Text(f"{scene.connections:<13}", "bold")]
        labels += [Text(" " * 13)] * (height - 2)
        hook = round(scene.lead / span * width)
        axis = Text(" " * 13 + "─" * hook + "┴" + "─" * (width - hook - 2) + "┘", "dim")
        words = Text(" " * (13 + hook) + "hook" + "deadline".rjust(width - hook - 4), "dim")
        return [*(label + line for label, line in zip(labels, lines, strict=True)), axis, words]

    def _story(self) -> list[Text]:
        lines = []
        for event in self._scene.events:
            texts = textwrap.wrap(event.text, max(20, self._width - 19))
            lines.append(Text.assemble((f"{event.when:>8}  ", "dim"), (f"{event.who:<8} ", WHO[event.who]), texts[0]))
            lines += [Text(" " * 19 + text) for text in texts[1:]]
        return lines


def view_of(scene: Scene) -> Lines | Picture:
    """The one that suits where the output goes."""
    utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    animated = utf8 and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Picture(scene) if animated else Lines(scene)
