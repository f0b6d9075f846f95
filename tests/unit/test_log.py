"""Logging: levels, both formats, and nothing of slixmpp's (J-248)."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import time

import pytest

from jinglebridge import log

CODE = """
import logging, sys
from jinglebridge import log
log.configure({level!r}, {format!r})
import structlog
logger = structlog.get_logger()
logger.debug("quiet", a=1)
logger.info("said", b="two")
logging.getLogger("slixmpp.xmlstream").error("<stanza pwd='secret'/>")
logging.getLogger("aioice.ice").warning("secret")
def fail():
    secret = "hunter2"
    raise ValueError("boom")
try:
    fail()
except ValueError:
    logger.exception("failed")
"""


def run(level: str, format: str) -> str:
    done = subprocess.run([sys.executable, "-c", CODE.format(level=level, format=format)], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(("level", "events"), [("debug", ["quiet", "said", "failed"]), ("info", ["said", "failed"]), ("error", ["failed"])])
def test_json_is_one_object_a_line(level, events):
    lines = [json.loads(line) for line in run(level, "json").splitlines()]
    assert [line["event"] for line in lines] == events
    assert "ValueError: boom" in lines[-1]["exception"] and lines[-1]["timestamp"].endswith("Z")


def test_text_shows_no_local_variables_and_no_stanzas():
    text = run("info", "text")
    assert "said" in text and "b=two" in text and "ValueError: boom" in text
    assert "\x1b" not in text.partition("failed")[0].partition("said")[0], "no colours where there is no terminal"
    assert "hunter2" not in text.replace('secret = "hunter2"', "") and "<stanza" not in text


def line(event: str, **more: object) -> log.Line:
    return log.Line("info", 0.0, {"event": event, **more})


def said(found: log.Line) -> str:
    return str(found.event["event"])


async def test_lines_of_a_loop_are_written_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "GATHER", 0.02)
    written: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    lines = log.Gathered(Stream(), said)
    for number in range(3):
        lines.write(line(f"{number}"))
    assert written == []
    await asyncio.sleep(0.1)
    assert written == ["0\n1\n2\n"]
    lines.write(line("3"))
    await asyncio.to_thread(lines.write, line("4"))
    assert written[1:] == ["3\n4\n"], "a thread has no loop that would write later"
    await asyncio.sleep(0.1)
    assert len(written) == 2


async def test_what_is_wrong_is_written_at_once():
    stream = io.StringIO()
    logger = log.Lines(log.Gathered(stream, said))
    logger.info(line("said"))
    assert stream.getvalue() == ""
    logger.warning(line("wrong"))
    assert stream.getvalue() == "said\nwrong\n"
    for method in (logger.error, logger.critical):
        method(line("worse"))
        assert stream.getvalue().endswith("worse\n")
        logger.info(line("said"))
    logger.debug(line("caught", exc_info=True))
    assert stream.getvalue().endswith("said\ncaught\n"), "what there is to tell of an exception is gone soon"


def test_a_line_tells_of_the_moment_and_the_exception_that_it_was_said_in():
    try:
        raise ValueError("mine")
    except ValueError:
        (found,), _ = log._as_it_is(None, "error", {"event": "failed", "exc_info": True})
    before, now = found.at, time.time()
    assert now - 5 < before <= now
    try:
        raise RuntimeError("of another thread, which writes")
    except RuntimeError:
        shown = json.loads(log._renderer("json")(found._replace(at=0.5)))
    assert "ValueError: mine" in shown["exception"] and "RuntimeError" not in shown["exception"]
    assert shown["timestamp"] == "1970-01-01T00:00:00.500000Z" and shown["level"] == "error"


async def test_a_line_that_cannot_be_shown_costs_no_other():
    stream = io.StringIO()

    def shows(found: log.Line) -> str:
        if found.event["event"] == "bad":
            logger.warning(line("logged by who is shown"))
            raise RuntimeError("secret")
        return said(found)

    logger = log.Lines(log.Gathered(stream, shows))
    for event in ("one", "bad", "two"):
        logger.info(line(event))
    logger.warning(line("three"))
    assert sorted(stream.getvalue().splitlines()) == sorted(
        ["logged by who is shown", "one", "log line of 'bad' lost: RuntimeError", "two", "three"]
    )


def test_a_loop_that_ended_keeps_no_line_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "GATHER", 0.02)
    stream = io.StringIO()
    lines = log.Gathered(stream, said)

    async def say(text: str, wait: float) -> None:
        lines.write(line(text))
        await asyncio.sleep(wait)

    asyncio.run(say("1", 0.0))
    asyncio.run(say("2", 0.1))
    assert stream.getvalue() == "1\n2\n"


def test_what_was_logged_last_is_written_at_the_end():
    code = """
import asyncio
from jinglebridge import log
log.configure()
import structlog
async def main():
    structlog.get_logger().info("the last word")
    raise SystemExit(3)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "the last word" in done.stderr
