"""Logging: structlog to standard error, as text for people or JSON for machines.

slixmpp is silenced: at its levels it prints whole stanzas, and those hold ICE passwords (J-248).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
from typing import TextIO

import structlog

GATHER = 0.05  # seconds


class Gathered:
    """A stream for lines: what is logged in an event loop is written together, at most GATHER seconds later.

    Each write lets other threads run, and to get the interpreter back from the journal's costs more than the line: without this, log lines
    took 4 % of the time of a call.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that will write what is there
        self._lock = threading.Lock()
        atexit.register(self.out)

    def write(self, line: str) -> None:
        """`line` with its end."""
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

    def flush(self) -> None:
        """Called after each line; `out` does it."""

    def out(self) -> None:
        """Write what is there."""
        with self._lock:
            lines, self._lines, self._loop = self._lines, [], None
            if lines:
                self._stream.write("".join(lines))
                self._stream.flush()


class Lines(structlog.WriteLogger):
    """What is wrong is written at once, with all before it."""

    def __init__(self, stream: Gathered) -> None:
        super().__init__(stream)  # type: ignore[arg-type] # it needs no more of a stream
        self._stream = stream

    def wrong(self, line: str) -> None:
        self.msg(line)
        self._stream.out()

    warning = error = critical = wrong  # type: ignore[assignment]


def configure(level: str = "info", format: str = "text") -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for noisy in ("slixmpp", "aioice", "aiortc"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    # Plain tracebacks: where `rich` is installed, structlog's default prints local variables, and those hold secrets.
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    stream = Gathered(sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if format == "json" else structlog.processors.StackInfoRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *names: Lines(stream),
        cache_logger_on_first_use=True,
    )
