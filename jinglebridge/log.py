"""Logging: structlog to standard error, as text for people or JSON for machines.

slixmpp is silenced: at its levels it prints whole stanzas, and those hold ICE passwords (J-248).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

import structlog

GATHER = 0.05  # seconds


class Line(NamedTuple):
    """What was logged, as it was said. `at`: seconds since 1970."""

    level: str
    at: float
    event: structlog.typing.EventDict


class Gathered:
    """A stream for lines: what is logged in an event loop is made text and written together, at most GATHER seconds later.

    Each write lets other threads run, and to get the interpreter back from the journal's costs more than the line; and many lines at once
    take half the time to be made text. Without this, log lines took 6 % of the time of a call.
    """

    def __init__(self, stream: TextIO, render: Callable[[Line], str]) -> None:
        self._stream = stream
        self._render = render
        self._lines: list[Line] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that will write what is there
        self._lock = threading.Lock()  # of what is gathered
        self._writing = threading.RLock()  # who is made text may log
        atexit.register(self.out)

    def write(self, line: Line) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            self._lines.append(line)
            waits = loop is not None and loop is self._loop
            self._loop = loop
        if loop is None:
            self.out()
        elif not waits:
            loop.call_later(GATHER, self.out)

    def out(self) -> None:
        """Write what is there."""
        with self._writing:
            with self._lock:
                lines, self._lines, self._loop = self._lines, [], None
            if lines:
                self._stream.write("".join([f"{self._text(line)}\n" for line in lines]))
                self._stream.flush()

    def _text(self, line: Line) -> str:
        """One that cannot be shown must not cost the others."""
        try:
            return self._render(line)
        except Exception as error:
            return f"log line of {line.event.get('event')!r} lost: {type(error).__name__}"


class Lines:
    """The logger behind structlog's: what is wrong, or tells of an exception, is written at once, with all before it."""

    def __init__(self, stream: Gathered) -> None:
        self._stream = stream

    def msg(self, line: Line) -> None:
        self._stream.write(line)
        if line.event.get("exc_info"):
            self._stream.out()

    def wrong(self, line: Line) -> None:
        self._stream.write(line)
        self._stream.out()

    debug = info = msg
    warning = error = critical = wrong


def _as_it_is(_: object, level: str, event: structlog.typing.EventDict) -> tuple[tuple[Line], dict[str, object]]:
    """structlog's last step: the arguments of the logger's method. Which exception is meant is known only here."""
    if event.get("exc_info") is True:
        event["exc_info"] = sys.exc_info()
    return (Line(level, time.time(), event),), {}


def _renderer(format: str) -> Callable[[Line], str]:
    # Plain tracebacks: where `rich` is installed, structlog's default prints local variables, and those hold secrets.
    steps: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if format == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )

    def render(line: Line) -> str:
        found = structlog.processors.add_log_level(None, line.level, line.event)
        found["timestamp"] = datetime.fromtimestamp(line.at, UTC).isoformat().replace("+00:00", "Z")
        for step in steps:
            found = step(None, line.level, found)  # type: ignore[assignment] # the last one makes text
        return str(found)

    return render


def configure(level: str = "info", format: str = "text") -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for noisy in ("slixmpp", "aioice", "aiortc"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    stream = Gathered(sys.stderr, _renderer(format))
    structlog.configure(
        processors=[_as_it_is],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *names: Lines(stream),
        cache_logger_on_first_use=True,
    )
